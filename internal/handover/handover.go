package handover

import (
	"cmp"
	"errors"
	"time"
)

// Version is of the messages and of the fields of a record.
const Version = 2 // since 2, descriptors may be lent

// A batch is what is written at once.
const (
	BatchRecords = 128     // the system carries 253 descriptors at once
	BatchBytes   = 1 << 20 // also the longest payload of a frame
)

// Errors of a handover. All mean that the predecessor serves, or has died.
var (
	ErrVersion     = errors.New("handover: the running program is newer than its successor: reload with --drain")
	ErrCorrupt     = errors.New("handover: what came is not what was sent")
	ErrTruncated   = errors.New("handover: the other process closed the stream within a message")
	ErrClosed      = errors.New("handover: the other process closed the stream without a word")
	ErrDescriptors = errors.New("handover: descriptors are missing or left over")
	ErrNoRoom      = errors.New("handover: the process has no room for more descriptors: raise its limit (ulimit -n)")
	ErrTime        = errors.New("handover: the other process took too long")
	ErrTooLarge    = errors.New("handover: larger than the limit")
)

// Aborted is the error of a successor whose predecessor gave up, for this reason.
type Aborted struct{ Reason string }

func (e *Aborted) Error() string { return "handover: the predecessor gave up: " + e.Reason }

// Failed is the error of a predecessor whose successor gave up, for this reason.
type Failed struct{ Reason string }

func (e *Failed) Error() string { return "handover: the successor gave up: " + e.Reason }

// Limits bound a transfer. Zero means the default.
type Limits struct {
	Start time.Duration // how long the predecessor waits for welcome, while the successor starts; 1 minute
	Step  time.Duration // how long either waits until something comes or goes; 10 seconds
	Bytes int           // of a record, and of a tail; 64 MiB
	State int           // bytes of a state; 1 GiB
}

// filled is l with the defaults for what is zero.
func (l Limits) filled() Limits {
	return Limits{
		Start: cmp.Or(l.Start, time.Minute),
		Step:  cmp.Or(l.Step, 10*time.Second),
		Bytes: cmp.Or(l.Bytes, 64<<20),
		State: cmp.Or(l.State, 1<<30),
	}
}

// of is how long a message may be.
func (l Limits) of(k kind) int {
	switch k {
	case kindState:
		return l.State
	case kindRecord, kindTail:
		return l.Bytes
	}
	return BatchBytes
}

// A Loan is the descriptor of a connection that the predecessor serves still: its record, if one comes, brings none.
type Loan struct {
	ID   uint64
	Loop int // index of its loop in the predecessor
	FD   int
}

// Hello is what a successor has to know before it starts.
type Hello struct {
	Version int    // of the predecessor; Send sets it
	LastID  uint64 // no connection of the predecessor has a greater id
	Loops   int
	Workers []string      // names of those that may be in a record
	Stood   time.Duration // since when its loops have stood still, by Clock; 0: it does not say
	Conns   int           // how many connections it has
}

// A Source is what a predecessor hands over. Its methods are called by Send, in this order, each once.
type Source interface {
	// Hello is called first.
	Hello() Hello

	// States gives each state to send. An error, be it that of send, ends the handover.
	States(send func(State) error) error

	// Records gives each connection that is to cross to send, with a descriptor that stays the source's, or any number
	// for one that is absent or lent. The record may be used again when send has returned. ErrTooLarge from send means
	// that this one stays; any other error, be it that of send, ends the handover.
	Records(send func(r *Record, fd int) error) error

	// Refused is called for each connection that the successor does not take: it stays. It may be called any number of
	// times, or not at all.
	Refused(id uint64, reason string)

	// Commit gives up each connection that was sent and not refused: nothing can be sent on it any more. If it has
	// accepted output since its record, that goes to tail; more than Limits.Bytes is ErrTooLarge. If anything else has
	// happened to it, it goes to keep, and stays. Send may still fail after it. An error, be it that of tail or keep,
	// ends the handover.
	Commit(tail func(id uint64, output []byte) error, keep func(id uint64) error) error
}

// A Sink is where a successor puts what it gets. Its methods are called by Receive, in the order of the messages. What
// they are given is valid until they return.
type Sink interface {
	// State restores the state of a loop of the predecessor. An error ends the handover.
	State(s State) error

	// Record takes the descriptor over, whatever it returns, and makes a connection that does not run yet; for one that
	// is absent or lent, fd is -1. An error is the reason why the sink does not want it; it has closed the descriptor
	// then. But ErrDescriptors ends the handover: it has no such loan.
	Record(r *Record, fd int) error

	// Ready is called when all records have come, before the predecessor may give up what was taken. An error ends the
	// handover.
	Ready() error

	// Tail appends to the output of a connection that Record has made. An error ends the handover.
	Tail(id uint64, output []byte) error

	// Keep closes the descriptor of a connection that Record has made: the predecessor keeps it. An error ends the
	// handover.
	Keep(id uint64) error
}
