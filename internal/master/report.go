//go:build unix

package master

import (
	"fmt"

	"github.com/lineman-go/lineman/internal/channel"
)

// Manner is what becomes of the connections of processes that a reload replaces.
type Manner struct {
	Patient bool // those that stay may end by themselves, within Limits.Graceful
	Drain   bool // all stay: none is handed over
}

// Report is what a reload has done or, for a Check, would do.
type Report struct {
	Slots []Succession `json:"slots"`          // in which a process has a successor
	Rest  []string     `json:"rest,omitempty"` // slots whose processes stay, because they want no reload
}

// Kept is how many connections have crossed.
func (r *Report) Kept() (n int) {
	for i := range r.Slots {
		n += r.Slots[i].Kept
	}
	return n
}

// Drained is how many connections of those who hand over have stayed.
func (r *Report) Drained() (n int) {
	for i := range r.Slots {
		n += r.Slots[i].Drained()
	}
	return n
}

// Drained is how many connections of one that hands over have stayed.
func (s *Succession) Drained() (n int) {
	for _, some := range s.Stayed {
		n += some
	}
	return n
}

// Succession is how the process of a slot was succeeded.
type Succession struct {
	Worker string `json:"worker"`
	ID     int    `json:"id"`
	Old    string `json:"old"` // version of the program; empty if nobody served
	New    string `json:"new"`

	Drains Hindrance `json:"drains,omitempty"` // why nothing was handed over; empty if it was

	// What was handed over, unless Drains says why nothing was.
	channel.Handed
	channel.Started
	Died bool `json:"died,omitempty"` // the predecessor, meanwhile: what had not crossed has ended
}

// Hindrance is why a predecessor keeps its connections, and drains them.
type Hindrance string

// The hindrances.
const (
	AsAsked  Hindrance = "it was asked for"
	OldHasNo Hindrance = "the program that runs hands none over"
	NewHasNo Hindrance = "the new program takes none over"
	NobodyIs Hindrance = "nobody served"
)

// hindrance is why p, or nobody if that is nil, does not hand over to q; empty if it does.
func hindrance(p, q *process, how Manner) Hindrance {
	switch {
	case p == nil || p.ended():
		return NobodyIs
	case how.Drain:
		return AsAsked
	case p.about.Handover == 0:
		return OldHasNo
	case q.about.Handover == 0:
		return NewHasNo
	}
	return ""
}

// fits tells whether q understands what p, or nobody if that is nil, would hand over.
func (p *process) fits(q *process, how Manner) error {
	if hindrance(p, q, how) != "" || q.about.Handover >= p.about.Handover {
		return nil
	}
	return fmt.Errorf("lineman: the program understands version %d of the transfer of connections, and what runs "+
		"speaks version %d: reload --drain, or restart", q.about.Handover, p.about.Handover)
}

// succession is the beginning of a report: what is known before q takes the place of p.
func (sl *slot) succession(p, q *process, how Manner) Succession {
	r := Succession{Worker: sl.group.Name, ID: sl.id, New: q.about.Program, Drains: hindrance(p, q, how)}
	if p != nil {
		r.Old = p.about.Program
	}
	return r
}
