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
//	AppendBrokerState, by its first Hub ──▶ RestoreBrokerState, by its first Hub
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

// stateVersion is that of all states of this package.
const stateVersion = 1

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

// AppendBrokerState appends what the Broker has in this process for all its Hubs: the history in memory, and what is
// kept for connections that come back. First all that waits for a Journal, for another loop, or for other nodes, is
// done, as far as that takes no longer than half a second, or than the Broker says: connections may be sent to, and
// functions that wait for outcomes are called. With a Journal the history does not cross: the successor reads it there.
// An error is why there can be no handover now.
func (h *Hub[C]) AppendBrokerState(dst []byte) ([]byte, error) {
	l, err := h.handoverLink()
	if err == nil {
		err = l.Settle()
	}
	if err != nil {
		return dst, err
	}
	dst = fields.Begin(dst, stateVersion)
	if s := h.rings(); s != nil {
		dst = slices.Grow(dst, s.bytes)
		dst = fields.Nested(dst, fieldHistory, s.appendState)
	}
	for _, k := range h.keptMessages() {
		dst = fields.Nested(dst, fieldKept, k.append)
	}
	return dst, nil
}

// rings are the history, if it is in the memory of this process alone; else nil.
func (h *Hub[C]) rings() *rings {
	if l, ok := h.link.(ringsLink); ok {
		return l.rings()
	}
	return nil
}

// RestoreBrokerState takes what AppendBrokerState of the predecessor has said. It is called once, by one Hub of the
// process, before any RestoreState. The state is on loan until it returns. An error says that it cannot be understood.
func (h *Hub[C]) RestoreBrokerState(state []byte) error {
	if _, err := h.handoverLink(); err != nil {
		return err
	}
	state, err := fields.Open(state, stateVersion)
	if err != nil {
		return err
	}
	return fields.Each(state, func(number uint64, value []byte) error {
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
