package push_test

import (
	"slices"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// mailNode is a node of a Memory whose loop runs when the test says so.
type mailNode struct {
	push.Link
	id     string
	posted []func()
	ended  bool
	got    []string
}

// mailNodes are two nodes of a Memory that get what is for everyone.
func mailNodes(t *testing.T) (one, two *mailNode) {
	t.Helper()
	broker := push.NewMemory()
	t.Cleanup(broker.Close)
	join := func(id string) *mailNode {
		n := &mailNode{id: id}
		l, err := broker.Join(push.Node{ID: id, Do: n.do, Deliver: n.deliver, Linked: func(bool) {}})
		if err != nil {
			t.Fatal(err)
		}
		n.Link = l
		l.Subscribe([]push.Target{push.Everyone}, func(err error) {
			if err != nil {
				t.Error(err)
			}
		})
		n.run()
		return n
	}
	return join("one"), join("two")
}

func (n *mailNode) do(f func()) bool {
	if !n.ended {
		n.posted = append(n.posted, f)
	}
	return !n.ended
}

// deliver takes a message; it panics for one, before it has it.
func (n *mailNode) deliver(_ []push.Target, p push.Publication) int {
	if string(p.Data) == "panic" {
		panic("in a delivery")
	}
	n.got = append(n.got, string(p.Data))
	return 1
}

// run runs what the loop has to do, as a loop does: a panic ends one function.
func (n *mailNode) run() {
	for len(n.posted) > 0 {
		f := n.posted[0]
		n.posted = n.posted[1:]
		func() {
			defer func() { _ = recover() }()
			f()
		}()
	}
}

// publish gives how many others were reached; negative as long as that is not known.
func (n *mailNode) publish(data string) (others *int) {
	others = new(int)
	*others = -1
	p := push.Publication{Node: n.id, Data: []byte(data)}
	n.Publish([]push.Target{push.Everyone}, p, func(r push.Receipt, err error) {
		if err == nil {
			*others = r.Others
		}
	})
	return others
}

// TestMailOrder has a node that publishes not be ahead of what others have published before.
func TestMailOrder(t *testing.T) {
	one, two := mailNodes(t)
	one.publish("1")
	two.publish("2")
	one.publish("3")
	for range 3 {
		one.run()
		two.run()
	}
	if want := []string{"1", "2", "3"}; !slices.Equal(one.got, want) || !slices.Equal(two.got, want) {
		t.Errorf("the nodes got %v and %v", one.got, two.got)
	}
}

// TestMailEnded has nobody wait for a loop that has ended, be it that of the other node or the node's own.
func TestMailEnded(t *testing.T) {
	one, two := mailNodes(t)
	two.ended = true
	first, second := one.publish("1"), one.publish("2")
	one.run()
	if *first != 0 || *second != 0 {
		t.Errorf("%d and %d others were reached", *first, *second)
	}
	one, two = mailNodes(t)
	one.ended = true
	one.publish("1")
	two.run()
	if !slices.Equal(two.got, []string{"1"}) {
		t.Errorf("of a node whose loop has ended: %v", two.got)
	}
}

// TestMailPanic has a panic in one delivery keep nobody from the next.
func TestMailPanic(t *testing.T) {
	one, two := mailNodes(t)
	two.publish("0") // the next ones come by mail
	two.run()
	for _, data := range []string{"1", "panic", "2", "3"} {
		func() {
			defer func() { _ = recover() }() // where the node itself gets it at once
			one.publish(data)
		}()
		one.run()
	}
	two.run()
	if want := []string{"0", "1", "2", "3"}; !slices.Equal(two.got, want) {
		t.Errorf("it got %v", two.got)
	}
}

// TestMailGone has a node that has left get nothing of what was on its way to it.
func TestMailGone(t *testing.T) {
	one, two := mailNodes(t)
	others := one.publish("1")
	one.run()
	two.Close()
	two.run()
	one.run()
	if len(two.got) > 0 || *others != 0 {
		t.Errorf("it got %v, and %d others were reached", two.got, *others)
	}
}
