package main

import (
	"path/filepath"

	"github.com/tidwall/wal"
)

// tidwall is a log in segments, without checksums.
type tidwall struct{ log *wal.Log }

func openTidwall(folder string) (store, error) {
	l, err := wal.Open(filepath.Join(folder, "wal"), &wal.Options{
		NoSync: true, SegmentSize: segmentBytes, LogFormat: wal.Binary, SegmentCacheSize: 2, NoCopy: true,
	})
	return &tidwall{l}, err
}

func (t *tidwall) append(first uint64, records [][]byte) error {
	var b wal.Batch
	for i, r := range records {
		b.Write(first+uint64(i), r)
	}
	return t.log.WriteBatch(&b)
}

func (t *tidwall) sync() error                    { return t.log.Sync() }
func (t *tidwall) dropBefore(number uint64) error { return t.log.TruncateFront(number) }

func (t *tidwall) replay() (bytes int, err error) {
	first, err := t.log.FirstIndex()
	if err != nil {
		return 0, err
	}
	last, err := t.log.LastIndex()
	for i := first; i <= last && err == nil; i++ {
		var record []byte
		record, err = t.log.Read(i)
		bytes += len(record)
	}
	return bytes, err
}

func (t *tidwall) close() error { return t.log.Close() }
