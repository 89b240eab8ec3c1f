package pushtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// place is where a node is, whatever process it has now.
type place struct {
	mu  sync.Mutex // guards the following
	now *Site
}

func (p *place) site() *Site {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *place) move(to *Site) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = to
}

// publish publishes some notes. Those that a process refuses as it has handed over its successor gets.
func (p *place) publish(notes []Note) (outcomes []push.Outcome) {
	for len(outcomes) < len(notes) {
		done := p.site().Publish(notes[len(outcomes):]...)
		refused := func(o push.Outcome) bool { return errors.Is(o.Err, push.ErrClosed) }
		if i := slices.IndexFunc(done, refused); i >= 0 {
			done = done[:i]
		}
		outcomes = append(outcomes, done...)
	}
	return outcomes
}

// realm are three nodes, with pages of all kinds.
type realm struct {
	*cluster
	places [3]place
	pages  []*Page
	of     map[*Page]*place
	kinds  [][]push.Target // what is published for
	counts map[*Page][]int // how many of each kind a page gets
	reach  []int           // how many pages each kind reaches
	sent   [3]int
}

// newRealm makes them, and knows what each page gets, and all are told of all that is there.
func (c *cluster) newRealm() *realm {
	c.t.Helper()
	r := &realm{cluster: c, of: map[*Page]*place{}, counts: map[*Page][]int{}}
	r.kinds = [][]push.Target{
		{"chat:1"}, {"plain:1"}, {"u:ann"}, {"chat:2", "g:all", "u:bob"}, {push.Everyone},
		{"plain:1", "chat:1", "chat:2"},
	}
	if c.Divided { // of several targets one is not in order with another
		r.kinds = [][]push.Target{{"chat:1"}, {"plain:1"}, {"u:ann"}, {"g:all"}, {push.Everyone}, {"chat:2"}}
	}
	for i := range r.places {
		s := NewSite(c.t, c.Broker(), false)
		r.places[i].now = s
		s.Until("the link is up", func() bool { return s.Hub.Linked() })
		for j, follows := range []bool{false, true, true} {
			uid := []string{"ann", "bob", "cid"}[j]
			page := s.Add(uint64(10*i+j+1), uid, follows, "g:all", "chat:1", "chat:2", "plain:1")
			r.pages, r.of[page] = append(r.pages, page), &r.places[i]
		}
		many := make([]push.Target, 1000) // so that to subscribe takes some time
		for j := range many {
			many[j] = push.Group(fmt.Sprint("many", j))
		}
		s.Add(uint64(10*i+9), "", false, many...)
	}
	first := r.places[0].now
	first.Loop.Await(func() { first.Hub.Roll(push.RollUIDs, true) })
	first.Until("the roll is read", func() (read bool) {
		first.Hub.ListRoll(push.RollUIDs, func(names []string, _ error) { read = len(names) == 3 })
		return read
	})
	for i := range r.places { // until all have begun, and know who is present
		for range r.kinds {
			r.places[i].publish(r.notes("early", 0, len(r.kinds)))
		}
	}
	r.learn()
	return r
}

// notes are so many of all kinds, with numbers.
func (r *realm) notes(name string, first, n int) (all []Note) {
	for i := first; i < first+n; i++ {
		all = append(all, Note{r.kinds[i%len(r.kinds)], fmt.Sprintf("%s %d", name, i)})
	}
	return all
}

// learn finds out who gets what.
func (r *realm) learn() {
	for _, page := range r.pages {
		r.took(page)
	}
	for _, o := range r.places[0].publish(r.notes("known", 0, len(r.kinds))) {
		r.reach = append(r.reach, o.Reached)
	}
	for _, page := range r.pages {
		r.counts[page] = make([]int, len(r.kinds))
		got, _ := r.took(page)
		for _, text := range got {
			var kind int
			_, _ = fmt.Sscanf(text, "known %d", &kind)
			r.counts[page][kind]++
		}
	}
	first := r.places[0].now
	first.Loop.Await(func() { first.Rolled = nil })
}

// took takes what a page has got and was told.
func (r *realm) took(page *Page) (got, told []string) {
	r.of[page].site().Loop.Await(func() {
		got, told, page.Got, page.Told = page.Got, page.Told, nil, nil
	})
	return got, told
}

