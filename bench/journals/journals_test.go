package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidwall/wal"
)

// TestStores has each store keep what was not dropped.
func TestStores(t *testing.T) {
	for name, open := range map[string]func(string) (store, error){
		"files": openFiles, "tidwall": openTidwall, "bolt": openBolt, "pebble": openPebble,
	} {
		s, err := open(t.TempDir())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		written, _, err := write(s, recordsOf(16), 50*time.Millisecond)
		if err == nil {
			err = s.sync()
		}
		bytes, failed := s.replay()
		if err != nil || failed != nil || bytes != int(written)*size {
			t.Errorf("%s: %d bytes of %d records, %v, %v", name, bytes, written, err, failed)
		}
		if err := s.close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTornEnd has tidwall/wal refuse a log whose last record was torn by a crash: push/DESIGN.md says so.
func TestTornEnd(t *testing.T) {
	folder := t.TempDir()
	s, err := openTidwall(folder)
	if err == nil {
		err = s.append(1, recordsOf(3))
	}
	if err == nil {
		err = s.close()
	}
	path := filepath.Join(folder, "wal", "00000000000000000001")
	info, found := os.Stat(path)
	if err != nil || found != nil {
		t.Fatal(err, found)
	}
	if err := os.Truncate(path, info.Size()-7); err != nil {
		t.Fatal(err)
	}
	if _, err := wal.Open(filepath.Join(folder, "wal"), nil); err == nil {
		t.Error("it is opened")
	}
}
