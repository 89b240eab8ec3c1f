package command_test

import (
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// conn is a connection that keeps what it gets.
type conn struct {
	id     uint64
	got    []string
	closed string
}

func (c *conn) ID() uint64 { return c.id }

// bench is a Table with its Hub.
type bench struct {
	*command.Table[*conn]
	t       testing.TB
	hub     *push.Hub[*conn]
	conns   uint64
	revoked []string
	unkept  error // what keeping a revocation ends with

	watching *command.Watching // the last that has begun
	events   []string          // that it was sent
	full     bool              // it takes none
}

// Begin and Send are those of a command.Stream.
func (b *bench) Begin(w *command.Watching) { b.watching = w }

func (b *bench) Send(event []byte) bool {
	if !b.full {
		b.events = append(b.events, string(event))
	}
	return !b.full
}

func newBench(t testing.TB) *bench { return newBenchOver(t, nil) }

// newBenchOver is one with other nodes.
func newBenchOver(t testing.TB, broker push.Broker) *bench {
	t.Helper()
	hub, err := push.New(push.Options[*conn]{
		Broker: broker, Do: func(f func()) bool { f(); return true },
		Fanout: func(to iter.Seq[*conn], msg []byte, _ *push.Forms) (n int) {
			for c := range to {
				c.got = append(c.got, string(msg))
				n++
			}
			return n
		},
		Close: func(c *conn, code int, reason string) { c.closed = fmt.Sprint(code, " ", reason) },
		Namespaces: map[string]push.Namespace{
			"shut": {Closed: true}, "chat": {History: push.Retention{Size: 1000}},
			"room": {Presence: push.PresenceList, MaxPresent: 3},
		},
		MaxPlaces: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, hub: hub}
	b.Table = command.New(hub, command.Options{Revoke: func(uid string, _ time.Time, done func(error)) {
		b.revoked = append(b.revoked, uid)
		done(b.unkept)
	}})
	return b
}

// add makes a connection of a uid.
func (b *bench) add(uid string) (*conn, push.Target) {
	b.t.Helper()
	b.conns++
	c := &conn{id: b.conns}
	m, err := b.hub.Add(c, uid)
	if err != nil {
		b.t.Fatal(err)
	}
	return c, m.Target()
}

// ask is the answer to a line.
func (b *bench) ask(line string, p *command.Permit) (answer string) {
	b.t.Helper()
	asked := 0
	b.Line([]byte(line), command.Caller{Permit: p, From: &push.Source{Via: "line"}, Stream: b}, func(text []byte) {
		asked++
		answer = string(text)
	})
	if asked != 1 {
		b.t.Errorf("%s: answered %d times", line, asked)
	}
	return answer
}
