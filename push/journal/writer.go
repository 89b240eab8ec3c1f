package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/lineman-go/lineman/push"
)

// writer writes the segments. Owned by the Journal's goroutine.
//
//	none ── begin ──▶ open ── it is large, or a compaction begins ──▶ synced, and the next one
//	  ▲                │
//	  └── a failure ◀──┘    what has failed is not written to again
type writer struct {
	files  files
	most   int64 // bytes of a segment, about
	header header
	log    *slog.Logger
	stats  *stats

	file   file             // nil: the next batch begins a segment
	number uint64           // of the last segment
	size   int64            // of its bytes that count
	ended  bool             // it was closed well, and no other one was begun
	sizes  map[uint64]int64 // of all segments
	first  uint64           // the oldest one
	base   uint64           // that with which the last compaction has begun
	failed uint64           // the last one whose sync has failed: what was answered may not be on the disk

	unsynced bool       // something was written that no sync has begun for
	syncing  chan error // the result of the one under way; nil: none is
	proving  bool       // a sync has failed: the next batch is synced before it is answered
	told     string     // the error that was told last; empty: it has passed
	buffer   []byte
}

// append writes a batch. An error says that nothing of it counts.
func (w *writer) append(b push.Batch) error {
	if w.file == nil || w.size > w.most || b.Begin {
		if err := w.begin(); err != nil {
			return err
		}
		if b.Begin {
			w.base = w.number
		}
	}
	w.buffer = w.buffer[:0]
	for i := range b.Records {
		w.buffer = appendRecord(w.buffer, &b.Records[i])
	}
	before := w.size
	if err := w.write(w.buffer); err != nil {
		return err
	}
	if cap(w.buffer) > 1<<20 {
		w.buffer = nil
	}
	if w.header.always || w.proving || b.End {
		if err := w.sync(); err != nil {
			w.resize(before) // the next segment says so
			return err
		}
		w.proving = false
	}
	if b.End {
		w.removeOld()
	}
	w.well()
	return nil
}

// begin ends the segment and begins the next one.
func (w *writer) begin() error {
	if err := w.sync(); err != nil {
		return err
	}
	w.close()
	name := segmentName(w.number + 1)
	f, err := w.files.Create(name)
	if err != nil {
		return w.fail(err)
	}
	h := w.header
	h.previous = uint64(w.size)
	text := appendHeader(nil, &h)
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync() // a segment without a header has nothing that was answered
	}
	if err == nil {
		err = w.files.SyncFolder()
	}
	if err != nil {
		return w.fail(errors.Join(err, f.Close(), w.files.Remove(name)))
	}
	w.number++
	w.file, w.size, w.ended = f, 0, false
	w.resize(int64(len(text)))
	return nil
}

// resize notes how many bytes of the segment count.
func (w *writer) resize(size int64) {
	w.stats.bytes.Add(size - w.sizes[w.number])
	w.size, w.sizes[w.number] = size, size
	w.stats.segments.Store(int64(len(w.sizes)))
}

// write appends some bytes, or nothing.
func (w *writer) write(b []byte) error {
	start := time.Now()
	_, err := w.file.Write(b)
	w.stats.wrote(time.Since(start))
	if err != nil {
		if cut := w.file.Truncate(w.size); cut != nil {
			_ = w.sync() // it is told with what has failed
			w.close()    // the next segment says how much of this one counts
		}
		return w.fail(err)
	}
	w.unsynced = true
	w.resize(w.size + int64(len(b)))
	return nil
}

// sync waits until all that was written outlives a power cut.
func (w *writer) sync() error {
	if w.syncing != nil {
		if err := w.synced(<-w.syncing); err != nil {
			return err
		}
	}
	if w.file == nil || !w.unsynced {
		return nil
	}
	w.beginSync()
	return w.synced(<-w.syncing)
}

// beginSync has a goroutine do that: the system lets others write meanwhile.
func (w *writer) beginSync() {
	w.unsynced, w.syncing = false, make(chan error, 1)
	f, result := w.file, w.syncing
	go func() {
		start := time.Now()
		err := f.Sync()
		w.stats.synced(time.Since(start))
		result <- err
	}()
}

// synced takes the result of a sync. What has failed is not tried again with this file: the system may say the next
// time that all is well, and have dropped it.
func (w *writer) synced(err error) error {
	w.syncing = nil
	if err == nil {
		return nil
	}
	w.failed, w.proving = w.number, true
	w.stats.doubtful.Store(true)
	w.close()
	return w.fail(fmt.Errorf("sync: %w", bare(err)))
}

// fail tells of an error, once for as long as it is the same.
func (w *writer) fail(err error) error {
	err = bare(err)
	w.stats.failures.Add(1)
	if text := err.Error(); text != w.told {
		w.told = text
		w.log.Error("lineman: the journal cannot be written: what is to be kept is refused", "error", err)
	}
	return err
}

// well tells that there is no error any more.
func (w *writer) well() {
	if w.told != "" {
		w.told = ""
		w.log.Info("lineman: the journal is written again")
	}
}

// removeOld removes what a compaction has made superfluous.
func (w *writer) removeOld() {
	for ; w.first < w.base; w.first++ {
		if err := w.files.Remove(segmentName(w.first)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.log.Warn("lineman: the journal cannot remove an old segment", "error", err)
			break
		}
		w.stats.bytes.Add(-w.sizes[w.first])
		delete(w.sizes, w.first)
	}
	w.stats.segments.Store(int64(len(w.sizes)))
	w.stats.doubtful.Store(w.failed >= w.first && w.failed > 0)
	if err := w.files.SyncFolder(); err != nil {
		w.log.Warn("lineman: the journal cannot sync its folder", "error", err)
	}
}

// close gives the segment up. Nothing of it is under way.
func (w *writer) close() {
	if w.file != nil {
		if err := w.file.Close(); err != nil {
			w.log.Warn("lineman: the journal cannot close a segment", "error", err)
		}
		w.file, w.unsynced = nil, false
	}
}

// end closes the segments well, if all that was answered is on the disk.
func (w *writer) end() {
	if w.file == nil && w.ended {
		return // nothing was written since
	}
	err := w.sync()
	if err == nil && !w.stats.doubtful.Load() {
		if w.file == nil {
			err = w.begin() // it has the epoch
		}
		if err == nil {
			err = w.write(appendEnd(nil))
		}
		if err == nil {
			err = w.sync()
		}
	}
	if err != nil {
		w.log.Warn("lineman: the journal could not be closed well: after a power cut its positions are not good",
			"error", err)
	}
	w.close()
}
