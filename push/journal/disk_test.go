package journal

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
)

// disk is a folder that a test has in memory. It can fail, stop in the midst of an operation, as when the process is
// killed, and lose what was not synced, as in a power cut.
type disk struct {
	mu     sync.Mutex // guards the following
	random *rand.Rand
	names  map[string]*inode
	synced map[string]*inode // the names that outlive a power cut
	left   int               // operations until it stops; less than 0: it does not
	dead   bool              // it has stopped
	room   int               // bytes that it still takes; less than 0: any number

	failSync bool // the next sync fails, and what it was for is lost in a power cut
	failCut  bool // a truncation fails
}

// inode is a file.
type inode struct {
	bytes  []byte
	synced int  // bytes that outlive a power cut
	broken bool // a sync has failed: no later one helps
}

func newDisk(seed uint64) *disk {
	return &disk{
		random: rand.New(rand.NewPCG(seed, 4)), left: -1, room: -1,
		names: make(map[string]*inode), synced: make(map[string]*inode),
	}
}

var errDead = errors.New("the disk has stopped")

// stepLocked counts an operation, and reports whether it is done: that in which the disk stops is not, or in part.
func (d *disk) stepLocked() bool {
	if d.left--; d.left == 0 {
		d.dead = true
	}
	return !d.dead
}

// revive is what is there after a crash of the process or, if power fails, of the system.
func (d *disk) revive(power bool) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := newDisk(d.random.Uint64())
	from := d.names
	if power {
		from = d.synced
		for name, f := range d.names { // some names may have come to the disk by themselves
			if d.random.IntN(2) == 0 {
				from[name] = f
			}
		}
	}
	for name, f := range from {
		size := len(f.bytes)
		if power {
			size = f.synced + d.random.IntN(size-f.synced+1)
		}
		b := slices.Clone(f.bytes[:size])
		if power && size > f.synced && d.random.IntN(4) == 0 {
			clear(b[f.synced:]) // the size has come to the disk, the bytes have not
		}
		next.names[name] = &inode{bytes: b, synced: len(b)}
	}
	next.synced = maps.Clone(next.names)
	return next
}

func (d *disk) Names() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.names)), nil
}

func (d *disk) Read(name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.names[name].bytes), nil
}

func (d *disk) Create(name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !d.stepLocked():
		return nil, errDead
	case d.names[name] != nil:
		return nil, fs.ErrExist
	}
	f := &inode{}
	d.names[name] = f
	return &handle{d, f}, nil
}

func (d *disk) Sync(name string) error {
	d.mu.Lock()
	f := d.names[name]
	d.mu.Unlock()
	return (&handle{d, f}).Sync()
}

func (d *disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.stepLocked() {
		return errDead
	}
	delete(d.names, name)
	return nil
}

func (d *disk) SyncFolder() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.stepLocked() {
		return errDead
	}
	d.synced = maps.Clone(d.names)
	return nil
}

// handle is a file that is open.
type handle struct {
	disk *disk
	file *inode
}

func (h *handle) Write(b []byte) (int, error) {
	d := h.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := len(b), error(nil)
	switch {
	case d.dead:
		return 0, errDead
	case !d.stepLocked():
		n, err = d.random.IntN(len(b)+1), errDead
	case d.room >= 0 && len(b) > d.room:
		n, err = d.room, syscall.ENOSPC
	}
	if d.room >= 0 {
		d.room -= n
	}
	h.file.bytes = append(h.file.bytes, b[:n]...)
	return n, err
}

func (h *handle) Sync() error {
	d := h.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.stepLocked() {
		return errDead
	}
	if d.failSync {
		d.failSync, h.file.broken = false, true
		return syscall.EIO
	}
	if !h.file.broken {
		h.file.synced = len(h.file.bytes)
	}
	return nil
}

func (h *handle) Truncate(size int64) error {
	d := h.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !d.stepLocked():
		return errDead
	case d.failCut:
		return syscall.EIO
	}
	if d.room >= 0 {
		d.room += len(h.file.bytes) - int(size)
	}
	h.file.bytes = h.file.bytes[:size]
	h.file.synced = min(h.file.synced, int(size))
	return nil
}

func (h *handle) Close() error { return nil }

// set changes a disk.
func (d *disk) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}
