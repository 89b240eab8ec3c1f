package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// mostStreams is how many streams there are at a time: each takes a goroutine, and the loop a moment a second.
const mostStreams = 32

// stream is an answer of server-sent events.
type stream struct {
	w    http.ResponseWriter
	push *http.ResponseController
}

// open begins a stream, unless there are too many. The caller calls end if it is not nil.
func (d *Dashboard) open(w http.ResponseWriter) (s *stream, end func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.streams == mostStreams {
		http.Error(w, "too many pages of the dashboard are open: close one of them", http.StatusTooManyRequests)
		return nil, nil
	}
	d.streams++
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // a proxy passes each event on at once
	return &stream{w, http.NewResponseController(w)}, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.streams--
	}
}

// send sends an event, and waits for the browser to take those before it.
func (s *stream) send(event string, data []byte) error {
	if _, err := fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", event, data); err != nil {
		return err
	}
	return s.push.Flush()
}

// live tells the figures: first those of the last hour, and then each second what is new, until the page goes.
func (d *Dashboard) live(w http.ResponseWriter, r *http.Request, s *session) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	past, err := d.options.Past(ctx)
	cancel()
	if err != nil {
		http.Error(w, errBusy.Error(), http.StatusServiceUnavailable)
		return
	}
	out, end := d.open(w)
	if out == nil {
		return
	}
	defer end()
	if err = out.tell("past", past); err != nil {
		return
	}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		now, err := d.options.Now()
		if err != nil || !d.isGood(s) || out.tell("report", d.shown(now, s)) != nil {
			return // the page comes again
		}
		select {
		case <-second.C:
		case <-r.Context().Done():
			return
		case <-d.ctx.Done():
			return
		}
	}
}

// shown is a report without the names of pages, unless the session may read them.
func (d *Dashboard) shown(all figures.Report, s *session) figures.Report {
	if p := s.login.permit; !s.may(command.Read) || p != nil && len(p.Targets) > 0 {
		all.Top, all.Slow = figures.Top{}, nil
	}
	return all
}

// tell is send of a value as JSON.
func (s *stream) tell(event string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.send(event, data)
}

// followed is a command.Stream: the events of a target, on their way to a page.
type followed struct {
	lines chan []byte
	full  atomic.Bool // one found no room

	// Owned by the loop.
	watching *command.Watching // nil before it begins
	ended    bool
}

// roomFollowed is how many events may wait for the page; it is told how many more it has missed.
const roomFollowed = 64

// Begin is that of command.Stream. The page may have gone meanwhile.
func (f *followed) Begin(w *command.Watching) {
	if f.watching = w; f.ended {
		w.End()
	}
}

// Send is that of command.Stream.
func (f *followed) Send(event []byte) bool {
	select {
	case f.lines <- slices.Clone(event):
		return true
	default:
		f.full.Store(true)
		return false
	}
}

func (f *followed) resume() {
	if f.watching != nil {
		f.watching.Resume()
	}
}

func (f *followed) end() {
	f.ended = true
	if f.watching != nil {
		f.watching.End()
	}
}

// stillThere is how often a stream says something, so that who has gone is found out.
const stillThere = 15 * time.Second

// follow tells what is published for a target, and to whom it goes, until the page goes.
func (d *Dashboard) follow(w http.ResponseWriter, r *http.Request, s *session) {
	to := push.Target(r.URL.Query().Get("to"))
	if !d.mayAbout(w, s, command.Watch, to) {
		return
	}
	f := &followed{lines: make(chan []byte, roomFollowed)}
	defer d.options.Loop.Do(f.end)
	body, err := json.Marshal(map[string]any{"to": to})
	if err != nil {
		return // it is text
	}
	reply, err := d.run(r.Context(), "watch", body, command.Caller{Permit: s.login.permit, Stream: f})
	d.audit(r, s, "watch", body, reply, err)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	case reply.Error != nil:
		http.Error(w, reply.Error.Text, http.StatusConflict)
		return
	}
	out, end := d.open(w)
	if out == nil {
		return
	}
	defer end()
	if out.send("begun", body) != nil {
		return
	}
	d.pass(r, s, f, out)
}

// pass passes events on.
func (d *Dashboard) pass(r *http.Request, s *session, f *followed, out *stream) {
	beat := time.NewTicker(stillThere)
	defer beat.Stop()
	for {
		var err error
		select {
		case line := <-f.lines:
			err = out.send("step", line)
		case <-beat.C:
			err = out.send("beat", []byte("{}"))
		case <-r.Context().Done():
			return
		case <-d.ctx.Done():
			return
		}
		if err != nil || !d.isGood(s) {
			return
		}
		if f.full.CompareAndSwap(true, false) {
			d.options.Loop.Do(f.resume)
		}
	}
}
