//go:build unix

package lineman

import (
	"os"

	"github.com/lineman-go/lineman/internal/master"
)

// descriptor is a new one of the file that another process is to write to as well, or -1.
func (o *logOutput) descriptor() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil || o.daemon {
		return -1
	}
	fd, err := master.Duplicate(o.file)
	if err != nil {
		return -1 // it writes to the terminal in any case
	}
	return fd
}

// use has the output go to f, which it takes over, in place of the file before.
func (o *logOutput) use(f *os.File) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil {
		o.file.Close()
	}
	o.file = f
	if o.daemon {
		return master.Redirect(f, os.Stdout, os.Stderr)
	}
	return nil
}