// publishing has all nodes publish for all until it is ended.
func (r *realm) publishing() (end func()) {
	stop := make(chan struct{})
	var under sync.WaitGroup
	for i := range r.places {
		under.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				const each = 50
				for j, got := range r.places[i].publish(r.notes(fmt.Sprint("p", i), r.sent[i], each)) {
					n := r.sent[i] + j
					if want := r.reach[n%len(r.kinds)]; got.Err != nil || got.Reached != want {
						r.t.Errorf("p%d: publication %d for %s reached %d, %v; want %d", i, n,
							r.kinds[n%len(r.kinds)], got.Reached, got.Err, want)
					}
				}
				r.sent[i] += each
			}
		})
	}
	return func() { close(stop); under.Wait() }
}

// check compares what pages got with what was published: all of it, once and in order, and nothing else was told.
func (r *realm) check() {
	for _, page := range r.pages {
		got, told := r.took(page)
		for i := range r.places {
			r.checkOf(page, got, i)
		}
		if page.Gaps > 0 || len(told) > 0 {
			r.t.Errorf("page %d was told of %d gaps, and %q", page.id, page.Gaps, told)
		}
	}
	r.t.Logf("%v were published", r.sent)
}

// checkOf does that for what one node has published.
func (r *realm) checkOf(page *Page, got []string, node int) {
	name := fmt.Sprint("p", node, " ")
	want, is := make([][]int, len(r.kinds)), make([][]int, len(r.kinds))
	note := func(to [][]int, n, times int) {
		kind := 0 // all are in one order
		if r.Divided {
			kind = n % len(r.kinds)
		}
		to[kind] = append(to[kind], slices.Repeat([]int{n}, times)...)
	}
	for n := range r.sent[node] {
		note(want, n, r.counts[page][n%len(r.kinds)])
	}
	for _, text := range got {
		var n int
		if strings.HasPrefix(text, name) {
			_, _ = fmt.Sscanf(text[len(name):], "%d", &n)
			note(is, n, 1)
		}
	}
	for kind := range want {
		if !slices.Equal(is[kind], want[kind]) {
			r.t.Errorf("page %d got %d of %s, want %d", page.id, len(is[kind]), name, len(want[kind]))
		}
	}
}

// processes are the nodes that are handed over together.
func (r *realm) processes() (all [][]int) {
	if r.Joint {
		return [][]int{{0, 1, 2}}
	}
	return [][]int{{0}, {1}, {2}}
}

// handOver hands a process over.
func (r *realm) handOver(nodes []int) {
	var from []*Site
	for _, i := range nodes {
		from = append(from, r.places[i].site())
	}
	to := HandOver(from, r.Successor(), func() {})
	for j, i := range nodes {
		r.places[i].move(to[j])
	}
	if b, ok := from[0].broker.(interface{ Wait() }); ok {
		b.Wait() // its last word
	}
	for _, s := range append(from, to...) {
		s.Loop.Await(func() {
			if s.Downs > 0 || s.Ups > 1 || len(s.Rolled) > 0 {
				r.t.Errorf("the link was up %d times, and down %d; the roll changed: %q", s.Ups, s.Downs, s.Rolled)
			}
		})
	}
}

// succeeds skips a test of Brokers whose links cannot be handed over.
func (c *cluster) succeeds() {
	c.t.Helper()
	if c.Successor == nil {
		c.t.Skip("its links are no push.HandoverLinks")
	}
}

// testHandover hands all nodes over several times, while all publish for all: all pages get all, once and in order, all
// is answered as before, and nobody is told of anything else.
func testHandover(t *testing.T, c *cluster) {
	c.succeeds()
	r := c.newRealm()
	end := r.publishing()
	for range 3 {
		for _, nodes := range r.processes() {
			r.handOver(nodes)
		}
	}
	end()
	r.check()
	if c.Tidy != nil {
		c.Tidy(len(r.places))
	}
}

// testHandoverFails has the successor of each process come to nothing, when it has all: the predecessor goes on.
func testHandoverFails(t *testing.T, c *cluster) {
	c.succeeds()
	r := c.newRealm()
	end := r.publishing()
	for _, nodes := range r.processes() {
		var from, to []*Site
		over := r.Successor()
		for _, i := range nodes {
			from, to = append(from, r.places[i].site()), append(to, NewSite(t, over, true))
		}
		still(from, func() { cross(from, to) })
		for _, s := range to {
			s.Loop.Await(s.Hub.Close)
		}
	}
	end()
	r.check()
	if c.Tidy != nil {
		c.Tidy(len(r.places))
	}
}
