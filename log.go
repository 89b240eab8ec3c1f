package lineman

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// logOutput is where a process of the program writes its log: the terminal, and a file. A daemon has no terminal: its standard
// output is the file.
type logOutput struct {
	mu     sync.Mutex // guards the following
	file   *os.File   // nil without
	daemon bool
}

// install makes the output the default of package slog, unless the application has set another.
func (m *Master) install(o *logOutput, attributes ...any) {
	if fmt.Sprintf("%T", slog.Default().Handler()) != "*slog.defaultHandler" {
		return
	}
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
	return os.Stderr.Write(b)
}
