package lineman

import (
	"iter"
	"reflect"
	"slices"
	"sync"
)

// A Prepared is a message that several loops broadcast. It is encoded once for all of them: a loop that is the first to
// need it for a Protocol encodes it, and the others share the bytes. What has no Protocol shares the message itself. It
// may be used by any goroutine, any number of times, and lives as long as somebody has it, or connections have still to
// be sent some of it.
type Prepared struct {
	msg    []byte
	binary bool

	mu    sync.Mutex // guards the following, and is held while a form is made
	forms []preparedForm
}

// preparedForm is the message as some connections get it.
type preparedForm struct {
	by    any // see service.encodes
	kind  uint8
	frame []byte // empty if the protocol refuses the message
}

// Prepare makes a message for Loop.BroadcastPrepared. Nobody may change msg any more.
func Prepare(msg []byte) *Prepared { return &Prepared{msg: msg} }

// PrepareBinary is Prepare for a message that is binary where the protocol has binary messages.
func PrepareBinary(msg []byte) *Prepared { return &Prepared{msg: msg, binary: true} }

// Message is what was prepared. It must not be changed.
func (p *Prepared) Message() []byte { return p.msg }

// BroadcastPrepared is Broadcast for a message that other loops broadcast, too. On the loop only.
func (l *Loop) BroadcastPrepared(to iter.Seq[*Conn], p *Prepared) int {
	b := l.beginBroadcast(p.msg, p.binary)
	b.prepared = p
	to(b.each)
	return b.end()
}

// frame is the message as connections like c get it, which have a kind. On the loop of c.
func (p *Prepared) frame(c *Conn, kind uint8) []byte {
	if c.service.kind == speaksBytes {
		return p.msg
	}
	by := c.service.encodes()
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.forms, func(f preparedForm) bool { return f.by == by && f.kind == kind })
	if i < 0 {
		i = len(p.forms)
		p.forms = append(p.forms, preparedForm{by, kind, c.loop.encode(c.session, p.msg, p.binary)})
	}
	return p.forms[i].frame
}

// encodes is what services share whose connections get the same bytes: their Protocol, if such can be compared.
func (s *service) encodes() any {
	if reflect.ValueOf(s.protocol).Comparable() {
		return s.protocol
	}
	return s
}
