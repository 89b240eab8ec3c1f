package redis_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/redis"
)

// storm is what publishers were told.
type storm struct {
	t        *testing.T
	mu       sync.Mutex // guards the following
	begun    int
	outcomes map[string]outcome
}

// TestStorm has nodes publish while their links break again and again, and compares what they were told with what arrived: nothing
// comes twice or in another order, nobody gets what was not sent, and whoever is said to have been reached was.
func TestStorm(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	const count, rounds = 3, 8
	var nodes []*node
	var proxies []*proxy
	for i := range count {
		p := newProxy(t, s.address())
		n := join(t, string(rune('a'+i)), redis.Options{Addresses: []string{p.address()}, Partitions: 4, Answer: 300 * time.Millisecond})
		n.subscribe("x", "y", "z")
		nodes, proxies = append(nodes, n), append(proxies, p)
	}
	w := &storm{t: t, outcomes: map[string]outcome{}}
	stop := make(chan struct{})
	var publishing sync.WaitGroup
	for _, n := range nodes {
		publishing.Add(1)
		go func() {
			defer publishing.Done()
			w.publish(n, stop)
		}()
	}
	for range rounds {
		i := rand.IntN(count)
		before := 0
		nodes[i].loop.Await(func() { before = nodes[i].downs })
		if rand.IntN(2) == 0 {
			proxies[i].Cut()
			proxies[i].Mend()
		} else {
			do(t, s.address(), "CLIENT", "KILL", "TYPE", []string{"pubsub", "normal"}[rand.IntN(2)])
		}
		nodes[i].until("it notices", func() bool { return nodes[i].downs > before })
		for _, n := range nodes {
			n.until("it is linked", func() bool { return n.ups == n.downs+1 })
		}
		enough := w.ended() + 200
		until(t, "more is published", func() bool { return w.ended() > enough })
	}
	close(stop)
	publishing.Wait()
	until(t, "all is done", func() bool { return w.ended() == w.begun })
	got := map[string][]string{} // by node
	for _, n := range nodes {
		n.loop.Await(func() {
			for _, text := range n.got {
				_, name, _ := strings.Cut(text, " ")
				got[n.id] = append(got[n.id], name)
			}
		})
	}
	check(t, got, w.outcomes)
}

// publish publishes until it is to stop, some under way together.
func (w *storm) publish(n *node, stop <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		to := [][]push.Target{{"x"}, {"y"}, {"x", "y", "z"}, {"nobody", "z"}}[i%4]
		name := n.id + strconv.Itoa(i)
		done := make(chan error, 1)
		w.mu.Lock()
		w.begun++
		w.mu.Unlock()
		n.loop.Do(func() {
			p := push.Publication{Node: n.id, Number: uint64(i), Data: []byte(name)}
			n.link.Publish(to, p, func(others int, err error) {
				w.end(name, outcome{others, err})
				done <- err
			})
		})
		if i%8 == 0 && errors.Is(<-done, push.ErrUnlinked) {
			n.until("it is linked", func() bool { return n.ups == n.downs+1 })
		}
	}
}

func (w *storm) end(name string, o outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, twice := w.outcomes[name]; twice {
		w.t.Errorf("%s is done twice", name)
	}
	w.outcomes[name] = o
}

// ended is how many publications have an outcome.
func (w *storm) ended() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.outcomes)
}

// check compares what arrived with what the publishers were told.
func check(t *testing.T, got map[string][]string, outcomes map[string]outcome) {
	place := map[string]map[string]int{} // by node and name
	for id, names := range got {
		place[id] = map[string]int{}
		last := map[string]int{} // number by publisher
		for i, name := range names {
			number, _ := strconv.Atoi(name[1:])
			if before, any := last[name[:1]]; any && number <= before {
				t.Errorf("%s got %s after %d", id, name, before)
			}
			last[name[:1]] = number
			place[id][name] = i
		}
	}
	for id, names := range got {
		for other := range got {
			before := -1
			for _, name := range names {
				if i, ok := place[other][name]; ok {
					if i < before {
						t.Errorf("%s and %s have got %s in different order", id, other, name)
					}
					before = i
				}
			}
		}
	}
	sent, lost, late := 0, 0, 0
	for name, o := range outcomes {
		reached := 0
		for id := range got {
			if _, ok := place[id][name]; ok && id != name[:1] {
				reached++
			}
		}
		switch {
		case o.err == nil:
			sent++
			if reached != o.others {
				t.Errorf("%s is said to have reached %d others, and reached %d", name, o.others, reached)
			}
		case errors.Is(o.err, push.ErrUnlinked):
			lost++
			if _, own := place[name[:1]][name]; reached > 0 || own {
				t.Errorf("%s is said not to have been sent, and reached %d", name, reached)
			}
		case errors.Is(o.err, push.ErrUnanswered):
			late++
			if reached < o.others {
				t.Errorf("%s is said to have reached %d others or more, and reached %d", name, o.others, reached)
			}
		default:
			t.Errorf("%s: %v", name, o.err)
		}
	}
	t.Logf("%d were answered, %d not sent, %d not answered", sent, lost, late)
	if sent == 0 || lost == 0 {
		t.Error("nothing was tried")
	}
}
