package push

import (
	"errors"
	"time"
)

// A Journal keeps the history of a Memory, or of a Hub without a Broker, in files, so that it outlives the process: it
// is their write-ahead log. Nobody gets a publication before the Journal has its Record. Package journal has one.
//
// The order of its Records means little: each says all that is to be known, and one that comes twice counts once.
type Journal interface {
	// Recover reads what was written before. done is called once, perhaps before Recover returns, else on another
	// goroutine: as soon as this process has the Journal, which a predecessor may have to give up. Nothing is appended
	// before that.
	Recover(done func(Recovered))

	// Append writes a batch, and calls done on another goroutine when it outlives the process and, if that was asked
	// for, a power cut. An error says that none of it counts. One is under way at a time. The batch must not change
	// until done is called.
	Append(b Batch, done func(error))

	// IsOvergrown reports whether it should be compacted, as it is much larger than what is kept.
	IsOvergrown(kept int) bool

	// Close gives the Journal up for a successor, when what was appended is written. It returns at once, and may be
	// called twice.
	Close()
}

// Recovered is what a Journal had.
type Recovered struct {
	Epoch   string // a new one if something may be lost
	Records []Record
}

// Batch is what is appended at once.
type Batch struct {
	Records []Record

	// A compaction writes everything that is kept once more, in parts. The batch with Begin is the first of them. What
	// was appended before that is no longer needed when that with End is written.
	Begin, End bool
}

// RecordKind is what a Record says.
type RecordKind uint8

// The kinds.
const (
	RecordMessage   RecordKind = 1 + iota // was published, with these offsets
	RecordTops                            // targets have come so far; of the empty Target: those that were forgotten
	RecordForgotten                       // what targets had up to there is kept no longer
	RecordDropped                         // likewise, and how far they have come is not remembered either
)

// Record is one entry of a Journal.
type Record struct {
	Kind RecordKind
	Of   []Place

	// Of a message only. Numbers tell which message is older; that of the second target is the next one, and so on.
	Number uint64
	At     time.Time
	Data   []byte
}

// Place is an offset of a target.
type Place struct {
	Target Target
	Offset uint64
}

// ErrJournal matches the error of a publication that was refused, as the Journal could not take it, or the Broker.
var ErrJournal = errors.New("push: the journal cannot be written now")

// errBehind is why, where there is no other reason.
var errBehind = errors.New("too much waits for the disk")
