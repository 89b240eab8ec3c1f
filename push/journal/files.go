package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// files are what a Journal needs of a folder. Tests have others, which fail.
type files interface {
	Names() ([]string, error)
	Read(name string) ([]byte, error)
	Create(name string) (file, error) // it must not be there
	Sync(name string) error           // a file that is there
	Remove(name string) error
	SyncFolder() error // so that names outlive a power cut
}

// file is appended to.
type file interface {
	Write(b []byte) (int, error)
	Sync() error
	Truncate(size int64) error
	Close() error
}

// folder is that of the system.
type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

func (f folder) Names() (names []string, err error) {
	all, err := os.ReadDir(string(f))
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names, err
}

func (f folder) Read(name string) ([]byte, error) { return os.ReadFile(f.path(name)) }

func (f folder) Create(name string) (file, error) {
	return os.OpenFile(f.path(name), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
}

func (f folder) Sync(name string) error {
	opened, err := os.OpenFile(f.path(name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}

func (f folder) Remove(name string) error { return os.Remove(f.path(name)) }

func (f folder) SyncFolder() error {
	if runtime.GOOS == "windows" {
		return nil // it cannot, and keeps names by a journal of its own
	}
	d, err := os.Open(string(f))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readAll reads the segments, in the order of their numbers.
func readAll(f files) (all []stored, err error) {
	names, err := f.Names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if number, ok := segmentNumber(name); ok {
			bytes, err := f.Read(name)
			if err != nil {
				return nil, err
			}
			all = append(all, stored{number, bytes})
		}
	}
	slices.SortFunc(all, func(a, b stored) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	return all, nil
}

// bare is an error without the name of the file.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
