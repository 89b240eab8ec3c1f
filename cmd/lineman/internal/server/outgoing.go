package server

import (
	"bytes"
	"iter"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
)

// outgoing is what pages are about to get.
type outgoing struct {
	text     []byte            // on loan, unless it is prepared
	prepared *lineman.Prepared // other loops send the same; nil: none does
}

// Kinds of forms that loops share.
const (
	plainForm  = iota // what was published
	frameForm         // the frame of level 1 that tells it of a target
	eventForm         // that frame as an event of streams that have this target alone
	pusherForm        // the frame of the Pusher protocol that tells it of a target
)

// sharing is what other loops send, too, encoded once for all. make makes its text, which nobody may change.
func sharing(forms *push.Forms, key push.FormKey, make func() []byte) outgoing {
	p := forms.Get(key, func() any { return lineman.Prepare(make()) }).(*lineman.Prepared)
	return outgoing{p.Message(), p}
}

// fanout is the fan-out of a publication: it sends a message to connections.
func (s *Server) fanout(to iter.Seq[*lineman.Conn], msg []byte, forms *push.Forms) int {
	if forms == nil {
		return s.send(to, outgoing{text: msg})
	}
	return s.send(to, sharing(forms, push.FormKey{Kind: plainForm}, func() []byte { return bytes.Clone(msg) }))
}

// send sends something to connections, and returns how many have accepted it.
func (s *Server) send(to iter.Seq[*lineman.Conn], m outgoing) (n int) {
	if m.prepared == nil {
		n = s.loop.Broadcast(to, m.text)
	} else {
		n = s.loop.BroadcastPrepared(to, m.prepared)
	}
	s.slice.sent(n)
	s.charge(n, len(m.text))
	return n
}
