package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/lineman-go/lineman/push"
)

// journal is the append-only file of revocations, one a line: {"uid":"7","at":1795400000}. The last one of a uid holds.
type journal struct {
	file file
	size int64 // of the whole lines
	torn bool  // there may be a part of a line behind them
}

// file is what a journal needs of an os.File.
type file interface {
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// openJournal reads a file and opens it for more.
func openJournal(name string) (*journal, map[string]int64, error) {
	text, err := readRegular(name)
	isNew := errors.Is(err, os.ErrNotExist)
	if err != nil && !isNew {
		return nil, nil, err
	}
	at, lines, err := parseJournal(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	if compact := format(at); isNew || lines != len(at) || len(compact) != len(text) {
		if err = replace(name, compact); err != nil && isNew {
			return nil, nil, err
		}
		// a full disk is no reason not to start: all was read, and which file is there tells itself
		if text = compact; err != nil {
			if text, err = os.ReadFile(name); err != nil {
				return nil, nil, err
			}
		}
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	f, err := openRegular(name, os.O_WRONLY)
	if err != nil {
		return nil, nil, err
	}
	if err := hide(f); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return &journal{file: f, size: int64(whole), torn: whole < len(text)}, at, nil
}

// openRegular opens a file that is there, and is its own: by a symbolic link somebody else would say what is read and
// written, and at a pipe this process would wait.
func openRegular(name string, flags int) (*os.File, error) {
	there, err := os.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case there.Mode()&os.ModeSymlink != 0:
		return nil, fmt.Errorf("%s is a symbolic link: name the file that it leads to, or remove it", name)
	case !there.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file (%v): want one, or a name that nothing has", name, there.Mode())
	}
	f, err := os.OpenFile(name, flags, 0)
	if err != nil {
		return nil, err
	}
	if opened, err := f.Stat(); err != nil || !os.SameFile(there, opened) {
		return nil, errors.Join(err, f.Close(),
			fmt.Errorf("%s was exchanged for another file meanwhile: try again", name))
	}
	return f, nil
}

func readRegular(name string) ([]byte, error) {
	f, err := openRegular(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// CheckRevocations tells whether OpenRevocations could take a file over, of which it changes nothing. None is good as
// well.
func CheckRevocations(name string) error {
	text, err := readRegular(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("token: revocations: %w", err)
	}
	if _, _, err := parseJournal(text); err != nil {
		return fmt.Errorf("token: revocations: %s: %w", name, err)
	}
	f, err := openRegular(name, os.O_WRONLY)
	if err != nil {
		return fmt.Errorf("token: revocations: %w", err)
	}
	return f.Close()
}

// hide has nobody but its owner read a file.
func hide(f *os.File) error {
	if runtime.GOOS == "windows" {
		return nil // it has no modes
	}
	return f.Chmod(0o600)
}

// parseJournal reads whole lines, and drops what is behind them.
func parseJournal(text []byte) (at map[string]int64, lines int, err error) {
	at = make(map[string]int64)
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return at, lines, nil
		}
		lines++
		uid, seconds, ok := parseRevocation(line)
		if !ok {
			return nil, 0,
				errors.New("line " + strconv.Itoa(lines) + " is no revocation: put it right, or take it away")
		}
		at[uid] = max(at[uid], seconds)
		text = rest
	}
}

func parseRevocation(line []byte) (uid string, seconds int64, ok bool) {
	said, err := parseObject(line)
	if err != nil {
		return "", 0, false
	}
	if uid, err = said.text("uid"); err != nil || uid == "" || len(uid) > push.MaxName {
		return "", 0, false // what is no uid any more harms nobody
	}
	instant, err := said.instant("at")
	return uid, instant.Unix(), err == nil && !instant.IsZero()
}

// format writes revocations as lines, in the order of the uids.
func format(at map[string]int64) (text []byte) {
	for _, uid := range slices.Sorted(maps.Keys(at)) {
		text = append(text, formatRevocation(uid, at[uid])...)
	}
	return text
}

func formatRevocation(uid string, seconds int64) []byte {
	name, _ := json.Marshal(uid) // a string can always be written
	return fmt.Appendf(nil, "{\"uid\":%s,\"at\":%d}\n", name, seconds)
}

// replace writes a file so that after a crash there is the old one or the new one, whole. What a crash, or somebody
// else, has left where it writes is removed, and not written to.
func replace(name string, text []byte) error {
	next := name + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(next, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return syncFolder(filepath.Dir(name))
}

// syncFolder has a folder's names outlive a crash of the machine.
func syncFolder(name string) error {
	if runtime.GOOS == "windows" {
		return nil // it cannot, and keeps names by a journal of its own
	}
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// append writes a line, so that it outlives a crash of the machine, or nothing.
func (j *journal) append(uid string, seconds int64) error {
	if err := j.mend(); err != nil {
		return err
	}
	line := formatRevocation(uid, seconds)
	j.torn = true
	_, err := j.file.WriteAt(line, j.size)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return errors.Join(err, j.mend())
	}
	j.size += int64(len(line))
	j.torn = false
	return nil
}

// mend takes away what a failed append may have left.
func (j *journal) mend() error {
	if !j.torn {
		return nil
	}
	err := j.file.Truncate(j.size)
	j.torn = err != nil
	return err
}
