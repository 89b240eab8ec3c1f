package journal

import (
	"time"
)

// pause is that between two attempts to get a journal that a predecessor has.
const pause = 5 * time.Millisecond

// slowPause is that after a journal could not be read.
const slowPause = time.Second

// run does what is asked for. w is nil if a predecessor has the journal.
func (j *Journal) run(w *writer) {
	defer close(j.closed)
	defer j.unlock()
	if w == nil {
		if w = j.await(); w == nil {
			return
		}
	}
	var due <-chan time.Time
	for {
		if w.unsynced && due == nil && w.syncing == nil && j.options.Sync > 0 {
			due = time.After(j.options.Sync)
		}
		select {
		case r := <-j.requests:
			r.done(w.append(r.batch))
		case <-due:
			if due = nil; w.unsynced && w.syncing == nil {
				w.beginSync()
			}
		case err := <-w.syncing:
			_ = w.synced(err) // it was logged, and what comes next is refused until it works again
		case <-j.closing:
			select {
			case r := <-j.requests:
				r.done(w.append(r.batch))
			default:
			}
			w.end()
			return
		}
	}
}

// await waits until a predecessor gives the journal up; nil: it is not wanted any longer.
func (j *Journal) await() *writer {
	began, told := time.Now(), false
	for wait := pause; ; {
		select {
		case <-j.closing:
			return nil
		case <-time.After(wait):
		}
		w, err := j.tryOpen()
		switch {
		case err != nil:
			j.options.Log.Error("lineman: the journal cannot be opened: what is to be kept has to wait", "error", err)
			wait = slowPause
		case w != nil:
			return w
		case !told && time.Since(began) > 5*time.Second:
			told = true
			j.options.Log.Warn("lineman: a predecessor still has the journal: what is to be kept has to wait",
				"process", j.lock.owner().pid)
		}
	}
}

// unlock passes the journal on.
func (j *Journal) unlock() {
	if j.lock == nil {
		return // that of a test
	}
	if err := j.lock.file.Close(); err != nil {
		j.options.Log.Warn("lineman: the journal cannot be unlocked", "error", err)
	}
}
