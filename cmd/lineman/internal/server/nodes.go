package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/admin"
	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
	"github.com/lineman-go/lineman/push"
)

// A dashboard shows all processes that a Broker joins, or all loops of a process. While somebody looks, the process
// whose dashboard it is asks all of them each second. Else nothing is told.
//
//	page ◀── Report, each second ── first Server ── Hub.Inquire ──▶ the Server of each process
//	                                             └─ Loop.Do ──────▶ the Server of each loop

// nodes are those that the dashboard of this process shows. Owned by the loop of the first Server.
type nodes struct {
	name    string // of this process, for people
	heard   *figures.Nodes
	reached time.Time // since when others can be, as far as anybody has looked; zero: they cannot
	asked   time.Time // when all were asked last
}

// askEvery is how often all are asked, how many pages of the dashboard are open. These come each second.
const askEvery = 900 * time.Millisecond

// newNodes makes it for a process that has a port for operators at an address; nil: it has none.
func newNodes(at net.Addr) nodes {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	name := fmt.Sprint(host, ", process ", os.Getpid())
	if at != nil {
		_, port, _ := net.SplitHostPort(at.String())
		name = net.JoinHostPort(host, port)
	}
	return nodes{name: name, heard: figures.NewNodes()}
}

// inquiry is what a process asks all: how they are or, if there is a Target, which connections it has.
type inquiry struct {
	Past bool        `json:"past,omitempty"` // they tell of the last hour, too
	Find push.Target `json:"find,omitempty"`
	Most int         `json:"most,omitempty"` // connections that are told
}

// inquired is what this Server says to an inquiry.
func (s *Server) inquired(what json.RawMessage) json.RawMessage {
	var q inquiry
	if json.Unmarshal(what, &q) != nil {
		return nil
	}
	var said any = s.word(q.Past)
	if q.Find != "" {
		said = s.findHere(q.Find, q.Most)
	}
	text, err := json.Marshal(said)
	if err != nil { // it can always be written
		return nil
	}
	return text
}

// mostRefusals is how many a process tells others of.
const mostRefusals = 20

// word is what this Server tells of itself: of its loop where there are several, else of the process.
func (s *Server) word(past bool) *figures.Word {
	now, one := time.Now(), s.first()
	w := &figures.Word{
		Node:  figures.Node{ID: s.hub.ID(), Name: one.nodes.name, Version: lineman.Version()},
		Clock: now.UnixMilli(),
	}
	w.Node.Groups, w.Node.Hooks = s.figuring.recorder.Groups(), s.figuring.recorder.Hooks()
	if !s.ready {
		w.Node.State = figures.Leaving
	}
	if len(one.others) > 0 {
		w.Node.Name = fmt.Sprint("loop ", slices.Index(one.all(), s))
		w.Node.State, w.Node.Now = cmp.Or(w.Node.State, figures.Live), s.figuring.meter.Now()
		w.Slow = s.queued.slow.Clone()
		return w
	}
	counts, refusals := s.figuring.tally.Counts(), s.guard.newestRefusals()
	w.Node.Now, w.Top, w.Slow = s.figuring.recorder.Now(), counts.Top(), s.queued.slow.Clone()
	w.Refusals = refusals[:min(mostRefusals, len(refusals))]
	if past {
		series := s.figuring.recorder.Series()
		w.Past = &series
	}
	return w
}

// look gives what all have told of themselves, and asks them anew if that is due.
func (s *Server) look(now time.Time) []figures.Word {
	n := &s.nodes
	switch up := s.hub.Linked(); {
	case !up:
		n.reached = time.Time{}
	case n.reached.IsZero():
		n.reached = now
	}
	n.heard.Hear(s.word(false), now)
	if s.options.Broker != nil && now.Sub(n.asked) >= askEvery {
		n.asked = now
		s.askAll(inquiry{}, func(said map[string]json.RawMessage, _ error) { s.hear(said) })
	}
	return n.heard.Words(now, n.reached)
}

