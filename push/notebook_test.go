package push_test

import (
	"slices"
	"sync"

	"github.com/lineman-go/lineman/push"
)

// notebook is a Journal in memory.
type notebook struct {
	had     push.Recovered
	late    chan struct{} // nil: it is recovered at once
	slow    chan struct{} // nil: batches are written at once; else as many as are sent there
	failing error

	mu      sync.Mutex // guards the following
	batches []push.Batch
	since   int // number of the batch with which the last compaction that has ended had begun
	begun   int
	large   bool
	closed  int
}

func (n *notebook) Recover(done func(push.Recovered)) {
	if n.late == nil {
		done(n.had)
		return
	}
	go func() {
		<-n.late
		done(n.had)
	}()
}

func (n *notebook) Append(b push.Batch, done func(error)) {
	go func() {
		if n.slow != nil {
			<-n.slow
		}
		if n.failing != nil {
			done(n.failing)
			return
		}
		n.mu.Lock()
		if b.Begin {
			n.begun = len(n.batches)
		}
		b.Records = slices.Clone(b.Records)
		for i := range b.Records {
			b.Records[i].Of = slices.Clone(b.Records[i].Of)
		}
		n.batches = append(n.batches, b)
		if b.End {
			n.since, n.large = n.begun, false
		}
		n.mu.Unlock()
		done(nil)
	}()
}

func (n *notebook) IsOvergrown(int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.large
}

func (n *notebook) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed++
}

// successor has all that was written since the last compaction has begun.
func (n *notebook) successor() *notebook {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := &notebook{had: push.Recovered{Epoch: n.had.Epoch}}
	for _, b := range n.batches[n.since:] {
		next.had.Records = append(next.had.Records, b.Records...)
	}
	return next
}

func newNotebook() *notebook { return &notebook{had: push.Recovered{Epoch: "e"}} }
