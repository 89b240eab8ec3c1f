//go:build unix

package program

import "os"

// descriptor is a new one of the file that another process is to write to as well, or -1.
func (l *Log) descriptor() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil || l.daemon {
		return -1
	}
	fd, err := Duplicate(l.file)
	if err != nil {
		return -1 // it writes to the terminal in any case
	}
	return fd
}

// fd is the descriptor of the file; -1 without.
func (l *Log) fd() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return -1
	}
	return int(l.file.Fd())
}

// Use has the log go to f, which it takes over, in place of the file before.
func (l *Log) Use(f *os.File) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
	}
	l.file = f
	if l.daemon {
		return Redirect(f, os.Stdout, os.Stderr)
	}
	return nil
}
