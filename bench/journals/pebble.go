package main

import (
	"fmt"
	"path/filepath"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/vfs"
)

// lsm is a log-structured merge tree. A commit that is not synced is answered before write(2): its log is written by a
// goroutine. So commits are synced, over a file system whose sync does nothing.
type lsm struct{ db *pebble.DB }

func openPebble(folder string) (store, error) {
	db, err := pebble.Open(filepath.Join(folder, "pebble"), &pebble.Options{FS: unsynced{vfs.Default}, Logger: quiet{}})
	return &lsm{db}, err
}

func (l *lsm) append(first uint64, records [][]byte) error {
	b := l.db.NewBatch()
	defer b.Close()
	for i, r := range records {
		if err := b.Set(key(first+uint64(i)), r, nil); err != nil {
			return err
		}
	}
	return b.Commit(pebble.Sync)
}

func (l *lsm) sync() error { return nil }

func (l *lsm) dropBefore(number uint64) error {
	return l.db.DeleteRange(key(0), key(number), pebble.Sync)
}

func (l *lsm) replay() (bytes int, err error) {
	records, err := l.db.NewIter(nil)
	if err != nil {
		return 0, err
	}
	defer records.Close()
	for records.First(); records.Valid(); records.Next() {
		bytes += len(records.Value())
	}
	return bytes, records.Error()
}

func (l *lsm) close() error { return l.db.Close() }

// unsynced is a file system whose files are not synced.
type unsynced struct{ vfs.FS }

func (fs unsynced) Create(name string) (vfs.File, error) {
	f, err := fs.FS.Create(name)
	return unsyncedFile{f}, err
}

func (fs unsynced) ReuseForWrite(from, to string) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(from, to)
	return unsyncedFile{f}, err
}

type unsyncedFile struct{ vfs.File }

func (unsyncedFile) Sync() error                { return nil }
func (unsyncedFile) SyncData() error            { return nil }
func (unsyncedFile) SyncTo(int64) (bool, error) { return false, nil }

// quiet is a log that nobody reads.
type quiet struct{}

func (quiet) Infof(string, ...any)         {}
func (quiet) Errorf(string, ...any)        {}
func (quiet) Fatalf(text string, a ...any) { panic(fmt.Sprintf(text, a...)) }
