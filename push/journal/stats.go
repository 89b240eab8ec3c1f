package journal

import (
	"sync/atomic"
	"time"
)

// Stats are how a Journal is, and what it has done since it was opened.
type Stats struct {
	Bytes    int64 // of all segments, now
	Segments int   // now

	Writes, Syncs       uint64
	WriteTime, SyncTime time.Duration // in all
	Failures            uint64        // batches that were refused, and syncs that have failed
}

// stats are those of a Journal. For any goroutine.
type stats struct {
	bytes, segments     atomic.Int64
	writes, syncs       atomic.Uint64
	writeTime, syncTime atomic.Int64
	failures            atomic.Uint64
	doubtful            atomic.Bool // what was answered may not be on the disk: a compaction puts that right
}

func (s *stats) wrote(d time.Duration) {
	s.writes.Add(1)
	s.writeTime.Add(int64(d))
}

func (s *stats) synced(d time.Duration) {
	s.syncs.Add(1)
	s.syncTime.Add(int64(d))
}

// Stats tells how the Journal is, from any goroutine.
func (j *Journal) Stats() Stats {
	s := &j.stats
	return Stats{
		Bytes: s.bytes.Load(), Segments: int(s.segments.Load()),
		Writes: s.writes.Load(), WriteTime: time.Duration(s.writeTime.Load()),
		Syncs: s.syncs.Load(), SyncTime: time.Duration(s.syncTime.Load()),
		Failures: s.failures.Load(),
	}
}
