package redis_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
	"github.com/lineman-go/lineman/push/redis"
)

// page is a connection that crosses from Hub to Hub. Owned by the loop of the process that has it.
type page struct {
	id   uint64
	got  []string // "PUBLISHER NUMBER", each once
	gaps int
	told []string // what else it was told
}

func (p *page) ID() uint64 { return p.id }

// process has a Hub, which is a node until its successor is.
type process struct {
	t      *testing.T
	broker *redis.Broker
	loop   *pushtest.Loop
	hub    *push.Hub[*page]

	// Owned by the loop.
	ups, downs int
	rolled     []string
}

func startProcess(t *testing.T, o redis.Options, succeeds bool) *process {
	t.Helper()
	p := &process{t: t, broker: newBroker(t, o), loop: pushtest.NewLoop(t)}
	var timers sync.WaitGroup
	ended := make(chan struct{})
	t.Cleanup(timers.Wait)
	t.Cleanup(func() { close(ended) })
	p.loop.Await(func() {
		hub, err := push.New(push.Options[*page]{
			Do: p.loop.Do, Broker: p.broker, Succeeds: succeeds, Followers: p, MaxRecover: 10_000,
			MaxPlaces: 10_000,
			Fanout: func(to iter.Seq[*page], msg []byte, _ *push.Forms) (n int) {
				for c := range to {
					c.got = append(c.got, string(msg))
					n++
				}
				return n
			},
			After: func(d time.Duration, f func()) {
				timers.Add(1)
				go func() {
					defer timers.Done()
					select {
					case <-time.After(d):
						p.loop.Do(f)
					case <-ended:
					}
				}()
			},
			Linked: func(up bool) {
				if up {
					p.ups++
				} else {
					p.downs++
				}
			},
			Namespaces: map[string]push.Namespace{
				"chat": {History: push.Retention{Size: 5000, TTL: time.Minute}, Presence: push.PresenceEvents},
			},
			UIDHistory: push.Retention{Size: 5000, TTL: time.Minute},
			PresenceChanged: func(to iter.Seq[*page], in push.Target, e push.PresenceEvent) {
				for c := range to {
					c.told = append(c.told, fmt.Sprint(in, e.UID, e.Here))
				}
			},
			PresenceRenewed: func(to iter.Seq[*page], in push.Target, _ push.Presence) {
				for c := range to {
					c.told = append(c.told, fmt.Sprint(in, " is renewed"))
				}
			},
			RollChanged: func(r push.Roll, name string, here bool) {
				p.rolled = append(p.rolled, fmt.Sprint(r, " ", name, " ", here))
			},
		})
		if err != nil {
			t.Error(err)
			return
		}
		p.hub = hub
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() { p.loop.Do(p.hub.Close) })
	return p
}

// Since, and what follows, are those of push.Followers.
func (p *process) Since(*page, push.Target) push.Since { return push.Since{} }

func (p *process) Begun(c *page, _ push.Target, r push.Recovery) {
	if r.Gap != "" {
		c.gaps++
	}
}

func (p *process) Published(to iter.Seq[*page], _ push.Target, s push.Stored) (n int) {
	for c := range to {
		c.got = append(c.got, string(s.Data))
		n++
	}
	return n
}

func (p *process) Missed(to iter.Seq[*page], _ push.Target, _ push.Gap, _ push.Position) {
	for c := range to {
		c.gaps++
	}
}

func (p *process) Passed(*page, push.Target, push.Position) {}

func (p *process) Ended(*page, push.Target) {}

// add has a page come.
func (p *process) add(id uint64, uid string, follows bool, places ...push.Target) *page {
	p.t.Helper()
	c := &page{id: id}
	p.loop.Await(func() {
		add := p.hub.Add
		if follows {
			add = p.hub.AddFollower
		}
		m, err := add(c, uid)
		for _, place := range places {
			if kind, name := place.Split(); err == nil && kind == push.ToGroup {
				err = m.Join(name)
			} else if err == nil {
				err = m.Subscribe(name)
			}
		}
		if err != nil {
			p.t.Error(err)
		}
	})
	return c
}

// until waits until something holds on the loop.
func (p *process) until(what string, holds func() bool) {
	p.t.Helper()
	linemantest.Until(p.t, "it never holds: "+what, func() (held bool) {
		p.loop.Await(func() { held = holds() })
		return held
	})
}

// handOver hands all over to another process, whose loop runs when before has returned.
func (p *process) handOver(o redis.Options, before func(to *process)) *process {
	p.t.Helper()
	to := startProcess(p.t, o, true)
	p.loop.Await(func() {
		broker, err := p.hub.AppendBrokerState(nil)
		if err != nil {
			p.t.Error(err)
			return
		}
		state, err := p.hub.AppendState(nil)
		p.check(err)
		to.loop.Await(func() {
			p.check(to.hub.RestoreBrokerState(broker))
			p.check(to.hub.RestoreState(state))
			for m := range p.hub.Members(push.Everyone) {
				member, err := p.hub.AppendMember(nil, m)
				p.check(err)
				_, err = to.hub.RestoreMember(m.Conn(), member)
				p.check(err)
			}
		})
		before(to)
		to.loop.Do(to.hub.Restored)
		p.hub.HandedOver(func(*page) bool { return true })
	})
	return to
}

func (p *process) check(err error) {
	if err != nil {
		p.t.Error(err)
	}
}

// site is a node, whatever process it has now.
type site struct {
	mu  sync.Mutex // guards the following
	now *process
}

func (s *site) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// kinds are the targets of publications.
var kinds = [][]push.Target{
	{"chat:1"}, {"plain:1"}, {"u:ann"}, {"chat:2", "g:all", "u:bob"}, {push.Everyone}, {"plain:1", "chat:1", "chat:2"},
}

// publish publishes some of all kinds, and gives what became of each. What a process refuses as it has handed over its
// successor gets.
func (s *site) publish(name string, first, n int) []push.Outcome {
	outcomes := make([]push.Outcome, n)
	for left := n; left > 0; {
		p, done := s.process(), make(chan struct{}, n)
		begin := n - left
		p.loop.Do(func() {
			for i := begin; i < n; i++ {
				to, data := kinds[(first+i)%len(kinds)], fmt.Appendf(nil, "%s %d", name, first+i)
				m := push.Message[*page]{To: to, Data: data}
				p.check(p.hub.Publish(m, func(o push.Outcome) {
					outcomes[i] = o
					done <- struct{}{}
				}))
			}
		})
		for range left {
			<-done
		}
		for left = 0; left < n && errors.Is(outcomes[n-left-1].Err, push.ErrClosed); {
			left++
		}
	}
	return outcomes
}

// TestHandoverHubs hands three nodes over in turn, while all publish for all, and compares with what was before: all
// connections get all, once and in order, all is answered, and nobody is told of anything else.
func TestHandoverHubs(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	o := redis.Options{Addresses: []string{s.address()}}
	var sites [3]site
	var pages []*page
	of := make(map[*page]*site)
	for i := range sites {
		p := startProcess(t, o, false)
		sites[i].now = p
		p.until("the link is up", func() bool { return p.hub.Linked() })
		for j, follows := range []bool{false, true, true} {
			id := uint64(10*i + j + 1)
			c := p.add(id, []string{"ann", "bob", "cid"}[j], follows, "g:all", "chat:1", "chat:2", "plain:1")
			pages, of[c] = append(pages, c), &sites[i]
		}
		many := make([]push.Target, 3000) // so that to subscribe takes some time
		for j := range many {
			many[j] = push.Group(fmt.Sprint("many", j))
		}
		p.add(uint64(10*i+9), "", false, many...)
	}
	sites[0].now.loop.Await(func() { sites[0].now.hub.Roll(push.RollUIDs, true) })
	sites[0].now.until("the roll is read", func() (read bool) {
		sites[0].now.hub.ListRoll(push.RollUIDs, func(names []string, err error) { read = len(names) == 3 })
		return read
	})
	took := func(c *page) (got []string) {
		p := of[c].process()
		p.loop.Await(func() { got, c.got, c.told = c.got, nil, nil })
		return got
	}
	for i := range sites { // until all have begun, and know who is present
		for range kinds {
			sites[i].publish("early", 0, len(kinds))
		}
	}
	for _, c := range pages {
		took(c)
	}
	known := sites[0].publish("known", 0, len(kinds))
	counts := make(map[*page][]int)
	for _, c := range pages {
		counts[c] = make([]int, len(kinds))
		for _, text := range took(c) {
			var k int
			_, _ = fmt.Sscanf(text, "known %d", &k)
			counts[c][k]++
		}
	}
	sites[0].now.loop.Await(func() { sites[0].now.rolled = nil })

	stop := make(chan struct{})
	var publishing sync.WaitGroup
	sent := make([]int, len(sites))
	for i := range sites {
		publishing.Add(1)
		go func() {
			defer publishing.Done()
			for first := 0; ; first += 50 {
				select {
				case <-stop:
					sent[i] = first
					return
				default:
				}
				for j, got := range sites[i].publish(fmt.Sprint("p", i), first, 50) {
					k := (first + j) % len(kinds)
					if got.Err != nil || got.Reached != known[k].Reached {
						t.Errorf("p%d: publication %d for %s reached %d, %v; want %d", i, first+j, kinds[k],
							got.Reached, got.Err, known[k].Reached)
					}
				}
			}
		}()
	}
	var former []*process
	for range 3 {
		for i := range sites {
			site := &sites[i]
			before := site.now
			after := before.handOver(o, func(to *process) {
				site.mu.Lock()
				defer site.mu.Unlock()
				site.now = to
			})
			before.broker.Wait()
			former = append(former, before, after)
		}
	}
	close(stop)
	publishing.Wait()
	for _, c := range pages {
		got := took(c)
		for i := range sites {
			name := fmt.Sprint("p", i, " ")
			var want, is []string
			for n := range sent[i] {
				for range counts[c][n%len(kinds)] {
					want = append(want, fmt.Sprint(name, n))
				}
			}
			for _, text := range got {
				if strings.HasPrefix(text, name) {
					is = append(is, text)
				}
			}
			if !slices.Equal(is, want) {
				t.Errorf("page %d got %d of %s, want %d", c.id, len(is), name, len(want))
			}
		}
		if c.gaps > 0 {
			t.Errorf("page %d was told of %d gaps", c.id, c.gaps)
		}
	}
	t.Logf("%v were published", sent)
	for _, p := range former {
		p.loop.Await(func() {
			if p.downs > 0 || p.ups > 1 || len(p.rolled) > 0 {
				t.Errorf("the link was up %d times, and down %d; the roll changed: %q", p.ups, p.downs, p.rolled)
			}
		})
	}
	isTidy(t, s, 3)
}

// isTidy waits until a server has what so many nodes need, and nothing else.
func isTidy(t *testing.T, s *server, nodes int) {
	t.Helper()
	count := func(words ...string) int {
		m := do(t, s.address(), words...)
		all, _ := m.AsStrSlice()
		return len(all)
	}
	linemantest.Until(t, "a connection is left", func() bool {
		m := do(t, s.address(), "CLIENT", "LIST")
		text, _ := m.ToString()
		return strings.Count(text, "\n") == 3*nodes+1 // and this one
	})
	if n := count("HKEYS", registryKey); n != nodes {
		t.Errorf("the registry has %d nodes, want %d", n, nodes)
	}
	if n := count("KEYS", "lineman.{0}:seats:*"); n > nodes {
		t.Errorf("%d connections have said who is present, of %d nodes", n, nodes)
	}
}
