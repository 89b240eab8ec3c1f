package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/push"
)

// unread is a Broker whose history is read when a test says so.
type unread struct {
	push.Memory
	reads chan func()
}

func (b *unread) Join(n push.Node) (push.Link, error) {
	l, err := b.Memory.Join(n)
	return unreadLink{l.(memoryLink), b, n}, err
}

type memoryLink interface {
	push.HistoryLink
	push.PresenceLink
}

type unreadLink struct {
	memoryLink
	broker *unread
	node   push.Node
}

func (l unreadLink) History(of push.Target, r push.Range, done func(push.History, error)) {
	l.broker.reads <- func() { l.node.Do(func() { l.memoryLink.History(of, r, done) }) }
}

// TestLiveTakenOut has a back end take a page out of a channel while what it has missed there is read: the page may
// subscribe again.
func TestLiveTakenOut(t *testing.T) {
	broker := &unread{reads: make(chan func(), 10)}
	r := start(t, chats(10), server.Options{Broker: broker})
	b := r.backend()
	p := r.live(t)
	p.hello(`,"token":"ann"`)
	(<-broker.reads)() // its uid
	p.Receive()
	p.Send(`{"op":"sub","id":1,"ch":"chat:7"}`)
	late := <-broker.reads
	ask(b, `{"cmd":"unsubscribe","to":"u:ann","channel":"chat:7"}`)
	p.is(nil, `{"op":"unsub","ch":"chat:7","why":"server"}`)
	late()
	p.Send(`{"op":"sub","id":2,"ch":"chat:7"}`)
	(<-broker.reads)()
	if got := p.Receive(); !strings.HasPrefix(got, `{"op":"sub","id":2,"ch":"chat:7","pos":`) {
		t.Errorf("it subscribes again: %s", got)
	}
}

// TestLiveUnsubscribesEarly has a page give up a channel of its hello that waits until the page has read others.
func TestLiveUnsubscribesEarly(t *testing.T) {
	c := chats(10)
	c.Limits.Pending = 8192 // a quarter of it is replayed at once
	r := start(t, c, server.Options{})
	b := r.backend()
	for i := range 4 {
		pub(t, b, fmt.Sprint("chat:", i), strings.Repeat("x", 1500))
	}
	p := r.live(t)
	p.Send(`[{"op":"hello","token":"ann","sub":{"chat:0":"last:1","chat:1":"last:1","chat:2":"last:1",` +
		`"chat:3":"last:1"}},{"op":"unsub","ch":"chat:2"}]`)
	for got := ""; !strings.HasPrefix(got, `{"op":"sub","ch":"chat:3"`); {
		if got = p.Receive(); strings.HasPrefix(got, `{"op":"sub","ch":"chat:2"`) {
			t.Fatal("it gets a channel that it has given up")
		}
	}
	r.counts(b, "chat:2", 0)
}

// TestLiveLatest gives a page that was away the last message of a channel that keeps no other, and no gap.
func TestLiveLatest(t *testing.T) {
	c := chats(10)
	c.Namespaces["price"] = config.Namespace{Subscribe: "all", History: config.Retention{Class: "latest"}}
	r := start(t, c, server.Options{})
	b := r.backend()
	at := []string{""}
	for i := range 5 {
		at = append(at, pub(t, b, "price:x", fmt.Sprint("m", i+1)))
	}
	p := r.live(t)
	p.hello(`,"token":"ann","sub":{"price:x":"` + at[1] + `"}`)
	p.Receive() // its uid
	p.is(at, `{"op":"sub","ch":"price:x","pos":"$5","n":1}`, `{"op":"msg","ch":"price:x","pos":"$5","text":"m5"}`)
}
