package push_test

import (
	"testing"

	"github.com/lineman-go/lineman/push"
)

// process is a process with some Hubs, whose loops the test runs.
type process struct {
	hubs   []*hub
	queues []*tasks
}

func newProcess(t *testing.T, n int) *process {
	p := &process{}
	memory := push.NewMemory()
	for range n {
		queue, o := new(tasks), options()
		o.Do, o.SingleLogin = queue.do, true
		if n > 1 {
			o.Broker = memory
		}
		p.hubs, p.queues = append(p.hubs, newHub(t, o)), append(p.queues, queue)
	}
	p.settle()
	return p
}

func (p *process) settle() {
	for again := true; again; {
		again = false
		for _, queue := range p.queues {
			for _, f := range queue.take() {
				f()
				again = true
			}
		}
	}
}

// handOver has a process with another number of loops have all connections.
func (p *process) handOver(t *testing.T, n int) (*process, map[*conn]*member) {
	to := newProcess(t, n)
	members := save(t, p.hubs, everybody).restore(to.hubs)
	for _, h := range p.hubs {
		h.HandedOver(everybody)
	}
	to.settle()
	for _, h := range to.hubs {
		h.Restored()
	}
	to.settle()
	return to, members
}

// TestHandoverLoops has connections be called as they were, and be reached by that, however many loops their processes
// have; and the last login win over those that have crossed.
func TestHandoverLoops(t *testing.T) {
	from := newProcess(t, 3)
	names := make(map[*conn]push.Target)
	var conns []*conn
	for i, uid := range []string{"ann", "bob", "eve"} {
		m, c := add(t, from.hubs[i], uint64(i+1), uid)
		names[c] = m.Target()
		conns = append(conns, c)
	}
	from.settle()
	for _, loops := range []int{1, 2, 4, 2, 1} {
		to, members := from.handOver(t, loops)
		for c, name := range names {
			if got := members[c].Target(); got != name {
				t.Fatalf("with %d loops a connection is called %s, and was %s", loops, got, name)
			}
			for _, h := range to.hubs {
				c.take()
				if err := h.Publish(message{To: []push.Target{name}, Data: []byte("x")}, nil); err != nil {
					t.Fatal(err)
				}
				to.settle()
				if got := len(c.take()); got != 1 {
					t.Fatalf("with %d loops what is published for %s comes %d times", loops, name, got)
				}
			}
		}
		from = to
	}
	add(t, from.hubs[0], 9, "ann")
	from.settle()
	if conns[0].closed == "" || conns[1].closed != "" {
		t.Errorf("after a login of ann: ann is closed: %q, bob: %q", conns[0].closed, conns[1].closed)
	}
}
