package push

import (
	"errors"
	"slices"

	"github.com/lineman-go/lineman/internal/fields"
)

// A handover gives the connections of this process, the predecessor, to another one, its successor, with all that the
// Hubs know of them: nobody comes, nobody goes, and nothing is published meanwhile. The loops of the predecessor stand
// still, those of the successor do not run yet, so whoever hands over owns all Hubs of the process, and calls these
// methods for all of them.
//
//	predecessor                                successor
//	SaveBrokerState, by its first Hub   ──▶ RestoreBrokerState, by its first Hub, each part
//	AppendState, of each Hub            ──▶ RestoreState: by the Hub of its loop, of one or of several
//	AppendMember, of each connection    ──▶ RestoreMember, when the program has made its own state of it again
//	   │ the connections are the successor's      │ its loops run
//	HandedOver, by each Hub                  Restored, by each Hub, on its loop
//
// Until HandedOver is called, nothing is given up: if the handover fails, the predecessor goes on. The successor may
// have more Hubs, or less, a Broker where the predecessor had none, and other options. What it has no use for is left
// out.
//
// What does not cross: functions that the predecessor waits to call. So who publishes with Wait and was not answered is
// told ErrClosed by the predecessor, and nobody has got it; and a Watch ends with its process.

// stateVersion is that of all states of this package. Version 2 has the identities of members, and brokers in parts:
// programs that knew version 1 passed over what they did not know.
const stateVersion = 2

// errStays is that of a Broker that cannot be handed over.
var errStays = errors.New("push: this broker cannot be handed over: have connections drain")

// handoverLink is that of the Hub.
func (h *Hub[C]) handoverLink() (HandoverLink, error) {
	if l, ok := h.link.(HandoverLink); ok {
		return l, nil
	}
	return nil, errStays
}

// The fields of the state of a Broker.
const (
	fieldHistory = 1
	fieldKept    = 2 // once for each message
)

// SaveBrokerState gives send what the Broker has in this process for all its Hubs: the history in memory, and what is
// kept for connections that come back. It comes in parts, each of which is on loan until send returns. First all that
// waits for a Journal, for another loop, or for other nodes, is done, as far as that takes no longer than half a
// second, or than the Broker says: connections may be sent to, and functions that wait for outcomes are called. With a
// Journal the history does not cross: the successor reads it there. An error, be it that of send, is why there can be
// no handover now.
func (h *Hub[C]) SaveBrokerState(send func(part []byte) error) error {
	l, err := h.handoverLink()
	if err == nil {
		err = l.Settle()
	}
	if err != nil {
		return err
	}
	p := newParts(send)
	if s := h.rings(); s != nil {
		s.save(p)
	}
	for _, k := range h.keptMessages() {
		p.state = fields.Nested(p.state, fieldKept, k.append)
		if !p.goesOn() {
			break
		}
	}
	return p.end()
}

// parts writes a large state in parts. Each of them is a state, which is read after those before it.
type parts struct {
	send  func(part []byte) error
	err   error // of send
	state []byte
	in    uint64 // the field that fields are appended to; 0 for none
	at    int    // where it begins
}

// partBytes is how large a part gets, but for its last field: it is written and read while a cache has it.
const partBytes = 256 << 10

func newParts(send func(part []byte) error) *parts {
	return &parts{send: send, state: fields.Begin(make([]byte, 0, 2*partBytes), stateVersion)}
}

// enter has what is appended be fields of a field, until leave.
func (p *parts) enter(number uint64) {
	p.in = number
	p.state, p.at = fields.Enter(p.state, number)
}

func (p *parts) leave() {
	fields.Leave(p.state, p.at)
	p.in = 0
}

// goesOn sends a part if it is large enough, and reports whether there may be more.
func (p *parts) goesOn() bool {
	if len(p.state) < partBytes || p.err != nil {
		return p.err == nil
	}
	in := p.in
	if in != 0 {
		p.leave()
	}
	p.err = p.send(p.state)
	p.state = fields.Begin(p.state[:0], stateVersion)
	if in != 0 {
		p.enter(in)
	}
	return p.err == nil
}

// end sends the last part.
func (p *parts) end() error {
	if p.err == nil {
		p.err = p.send(p.state)
	}
	return p.err
}

// rings are the history, if it is in the memory of this process alone; else nil.
func (h *Hub[C]) rings() *rings {
	if l, ok := h.link.(ringsLink); ok {
		return l.rings()
	}
	return nil
}

// RestoreBrokerState takes a part of what SaveBrokerState of the predecessor has said. It is called for each part, in
// order, by one Hub of the process, before any RestoreState. The part is on loan until it returns. An error says that
// it cannot be understood.
func (h *Hub[C]) RestoreBrokerState(part []byte) error {
	if _, err := h.handoverLink(); err != nil {
		return err
	}
	state, err := fields.Open(part, stateVersion)
	if err != nil {
		return err
	}
	return fields.Each(state, fieldKept, func(number uint64, value []byte) error {
		switch number {
		case fieldHistory:
			if s := h.rings(); s != nil {
				return s.restoreState(value, h.retention)
			}
		case fieldKept:
			return h.restoreKept(value)
		}
		return nil
	})
}

// HandedOver notes that the successor has the connections for which crossed reports true, and all that is published
// from now on. The Hub forgets them, and tells nobody: Options.Counted alone is told. It closes the Journal, and does
// nothing for others any more: what is published or asked ends with ErrClosed. Those that it still knows may be closed,
// and removed, as always.
func (h *Hub[C]) HandedOver(crossed func(C) bool) {
	h.Leaving()
	h.closed = true
	for r := range rolls {
		h.rolls[r] = rollState{}
	}
	if l, err := h.handoverLink(); err == nil {
		l.Abandon()
	}
	for _, m := range slices.Clone(h.everyone.members) {
		if crossed(m.conn) {
			h.forget(m)
		}
	}
}

// forget is Remove of a connection that has not closed.
func (h *Hub[C]) forget(m *Member[C]) {
	trace := h.trace
	h.trace = nil // it has not logged out
	h.Remove(m)
	h.trace = trace
}
