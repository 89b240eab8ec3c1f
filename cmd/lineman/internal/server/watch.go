package server

import (
	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push/command"
)

// peer tells where a connection comes from, once somebody wants to know.
type peer struct{ conn *lineman.Conn }

func (p peer) String() string { return p.conn.RemoteAddr().String() }

// errWatching is the answer to what a back end asks that is told events.
var errWatching = &command.Error{Code: command.Invalid, Text: "this connection watches: ask over another one"}

// What follows has a back end's connection be a command.Stream.

// Begin has it be told events from now on. They end with the connection.
func (b *backend) Begin(w *command.Watching) { b.watching = w }

// Send sends an event, behind the answers that are not known yet. Who does not read misses events.
func (b *backend) Send(event []byte) bool {
	switch n := b.answers.len(); {
	case n >= maxWaiting:
		return false
	case n > 0:
		b.settle(b.expect(), event)
		return true
	}
	return b.conn.Send(event) == nil
}
