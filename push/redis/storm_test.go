package redis_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
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

// TestStorm has nodes publish while their links break again and again, and compares what they were told with what
// arrived: nothing comes twice or in another order, nobody gets what was not sent, and whoever is said to have been
// reached was.
func TestStorm(t *testing.T) {
	t.Run("server", func(t *testing.T) {
		s := startServer(t)
		brew(t, []*server{s}, func() (redis.Options, func()) {
			p := newProxy(t, s.address())
			return redis.Options{Addresses: []string{p.address()}, Partitions: 4}, func() { p.Cut(); p.Mend() }
		})
	})
	t.Run("cluster", func(t *testing.T) { // a link breaks in parts
		servers, proxies := startCluster(t)
		brew(t, servers, func() (redis.Options, func()) {
			o := redis.Options{
				Addresses: []string{proxies[0].address()}, Cluster: true, Partitions: 4, Username: "lineman",
				Password: "SECRET",
			}
			return o, func() { p := proxies[rand.IntN(len(proxies))]; p.Cut(); p.Mend() }
		})
	})
}

// brew has three nodes publish, each with options of its own and with something that breaks its link, and compares.
func brew(t *testing.T, servers []*server, open func() (o redis.Options, cut func())) {
	const count, rounds = 3, 8
	var nodes []*node
	var cuts []func()
	divided := false
	for i := range count {
		o, cut := open()
		o.Answer = 300 * time.Millisecond
		divided = o.Cluster
		n := join(t, string(rune('a'+i)), o)
		n.subscribe("x", "y", "z")
		nodes, cuts = append(nodes, n), append(cuts, cut)
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
		nodes[i].until("it is linked", func() bool { // a link that is being made breaks without anybody being told
			before = nodes[i].downs
			return nodes[i].ups == nodes[i].downs+1
		})
		if rand.IntN(2) == 0 {
			cuts[i]()
			nodes[i].until("it notices", func() bool { return nodes[i].downs > before })
		} else {
			do(t, servers[rand.IntN(len(servers))].address(), "CLIENT", "KILL", "TYPE",
				[]string{"pubsub", "normal"}[rand.IntN(2)])
		}
		for _, n := range nodes {
			n.until("it is linked", func() bool { return n.ups == n.downs+1 })
		}
		enough := w.ended() + 200
		linemantest.Until(t, "no more is published", func() bool { return w.ended() > enough })
	}
	close(stop)
	publishing.Wait()
	linemantest.Until(t, "not all is done", func() bool { return w.ended() == w.begun })
	got := map[string][]string{} // by node, and by target where each has an order of its own
	for _, n := range nodes {
		n.loop.Await(func() {
			for _, text := range n.got {
				target, name, _ := strings.Cut(text, " ")
				key := n.id
				if divided {
					key += target
				}
				got[key] = append(got[key], name)
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
			n.link.Publish(to, p, func(r push.Receipt, err error) {
				w.end(name, outcome{others: r.Others, err: err})
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

// check compares what arrived, by node and perhaps target, with what the publishers were told.
func check(t *testing.T, got map[string][]string, outcomes map[string]outcome) {
	place := map[string]map[string]int{} // in got
	for key, names := range got {
		place[key] = map[string]int{}
		last := map[string]int{} // number by publisher
		for i, name := range names {
			number, _ := strconv.Atoi(name[1:])
			if before, any := last[name[:1]]; any && number <= before {
				t.Errorf("%s got %s after %d", key, name, before)
			}
			last[name[:1]] = number
			place[key][name] = i
		}
	}
	for key, names := range got {
		for other := range got {
			before := -1
			for _, name := range names {
				if i, ok := place[other][name]; ok && key[1:] == other[1:] {
					if i < before {
						t.Errorf("%s and %s have got %s in different order", key, other, name)
					}
					before = i
				}
			}
		}
	}
	sent, lost, late := 0, 0, 0
	for name, o := range outcomes {
		own, reached := 0, 0
		for key := range got {
			if _, ok := place[key][name]; ok && key[:1] == name[:1] {
				own++
			} else if ok {
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
			if reached+own > 0 {
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
