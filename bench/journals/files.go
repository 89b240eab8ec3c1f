package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
)

// files are segments that are appended to: each record has its length and its checksum.
type files struct {
	folder   string
	segments []segment
	last     *os.File
	size     int
	buffer   []byte
}

// segment is a file.
type segment struct {
	path  string
	first uint64
}

// segmentBytes is how large a segment becomes, about.
const segmentBytes = 8 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func openFiles(folder string) (store, error) { return &files{folder: folder}, nil }

func (f *files) append(first uint64, records [][]byte) error {
	if f.last == nil || f.size > segmentBytes {
		if err := f.begin(first); err != nil {
			return err
		}
	}
	f.buffer = f.buffer[:0]
	for _, r := range records {
		f.buffer = binary.LittleEndian.AppendUint32(f.buffer, uint32(len(r)))
		f.buffer = binary.LittleEndian.AppendUint32(f.buffer, crc32.Checksum(r, castagnoli))
		f.buffer = append(f.buffer, r...)
	}
	f.size += len(f.buffer)
	_, err := f.last.Write(f.buffer)
	return err
}

func (f *files) begin(first uint64) error {
	if f.last != nil {
		if err := f.last.Close(); err != nil {
			return err
		}
	}
	path := filepath.Join(f.folder, fmt.Sprintf("%016x", first))
	file, err := os.Create(path)
	f.last, f.size, f.segments = file, 0, append(f.segments, segment{path, first})
	return err
}

func (f *files) sync() error { return f.last.Sync() }

func (f *files) dropBefore(number uint64) error {
	for len(f.segments) > 1 && f.segments[1].first <= number {
		if err := os.Remove(f.segments[0].path); err != nil {
			return err
		}
		f.segments = f.segments[1:]
	}
	return nil
}

func (f *files) replay() (bytes int, err error) {
	for _, s := range f.segments {
		rest, err := os.ReadFile(s.path)
		if err != nil {
			return bytes, err
		}
		for len(rest) > 0 {
			n := binary.LittleEndian.Uint32(rest)
			record := rest[8 : 8+n]
			if crc32.Checksum(record, castagnoli) != binary.LittleEndian.Uint32(rest[4:]) {
				return bytes, errors.New("a record is corrupt")
			}
			bytes += len(record)
			rest = rest[8+n:]
		}
	}
	return bytes, nil
}

func (f *files) close() error { return f.last.Close() }
