package main

import (
	"encoding/binary"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// bolt is a B+ tree in one file.
type bolt struct{ db *bbolt.DB }

var bucket = []byte("records")

func openBolt(folder string) (store, error) {
	db, err := bbolt.Open(filepath.Join(folder, "bolt"), 0o600, &bbolt.Options{
		NoSync: true, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
	})
	if err != nil {
		return nil, err
	}
	return &bolt{db}, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(bucket)
		return err
	})
}

// key is that of a record: keys have the order of their numbers.
func key(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

func (b *bolt) append(first uint64, records [][]byte) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		all := tx.Bucket(bucket)
		all.FillPercent = 1 // they only come behind each other
		for i, r := range records {
			if err := all.Put(key(first+uint64(i)), r); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bolt) sync() error { return b.db.Sync() }

func (b *bolt) dropBefore(number uint64) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, _ := c.First(); k != nil && binary.BigEndian.Uint64(k) < number; k, _ = c.Next() {
			if err := c.Delete(); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bolt) replay() (bytes int, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(_, record []byte) error {
			bytes += len(record)
			return nil
		})
	})
	return bytes, err
}

func (b *bolt) close() error { return b.db.Close() }
