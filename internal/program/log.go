package program

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
)

// A Log is where a process of the program writes its log: the terminal, and a file. A daemon has no terminal: its
// standard output is the file. The zero value writes to the terminal alone. Its methods may be called from any
// goroutine.
type Log struct {
	mu     sync.Mutex // guards the following
	file   *os.File   // nil without
	daemon bool

	terminal bool // people read the standard error. Immutable once it is the default's.
}

// SetDefault makes package slog write here, by what handler makes or else as text, unless the application has set
// something else.
func (l *Log) SetDefault(handler func(io.Writer) slog.Handler, attributes ...any) {
	if fmt.Sprintf("%T", slog.Default().Handler()) != "*slog.defaultHandler" {
		return
	}
	l.terminal = isTerminal(os.Stderr)
	var h slog.Handler = slog.NewTextHandler(l, nil)
	if handler != nil {
		h = handler(l)
	}
	slog.SetDefault(slog.New(h).With(attributes...))
}

// BecomeDaemon says that the standard output is the file.
func (l *Log) BecomeDaemon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.daemon = true
}

// Write fails only if neither takes it: a full disk must not silence the terminal.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil && !l.daemon {
		_, _ = l.file.Write(b)
	}
	if l.terminal {
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
	behind := bytes.TrimSuffix(rest[len(quoted):], []byte("\n"))
	return fmt.Appendf(nil, "%s%s\n%s\n", before, behind, strings.TrimSuffix(stack, "\n"))
}
