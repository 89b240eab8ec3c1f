package pushtest

import (
	"errors"
	"slices"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// history reads what is kept of a target.
func (n *node) history(of push.Target, r push.Range) (h push.History, err error) {
	n.t.Helper()
	done := make(chan error, 1)
	n.loop.Await(func() {
		n.link.(push.HistoryLink).History(of, r, func(read push.History, err error) {
			h = read
			done <- err
		})
	})
	err = n.await(done, "history")
	return h, err
}

// tells checks what is read: the data of the messages, with a word for the gap behind them.
func (n *node) tells(of push.Target, r push.Range, want string) push.History {
	n.t.Helper()
	h, err := n.history(of, r)
	if err != nil {
		n.t.Errorf("%s: the history of %s: %v", n.id, of, err)
	}
	var words []string
	for i, m := range h.Messages {
		words = append(words, string(m.Data))
		if i > 0 && !follows(h.Messages[i-1].Position, m.Position) {
			n.t.Errorf("%s: %s has %v behind %v", n.id, of, m.Position, h.Messages[i-1].Position)
		}
	}
	if h.Gap != "" {
		words = append(words, "gap:"+string(h.Gap))
	}
	if got := strings.Join(words, " "); got != want {
		n.t.Errorf("%s: the history of %s since %q is %q, want %q", n.id, of, r.Since, got, want)
	}
	return h
}

// follows reports whether a position is the next one.
func follows(before, p push.Position) bool {
	return p.Epoch == before.Epoch && p.Offset == before.Offset+1
}

// publishes publishes some messages one after the other, and returns the position of each. A node that leaves may not
// answer any more.
func (n *node) publishes(to push.Target, all ...string) (positions []push.Position) {
	n.t.Helper()
	for _, data := range all {
		if err := n.publish(to, data); err != nil && !errors.Is(err, push.ErrUnanswered) {
			n.t.Fatalf("%s: publish: %v", n.id, err)
		}
		n.loop.Await(func() { positions = append(positions, n.receipt.Positions...) })
	}
	if len(positions) != len(all) {
		n.t.Fatalf("%s: %d publications have %d positions", n.id, len(all), len(positions))
	}
	return positions
}

func since(p push.Position) push.Range { return push.Range{Since: p, Limit: 1 << 20} }

// forget removes what is kept of targets.
func (n *node) forget(of ...push.Target) {
	n.t.Helper()
	done := make(chan error, 1)
	n.loop.Await(func() {
		loan := slices.Clone(of)
		n.link.(push.HistoryLink).Forget(loan, func(err error) { done <- err })
		clear(loan)
	})
	if err := n.await(done, "forget"); err != nil {
		n.t.Errorf("%s: forget: %v", n.id, err)
	}
}
