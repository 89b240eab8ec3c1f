package server

import (
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/journal"
	"github.com/lineman-go/lineman/push/metrics"
)

// Journal is a push.Journal that a process can wait for when it ends.
type Journal interface {
	push.Journal

	// Wait returns when a journal that was closed is closed well, but after a time anyway.
	Wait(atMost time.Duration)

	// Stats tells how it is, from any goroutine.
	Stats() journal.Stats
}

// journalTime is how long the disk may take when a process ends. What was answered is safe without that.
const journalTime = 2 * time.Second

// openJournal opens the journal, if there is to be one. What a predecessor has is there later.
func (s *Server) openJournal() (err error) {
	if s.options.Journal != nil {
		s.journal, err = s.options.Journal()
	}
	return err
}

// closeJournal ends it.
func (s *Server) closeJournal() {
	if s.journal != nil {
		s.journal.Close()
		s.journal.Wait(journalTime)
	}
}

// journalStats are those for metrics.
func (s *Server) journalStats() metrics.Journal {
	if s.journal == nil {
		return metrics.Journal{}
	}
	j := s.journal.Stats()
	return metrics.Journal{
		Bytes: int(j.Bytes), Segments: j.Segments, Writes: j.Writes, Syncs: j.Syncs, Failures: j.Failures,
		WriteTime: j.WriteTime, SyncTime: j.SyncTime,
	}
}
