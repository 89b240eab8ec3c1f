package hook

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

// MaxDeadLetters bounds the file of dead letters, in bytes. What is there is never removed: who has read it moves the
// file away, and another one begins.
const MaxDeadLetters = 256 << 20

// errFileFull tells what to do.
var errFileFull = fmt.Errorf("hook: the file of dead letters has %d MiB: read it, and move it away", MaxDeadLetters>>20)

// DeadLetters are the events that a hook has not taken, a line each, in a file:
//
//	{"hook":"app","time":1795400000123,"why":"the answer is 404","event":{…}}
//
// Several processes may write to the same file. It may be used by many goroutines.
type DeadLetters struct {
	path string
	max  int64

	mu sync.Mutex // held while the file is written
}

// NewDeadLetters makes DeadLetters. The file is made, for its owner alone, when there is one.
func NewDeadLetters(path string) *DeadLetters { return &DeadLetters{path: path, max: MaxDeadLetters} }

// add writes the events of a batch, and returns when they are on the disk. With an error, some of them may be.
func (d *DeadLetters) add(hook, why string, at time.Time, b *batch) error {
	text := deadLetters(hook, why, at, b)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writeLocked(text)
}

// deadLetters are the lines of a batch.
func deadLetters(hook, why string, at time.Time, b *batch) (text []byte) {
	for i := range b.len() {
		text = append(text, `{"hook":`...)
		text = appendString(text, hook)
		text = strconv.AppendInt(append(text, `,"time":`...), at.UnixMilli(), 10)
		text = appendString(append(text, `,"why":`...), why)
		text = append(append(text, `,"event":`...), b.event(i)...)
		text = append(text, "}\n"...)
	}
	return text
}

// writeLocked opens the file each time, as it may have been moved away.
func (d *DeadLetters) writeLocked(text []byte) (err error) {
	f, err := os.OpenFile(d.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("hook: dead letters: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("hook: dead letters: %w", err)
	}
	if info.Size()+int64(len(text)) > d.max {
		return errFileFull
	}
	if endsWithin(f, info.Size()) {
		text = append([]byte{'\n'}, text...)
	}
	if _, err = f.Write(text); err == nil && info.Mode().IsRegular() {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("hook: dead letters: %w", err)
	}
	return nil
}

// endsWithin reports whether a file ends within a line: when the disk was full there was no room for all of it.
func endsWithin(f *os.File, size int64) bool {
	var last [1]byte
	if size == 0 {
		return false
	}
	_, err := f.ReadAt(last[:], size-1)
	return err == nil && last[0] != '\n'
}