// askAll asks all, this Server too. done is called on the loop, with an error if some may be missing.
func (s *Server) askAll(q inquiry, done func(said map[string]json.RawMessage, err error)) {
	what, err := json.Marshal(q)
	if err != nil { // it can always be written
		done(nil, err)
		return
	}
	s.hub.Inquire(what, func(said map[string]json.RawMessage, err error) {
		if errors.Is(err, push.ErrUnlinked) {
			said = map[string]json.RawMessage{s.hub.ID(): s.inquired(what)}
		}
		done(said, err)
	})
}

// hear takes the words of others, and gives what they tell of the past, by their IDs.
func (s *Server) hear(said map[string]json.RawMessage) map[string]figures.Series {
	now, past := time.Now(), make(map[string]figures.Series)
	for id, text := range said {
		w := &figures.Word{}
		if json.Unmarshal(text, w) != nil {
			continue // another version says it
		}
		w.Node.ID = id
		if w.Past != nil {
			w.Past.Shift(now.Sub(time.UnixMilli(w.Clock)))
			past[id], w.Past = *w.Past, nil
		}
		s.nodes.heard.Hear(w, now)
	}
	return past
}

// errSilent is the error of what was not answered in time.
var errSilent = errors.New("the server has not answered in time")

// inquire is askAll for a goroutine. take is called on the loop with what is said.
func (s *Server) inquire(
	ctx context.Context, q inquiry, take func(map[string]json.RawMessage),
) (whole bool, err error) {
	answered := make(chan error, 1)
	asked := s.loop.Do(func() {
		s.askAll(q, func(said map[string]json.RawMessage, err error) {
			take(said)
			answered <- err
		})
	})
	if !asked {
		return false, errSilent
	}
	select {
	case err := <-answered:
		return err == nil, nil
	case <-ctx.Done():
		return false, errSilent
	}
}

// Past is the last hour of each process, by its ID, and of all together, by "". Then all are known that have answered.
// It is called on a goroutine.
func (s *Server) Past(ctx context.Context) (map[string]figures.Series, error) {
	if s.options.Broker == nil {
		own, err := ask(s.loop, s.figuring.recorder.Series)
		return map[string]figures.Series{"": own}, err
	}
	heard := make(chan map[string]figures.Series, 1)
	_, err := s.inquire(ctx, inquiry{Past: true}, func(said map[string]json.RawMessage) { heard <- s.hear(said) })
	if err != nil {
		return nil, err
	}
	past := <-heard
	all := []figures.Series{}
	for _, one := range past {
		all = append(all, one)
	}
	past[""] = figures.Together(all)
	return past, nil
}

// find tells of connections of a target, on all nodes, of so many at the most. whole reports whether all have answered.
func (s *Server) find(ctx context.Context, of push.Target, most int) (conns []admin.Conn, whole bool, err error) {
	heard := make(chan map[string]json.RawMessage, 1)
	whole, err = s.inquire(ctx, inquiry{Find: of, Most: most}, func(said map[string]json.RawMessage) { heard <- said })
	if err != nil {
		return nil, false, err
	}
	conns = []admin.Conn{}
	for _, text := range <-heard {
		var found []admin.Conn
		if json.Unmarshal(text, &found) != nil {
			whole = false
		}
		conns = append(conns, found...)
	}
	slices.SortStableFunc(conns, func(a, b admin.Conn) int {
		return cmp.Or(cmp.Compare(a.UID, b.UID), a.Since.Compare(b.Since), cmp.Compare(a.Conn, b.Conn))
	})
	return conns[:min(most, len(conns))], whole, nil
}

// maxFound is how many connections a Server tells of at once, and maxFoundPlaces how many groups and channels of these.
const (
	maxFound       = 100
	maxFoundPlaces = 2000
)

// findHere tells of connections of a target on this loop.
func (s *Server) findHere(of push.Target, most int) []admin.Conn {
	found, places := []admin.Conn{}, 0
	for m := range s.hub.Members(of) {
		if len(found) >= min(most, maxFound) || places >= maxFoundPlaces {
			break
		}
		one := s.describe(m)
		places += len(one.Groups) + len(one.Channels)
		found = append(found, one)
	}
	return found
}
