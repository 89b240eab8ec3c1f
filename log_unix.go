//go:build unix

package lineman

import (
	"os"

	"github.com/lineman-go/lineman/internal/master"
)

// descriptor is that of the file that another process is to write to as well, or -1.
func (o *logOutput) descriptor() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return -1
	}
	return int(o.file.Fd())
}

// use has the output go to f, which it takes over, in place of the file before.
func (o *logOutput) use(f *os.File) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.daemon {
		defer f.Close()
		return master.Redirect(f, os.Stdout, os.Stderr)
	}
	if o.file != nil {
		o.file.Close()
	}
	o.file = f
	return nil
}
