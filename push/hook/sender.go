package hook

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lineman-go/lineman/push/events"
)

// A Sender posts events to a hook, over lanes: all events of a connection go over the same one, which has one request
// under way at a time. What is acknowledged, or given up, it tells the Dispatcher. Its methods are for the loop only,
// but Stats.
type Sender struct {
	options SenderOptions
	lanes   []*lane

	posting context.Context // ends what is under way
	cut     context.CancelFunc
	stop    chan struct{} // closed when there is no more time to wait for the hook
	settled chan struct{} // gets a value, if it has room, when a lane has done with a batch
	passed  atomic.Bool   // a successor has the events

	mu      sync.Mutex // guards the following
	breaker breaker
	stats   SenderStats
	told    time.Time // when the log has told of dead letters
	untold  int       // dead letters since
}

// SenderOptions are what a Sender needs.
type SenderOptions struct {
	Name  string // of the hook
	Group string // of the listeners that it has

	// Post posts a body, as Client.Post does. It is called on goroutines, at most Parallel at a time.
	Post func(ctx context.Context, body []byte) (Answer, error)

	Do func(func()) bool // calls a function on the loop, from any goroutine
	// Retry is how long a request is tried again at most; 0 means 10 minutes.
	Retry time.Duration

	Parallel int // lanes; 0 means 4
	Batch    int // events of a request at most; 0 means 100

	DeadLetters *DeadLetters
	Log         *slog.Logger
}

// SenderStats count events and requests since the start.
type SenderStats struct {
	Retries     uint64 // requests that were made again
	Taken       uint64 // events that the hook has taken
	DeadLetters uint64 // events in the file of dead letters
	Lost        uint64 // events that are not there either, as it could not be written
	UnderWay    int    // events of requests that are made, or made again, now
	Open        bool   // the circuit breaker is open, or half open: one lane at a time tries
}

const (
	defaultRetry    = 10 * time.Minute
	defaultParallel = 4
	defaultBatch    = 100
	firstBackOff    = 250 * time.Millisecond
	longestBackOff  = 30 * time.Second

	// tellEvery is how often the log tells of dead letters.
	tellEvery = 10 * time.Second
)

// NewSender makes a Sender. It does nothing before Listen.
func NewSender(o SenderOptions) *Sender {
	if o.Retry <= 0 {
		o.Retry = defaultRetry
	}
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	s := &Sender{options: o, stop: make(chan struct{}), settled: make(chan struct{}, 1)}
	s.posting, s.cut = context.WithCancel(context.Background())
	return s
}

// Listen has the hook be told events of these kinds, about what fits the patterns. It is called once, and then Stop is.
func (s *Sender) Listen(d *events.Dispatcher, kinds []events.Kind, of []string) error {
	for range s.options.Parallel {
		l := newLane(s)
		listener, err := d.Listen(events.Listen{
			Group: s.options.Group, Events: kinds, Of: of, Hook: true, Sink: l,
			Window: min(2*s.options.Batch, events.MaxWindow),
		})
		if err != nil {
			return err
		}
		l.listener = listener
		s.lanes = append(s.lanes, l)
		go l.run()
	}
	return nil
}

// Stop ends the Sender. Until ctx ends, the loop waits for what is under way, and what waits is posted once; what the
// hook does not take then is written to the dead letters. All its goroutines have ended then.
func (s *Sender) Stop(ctx context.Context) {
	if s.passed.Load() {
		return
	}
	close(s.stop)
	for s.settle() > 0 && ctx.Err() == nil {
		select {
		case <-s.settled:
		case <-ctx.Done():
		}
	}
	s.cut()
	for _, l := range s.lanes {
		l.close()
		l.settle()
		l.buryRest("the server has stopped")
		l.listener.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tellLocked()
}

// HandedOver ends the Sender in place of Stop, as the Dispatcher was handed over: the successor posts what the hook has
// not taken. What is under way is cut, and is posted there again, marked. All goroutines of the Sender have ended then.
func (s *Sender) HandedOver() {
	s.passed.Store(true)
	close(s.stop)
	s.cut()
	for _, l := range s.lanes {
		l.close()
	}
}

// settle tells the Dispatcher what has become of events, and returns how many are left.
func (s *Sender) settle() (left int) {
	for _, l := range s.lanes {
		l.settle()
		l.listener.Resume()
		left += l.listener.Unacknowledged()
	}
	return left
}

// Stats tells how it goes, on any goroutine.
func (s *Sender) Stats() SenderStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Open = s.breaker.pause > 0
	return stats
}

// count changes the counters.
func (s *Sender) count(f func(*SenderStats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.stats)
}

// admit tells how long nothing may be posted; 0: it may be, and then post is called.
func (s *Sender) admit() (wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.breaker.allow(now) {
		return 0
	}
	return jitter(2 * max(s.breaker.until.Sub(now), firstBackOff)) // another lane tries if it is not open any more
}

// post makes one request, and notes whether the hook is there.
func (s *Sender) post(b *batch) (Answer, error) {
	a, err := s.options.Post(s.posting, b.body())
	s.mu.Lock()
	defer s.mu.Unlock()
	away := err != nil && s.posting.Err() == nil || err == nil && a.Status >= 500
	switch changed := s.breaker.done(time.Now(), away); {
	case changed && away:
		s.options.Log.Warn("lineman: a hook is away: events wait", "hook", s.options.Name, "error", s.reason(a, err))
	case changed:
		s.options.Log.Info("lineman: a hook is back", "hook", s.options.Name)
	}
	return a, err
}

// reason is why events were not taken.
func (s *Sender) reason(a Answer, err error) string {
	switch {
	case s.posting.Err() != nil:
		return "the server has stopped"
	case err != nil:
		return err.Error()
	}
	return fmt.Sprintf("the answer is %d %s", a.Status, http.StatusText(a.Status))
}

// isStopped reports whether what is posted now is posted for the last time.
func (s *Sender) isStopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// pause waits, unless the Sender is stopped.
func (s *Sender) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.stop:
	}
}

// backOff is how long to wait at most after so many requests that failed.
func backOff(tries int) time.Duration {
	return min(firstBackOff<<min(tries-1, 16), longestBackOff)
}

// jitter is half of a time to all of it, so that those who wait do not come at once.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// bury writes events to the dead letters. An error was told.
func (s *Sender) bury(b *batch, why string) error {
	err := s.options.DeadLetters.add(s.options.Name, why, time.Now(), b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.stats.DeadLetters += uint64(b.len())
		s.untold += b.len()
	}
	if time.Since(s.told) >= tellEvery {
		if err != nil {
			s.told = time.Now()
			s.options.Log.Error("lineman: dead letters of a hook cannot be written", "hook", s.options.Name,
				"error", err)
		}
		s.tellLocked("error", why)
	}
	return err
}

// lose counts events of which nothing is left.
func (s *Sender) lose(n int) {
	s.count(func(stats *SenderStats) { stats.Lost += uint64(n) })
	s.options.Log.Error("lineman: events of a hook are lost", "hook", s.options.Name, "events", n)
}

// tellLocked tells of the dead letters since it was told last.
func (s *Sender) tellLocked(more ...any) {
	if s.untold == 0 {
		return
	}
	s.options.Log.Warn("lineman: a hook has not taken events: they are in its file of dead letters",
		append([]any{"hook", s.options.Name, "events", s.untold}, more...)...)
	s.told, s.untold = time.Now(), 0
}
