package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/lineman-go/lineman/push"
)

// Options are what a Journal needs.
type Options struct {
	// Folder is where it is. It is made, for nobody else to enter, if it is not there.
	Folder string

	// Sync is how long it takes, at most, until what was appended outlives a power cut; 0 means 50 ms. With Always it
	// does when it is answered, with Never when the system likes. Whatever it is, it outlives the process when it is
	// answered.
	Sync time.Duration

	Log *slog.Logger // nil means slog.Default()
}

// Values of Options.Sync.
const (
	Always time.Duration = -1
	Never  time.Duration = -2
)

// defaultSync is Options.Sync where nothing is said.
const defaultSync = 50 * time.Millisecond

// ErrLocked matches the error of Open for a journal that another server has.
var ErrLocked = errors.New("another server has this journal")

// errClosed is that of a batch after Close.
var errClosed = errors.New("journal: it was passed on")

// Journal is a push.Journal over a folder. Its methods may be called from any goroutine.
type Journal struct {
	options  Options
	files    files
	boot     string
	sizes    sizes
	lock     *lock
	self     owner
	requests chan request
	closing  chan struct{} // closed by Close
	closed   chan struct{} // closed when it was passed on
	once     sync.Once
	stats    stats

	mu        sync.Mutex // guards the following
	recovered *push.Recovered
	told      func(push.Recovered) // wants it
}

// sizes say how large files become.
type sizes struct {
	segment  int64 // bytes of one, about
	extra    int64 // it is compacted when all have so much more than twice what is kept
	segments int64 // or when they are more
}

// defaultSizes bound how much there is to read at a start.
var defaultSizes = sizes{segment: 16 << 20, extra: 32 << 20, segments: 64}

// request is a batch to append.
type request struct {
	batch push.Batch
	done  func(error)
}

// Open opens a journal. If another process of the same server has it, which this one succeeds, it is opened as soon as
// that has closed it, or has ended. An error says what to do.
func Open(o Options) (*Journal, error) { return open(o, me()) }

func open(o Options, as owner) (*Journal, error) {
	j := newJournal(o, folder(o.Folder), bootID())
	j.self = as
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %s: %w", o.Folder, bare(err))
	}
	var err error
	if j.lock, err = openLock(o.Folder); err != nil {
		return nil, fmt.Errorf("journal: %s: %w", o.Folder, bare(err))
	}
	w, err := j.tryOpen()
	if err != nil {
		return nil, fmt.Errorf("journal: %s: %w", o.Folder, errors.Join(bare(err), j.lock.file.Close()))
	}
	go j.run(w)
	return j, nil
}

func newJournal(o Options, f files, boot string) *Journal {
	if o.Sync == 0 {
		o.Sync = defaultSync
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Journal{
		options: o, files: f, boot: boot, sizes: defaultSizes,
		requests: make(chan request, 1), closing: make(chan struct{}), closed: make(chan struct{}),
	}
}

// patience is how long a process may take to say who it is, when it has taken the lock.
const patience = time.Second

// tryOpen opens it; nil: a predecessor still has it.
func (j *Journal) tryOpen() (*writer, error) {
	for late := time.Now().Add(patience); ; time.Sleep(pause) {
		taken, err := j.lock.take(j.self)
		if err != nil {
			return nil, err
		}
		if taken {
			return j.load()
		}
		switch other := j.lock.owner(); {
		case other.pid == 0 && time.Now().Before(late):
		case other.master == j.self.master && other.pid != 0 && other.pid != j.self.pid:
			return nil, nil
		default:
			return nil, fmt.Errorf("%w: its process is %d: stop that, or have each keep a journal of its own",
				ErrLocked, other.pid)
		}
	}
}

// load reads what is there, and tells it.
func (j *Journal) load() (*writer, error) {
	all, err := readAll(j.files)
	if err != nil {
		return nil, err
	}
	found, err := examine(all, j.boot)
	if err != nil {
		return nil, err
	}
	for _, note := range found.notes {
		j.options.Log.Warn("lineman: the journal: " + note)
	}
	for _, number := range found.unbegun {
		if err := j.files.Remove(segmentName(number)); err != nil {
			return nil, err
		}
	}
	if found.last > 0 {
		if err := j.files.Sync(segmentName(found.last)); err != nil {
			return nil, err
		}
	}
	isNew := found.epoch == ""
	if isNew {
		found.epoch = push.NewEpoch()
		if len(found.records) > 0 {
			j.options.Log.Warn("lineman: the journal may have lost something: its positions begin anew")
		}
	}
	w := j.newWriter(all, found)
	if isNew {
		_ = w.begin() // the epoch is there before it is told; a failure was logged, and the first batch tries again
	}
	j.tell(push.Recovered{Epoch: found.epoch, Records: found.records})
	return w, nil
}

func (j *Journal) newWriter(all []stored, found finding) *writer {
	w := &writer{
		files: j.files, most: j.sizes.segment, log: j.options.Log, stats: &j.stats, sizes: make(map[uint64]int64),
		header: header{epoch: found.epoch, boot: j.boot, always: j.options.Sync == Always},
		number: found.last, size: int64(found.end), ended: found.ended, first: found.last + 1,
	}
	for _, s := range all {
		if s.number <= found.last {
			w.first = min(w.first, s.number)
			w.sizes[s.number] = int64(len(s.bytes))
			j.stats.bytes.Add(int64(len(s.bytes)))
		}
	}
	j.stats.segments.Store(int64(len(w.sizes)))
	return w
}

// Recover is that of push.Journal.
func (j *Journal) Recover(done func(push.Recovered)) {
	j.mu.Lock()
	had := j.recovered
	if j.recovered = nil; had == nil {
		j.told = done
	}
	j.mu.Unlock()
	if had != nil {
		done(*had)
	}
}

// tell has what was recovered be told.
func (j *Journal) tell(had push.Recovered) {
	j.mu.Lock()
	told := j.told
	if told == nil {
		j.recovered = &had
	}
	j.mu.Unlock()
	if told != nil {
		told(had)
	}
}

// Append is that of push.Journal.
func (j *Journal) Append(b push.Batch, done func(error)) {
	select {
	case <-j.closing:
		go done(errClosed)
	default:
		j.requests <- request{b, done} // there is room for one
	}
}

// IsOvergrown is that of push.Journal.
func (j *Journal) IsOvergrown(kept int) bool {
	s, most := &j.stats, j.sizes
	return s.bytes.Load() > 2*int64(kept)+most.extra || s.segments.Load() > most.segments || s.doubtful.Load()
}

// Close is that of push.Journal.
func (j *Journal) Close() { j.once.Do(func() { close(j.closing) }) }

// Wait waits until a journal that is being closed was passed on, but no longer than a time.
func (j *Journal) Wait(atMost time.Duration) {
	select {
	case <-j.closed:
	case <-time.After(atMost):
	}
}
