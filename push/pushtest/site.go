package pushtest

import (
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// A Page is a connection that crosses from Hub to Hub. Owned by the loop of the Site that has it.
type Page struct {
	Got  []string // what was published for it
	Gaps int
	Told []string // what else it was told

	id uint64
}

// ID is that of the connection.
func (p *Page) ID() uint64 { return p.id }

// A Site is a node, and a Hub: in a handover another one takes its place.
type Site struct {
	Loop *Loop
	Hub  *push.Hub[*Page]

	// Owned by the loop.
	Ups, Downs int      // of the link
	Rolled     []string // changes of rolls

	t      *testing.T
	broker push.Broker
}

// NewSite makes a node that lives until the end of the test. One that succeeds is there to be handed over to.
func NewSite(t *testing.T, b push.Broker, succeeds bool) *Site {
	t.Helper()
	s := &Site{Loop: NewLoop(t), t: t, broker: b}
	var timers sync.WaitGroup
	ended := make(chan struct{})
	t.Cleanup(timers.Wait)
	t.Cleanup(func() { close(ended) })
	kept := push.Retention{Size: 5000, TTL: time.Minute}
	options := push.Options[*Page]{
		Do: s.Loop.Do, Broker: b, Succeeds: succeeds, Followers: s, MaxRecover: 10_000, MaxPlaces: 10_000,
		Fanout: fanout,
		After: func(d time.Duration, f func()) {
			timers.Add(1)
			go func() {
				defer timers.Done()
				select {
				case <-time.After(d):
					s.Loop.Do(f)
				case <-ended:
				}
			}()
		},
		Linked: func(up bool) {
			if up {
				s.Ups++
			} else {
				s.Downs++
			}
		},
		Namespaces: map[string]push.Namespace{"chat": {History: kept, Presence: push.PresenceEvents}}, UIDHistory: kept,
		PresenceChanged: func(to iter.Seq[*Page], in push.Target, e push.PresenceEvent) {
			tell(to, fmt.Sprint(in, e.UID, e.Here))
		},
		PresenceRenewed: func(to iter.Seq[*Page], in push.Target, _ push.Presence) {
			tell(to, fmt.Sprint(in, " is renewed"))
		},
		RollChanged: func(r push.Roll, name string, here bool) {
			s.Rolled = append(s.Rolled, fmt.Sprint(r, " ", name, " ", here))
		},
	}
	s.Loop.Await(func() {
		var err error
		s.Hub, err = push.New(options)
		s.Check(err)
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() { s.Loop.Do(s.Hub.Close) })
	return s
}

// fanout gives a message to those that do not follow.
func fanout(to iter.Seq[*Page], msg []byte, _ *push.Forms) (n int) {
	for c := range to {
		c.Got = append(c.Got, string(msg))
		n++
	}
	return n
}

func tell(to iter.Seq[*Page], what string) {
	for c := range to {
		c.Told = append(c.Told, what)
	}
}

// Since, and what follows, are those of push.Followers.
func (s *Site) Since(*Page, push.Target) push.Since { return push.Since{} }

// Begun has a page follow a target.
func (s *Site) Begun(c *Page, _ push.Target, r push.Recovery) {
	if r.Gap != "" {
		c.Gaps++
	}
}

// Published gives pages a message.
func (s *Site) Published(to iter.Seq[*Page], _ push.Target, m push.Stored) int {
	return fanout(to, m.Data, nil)
}

// Missed tells pages of a gap.
func (s *Site) Missed(to iter.Seq[*Page], _ push.Target, _ push.Gap, _ push.Position) {
	for c := range to {
		c.Gaps++
	}
}

// Passed is of no interest here.
func (s *Site) Passed(*Page, push.Target, push.Position) {}

// Ended is likewise.
func (s *Site) Ended(*Page, push.Target) {}

// Add has a page come, to some groups and channels.
func (s *Site) Add(id uint64, uid string, follows bool, places ...push.Target) *Page {
	s.t.Helper()
	c := &Page{id: id}
	s.Loop.Await(func() {
		add := s.Hub.Add
		if follows {
			add = s.Hub.AddFollower
		}
		m, err := add(c, uid)
		for _, place := range places {
			if kind, name := place.Split(); err == nil && kind == push.ToGroup {
				err = m.Join(name)
			} else if err == nil {
				err = m.Subscribe(name)
			}
		}
		s.Check(err)
	})
	return c
}

// Until waits until something holds on the loop.
func (s *Site) Until(what string, holds func() bool) {
	s.t.Helper()
	if !until(func() (held bool) { s.Loop.Await(func() { held = holds() }); return held }) {
		s.t.Fatalf("it never holds: %s", what)
	}
}

// Check fails the test if there is an error.
func (s *Site) Check(err error) {
	if err != nil {
		s.t.Error(err)
	}
}

// A Note is something to be published.
type Note struct {
	To   []push.Target
	Text string
}

// Publish publishes, and returns what became of each.
func (s *Site) Publish(notes ...Note) []push.Outcome {
	outcomes, done := make([]push.Outcome, len(notes)), make(chan struct{}, len(notes))
	s.Loop.Do(func() {
		for i, note := range notes {
			s.Check(s.Hub.Publish(push.Message[*Page]{To: note.To, Data: []byte(note.Text)}, func(o push.Outcome) {
				outcomes[i] = o
				done <- struct{}{}
			}))
		}
	})
	for range notes {
		<-done
	}
	return outcomes
}

// HandOver hands the nodes of a process over to another one, over a Broker of its own. It calls before when the other
// one has all, and nothing is given up yet.
func HandOver(from []*Site, by push.Broker, before func()) (to []*Site) {
	t := from[0].t
	t.Helper()
	for range from {
		to = append(to, NewSite(t, by, true))
	}
	over := false
	still(from, func() {
		if over = cross(from, to); over {
			before()
			for i := range from {
				to[i].Loop.Do(to[i].Hub.Restored)
				from[i].Hub.HandedOver(func(*Page) bool { return true })
			}
		}
	})
	if !over {
		t.FailNow() // nobody would ever begin
	}
	return to
}

// cross has others know what nodes know, which give nothing up, and reports whether they do.
func cross(from, to []*Site) (known bool) {
	known = true
	check := func(err error) {
		from[0].Check(err)
		known = known && err == nil
	}
	check(from[0].Hub.SaveBrokerState(func(part []byte) (err error) {
		to[0].Loop.Await(func() { err = to[0].Hub.RestoreBrokerState(part) })
		return err
	}))
	for i, s := range from {
		state, err := s.Hub.AppendState(nil)
		check(err)
		to[i].Loop.Await(func() {
			check(to[i].Hub.RestoreState(state))
			for m := range s.Hub.Members(push.Everyone) {
				member, err := s.Hub.AppendMember(nil, m)
				check(err)
				_, err = to[i].Hub.RestoreMember(m.Conn(), member)
				check(err)
			}
		})
	}
	return known
}

// still runs something while the loops of some nodes stand still.
func still(sites []*Site, f func()) {
	if len(sites) == 0 {
		f()
		return
	}
	sites[0].Loop.Await(func() { still(sites[1:], f) })
}
