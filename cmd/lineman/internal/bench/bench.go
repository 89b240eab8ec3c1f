package bench

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/lineman-go/lineman"
)

// phase is how far a run is.
//
//	connecting ──▶ knowing ──────▶ publishing ──▶ draining ──▶ over
//	 all pages     the server       Options.For    what is      the report
//	 are there     knows them                      under way
type phase int

const (
	connecting phase = iota
	knowing
	publishing
	draining
	over
)

// bench is a run. All of it is owned by the loop.
type bench struct {
	options Options
	loop    *lineman.Loop
	end     context.CancelFunc
	start   time.Time
	phase   phase
	failed  error   // why there is nothing to tell
	result  *Report // when it is over

	pages   []*page
	dialed  int // of the pages
	opening int // of those, that are not there yet
	opened  int // that are there
	known   int // of the pages, from the first, that the server knows

	backend    *lineman.Conn
	answer     func(line []byte) // does what is due with an answer of the port for lines
	marker     marker
	line       []byte // is written
	turn       int    // page whose turn it is
	unanswered int    // lines
	underWay   int    // messages that have not come to pages that are there

	connected          time.Duration // how long that took
	began              time.Duration // when the first was published, since start, as those below
	lastSent, lastCame time.Duration
	published          uint64
	delivered          uint64
	lost               uint64
	doubled            uint64
	closed             map[string]int
	latency            histogram
}

// Run measures the server as the options say, until that is done or ctx ends: then it returns what there was. An error
// means that there is nothing to tell. Whether something was lost is told by Report.Err.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	o.Patience = cmp.Or(o.Patience, 10*time.Second)
	ctx, end := context.WithCancel(ctx)
	defer end()
	b := &bench{
		options: o, end: end, start: time.Now(), marker: newMarker(rand.Uint64(), o.Size), closed: map[string]int{},
	}
	for _, i := range o.Identities {
		b.pages = append(b.pages, &page{Identity: i, head: toUID(i.UID)})
	}
	w := &lineman.Worker{
		Name: "bench", Logger: silent(), Limits: lineman.Limits{Shutdown: 2 * time.Second},
		OnStart: b.open,
		OnStop: func(*lineman.Loop) {
			b.result = b.report()
			b.phase = over
		},
	}
	if err := errors.Join(lineman.Run(ctx, w), b.failed); err != nil {
		return nil, err
	}
	return b.result, nil
}

// silent logs nothing: what happens is in the report, or the error.
func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// open begins: first with the port for lines.
func (b *bench) open(l *lineman.Loop) error {
	b.loop = l
	return b.dialBackend()
}

// now is the time since the run began.
func (b *bench) now() time.Duration { return time.Since(b.start) }

// fail ends the run with an error, the first one.
func (b *bench) fail(err error) {
	if b.failed == nil && b.phase != over {
		b.failed = err
		b.end()
	}
}

// within fails the run if it is still in the same phase some time later, and has not got further in it.
func (b *bench) within(d time.Duration, progress func() int, err error) {
	before, at := b.phase, progress()
	b.loop.After(d, func() {
		switch {
		case b.phase != before:
		case progress() == at:
			b.fail(err)
		default:
			b.within(d, progress, err)
		}
	})
}
