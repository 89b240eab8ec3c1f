package lineman

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
)

// logOutput is where a process of the program writes its log: the terminal, and a file. A daemon has no terminal: its
// standard output is the file.
type logOutput struct {
	mu     sync.Mutex // guards the following
	file   *os.File   // nil without
	daemon bool

	terminal bool // people read the standard error. Immutable once it is the default's.
}

// install makes the output the default of package slog, unless the application has set another.
func (m *Master) install(o *logOutput, attributes ...any) {
	if fmt.Sprintf("%T", slog.Default().Handler()) != "*slog.defaultHandler" {
		return
	}
	o.terminal = isTerminal(os.Stderr)
	var handler slog.Handler = slog.NewTextHandler(o, nil)
	if m.LogHandler != nil {
		handler = m.LogHandler(o)
	}
	slog.SetDefault(slog.New(handler).With(attributes...))
}

// Write fails only if neither takes it: a full disk must not silence the terminal.
func (o *logOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil && !o.daemon {
		_, _ = o.file.Write(b)
	}
	if o.terminal {
		if _, err := os.Stderr.Write(forPeople(b)); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	return os.Stderr.Write(b)
}

// isTerminal reports whether what is written to a file is shown.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// forPeople is a line of the log as text, in which a stack stands last, with real line breaks.
func forPeople(line []byte) []byte {
	before, rest, found := bytes.Cut(line, []byte(" stack="))
	if !found {
		return line
	}
	quoted, err := strconv.QuotedPrefix(string(rest))
	if err != nil {
		return line
	}
	stack, err := strconv.Unquote(quoted)
	if err != nil {
		return line
	}
	return fmt.Appendf(nil, "%s%s\n%s\n", before, bytes.TrimSuffix(rest[len(quoted):], []byte("\n")), strings.TrimSuffix(stack, "\n"))
}
