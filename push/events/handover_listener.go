package events

import (
	"slices"

	"github.com/lineman-go/lineman/internal/fields"
)

// The fields of a listener.
const (
	fieldListenerNumber = 1
	fieldListenerWindow = 2
	fieldListenerAcked  = 3
	fieldListenerSent   = 4
	fieldListenerBehind = 5
	fieldListenerItem   = 6 // once for each
	fieldListenerRelay  = 7 // it is on another node
)

// The fields of a binding.
const (
	fieldBindingConn     = 1
	fieldBindingListener = 2 // how many come before it, and 1; 0: none
	fieldBindingGone     = 3
)

// The fields of an item.
const (
	fieldItemText   = 1
	fieldItemConn   = 2
	fieldItemAlone  = 3 // it is for its listener alone
	fieldItemAt     = 4
	fieldItemAgain  = 5
	fieldItemDone   = 6 // which completion, and 1; 0: none
	fieldItemCame   = 7 // another node has relayed it
	fieldItemFrom   = 8 // by which inflow, and 1; 0: by one that has ended
	fieldItemNumber = 9 // of what that relays
)

func (w *stateWriter) appendListener(dst []byte, l *Listener) []byte {
	dst = fields.Uint(dst, fieldListenerNumber, l.number)
	dst = fields.Uint(dst, fieldListenerWindow, uint64(l.window))
	dst = fields.Uint(dst, fieldListenerAcked, l.acked)
	dst = fields.Uint(dst, fieldListenerSent, uint64(l.sent))
	dst = fields.Bool(dst, fieldListenerBehind, l.behind)
	if l.relay != nil {
		dst = fields.Nested(dst, fieldListenerRelay, l.relay.appendState)
	}
	return w.appendQueue(dst, fieldListenerItem, &l.queue)
}

func (w *stateWriter) appendQueue(dst []byte, field uint64, q *queue) []byte {
	for i := range q.len() {
		it := q.at(i)
		dst = fields.Nested(dst, field, func(dst []byte) []byte {
			dst = fields.Bytes(dst, fieldItemText, it.text)
			dst = fields.Bytes(dst, fieldItemConn, it.conn())
			dst = fields.Bool(dst, fieldItemAlone, it.binding == nil)
			dst = fields.Uint(dst, fieldItemAt, uint64(max(0, it.at)))
			dst = fields.Bool(dst, fieldItemAgain, it.again)
			dst = fields.Bool(dst, fieldItemCame, it.from != nil)
			dst = fields.Uint(dst, fieldItemFrom, w.inflows[it.from])
			dst = fields.Uint(dst, fieldItemNumber, it.number)
			return fields.Uint(dst, fieldItemDone, w.completions[it.done])
		})
	}
	return dst
}

type listenerState struct {
	number, acked        uint64
	window, sent, behind uint32
	items                []itemState
	relay                *relayState // nil: it is here
}

type bindingState struct {
	conn     string
	listener uint32
	gone     uint8
}

type itemState struct {
	text         []byte
	conn         string
	at           int64
	done, from   uint32
	number       uint64
	alone, again uint8
	came         uint8
}

func (s *listenerState) take(number uint64, value []byte) (err error) {
	switch number {
	case fieldListenerNumber:
		err = fields.Put(&s.number, value)
	case fieldListenerWindow:
		err = fields.Put(&s.window, value)
	case fieldListenerAcked:
		err = fields.Put(&s.acked, value)
	case fieldListenerSent:
		err = fields.Put(&s.sent, value)
	case fieldListenerBehind:
		err = fields.Put(&s.behind, value)
	case fieldListenerItem:
		s.items, err = takeItem(s.items, value)
	case fieldListenerRelay:
		s.relay = &relayState{}
		err = fields.Each(value, fieldRelayGone, s.relay.take)
	}
	return err
}

func (s *bindingState) take(number uint64, value []byte) (err error) {
	switch number {
	case fieldBindingConn:
		s.conn = string(value)
	case fieldBindingListener:
		err = fields.Put(&s.listener, value)
	case fieldBindingGone:
		err = fields.Put(&s.gone, value)
	}
	return err
}

func takeItem(to []itemState, state []byte) ([]itemState, error) {
	var it itemState
	err := fields.Each(state, fieldItemNumber, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldItemText:
			it.text = slices.Clone(value)
		case fieldItemConn:
			it.conn = string(value)
		case fieldItemAlone:
			err = fields.Put(&it.alone, value)
		case fieldItemAt:
			err = fields.Put(&it.at, value)
		case fieldItemAgain:
			err = fields.Put(&it.again, value)
		case fieldItemDone:
			err = fields.Put(&it.done, value)
		case fieldItemCame:
			err = fields.Put(&it.came, value)
		case fieldItemFrom:
			err = fields.Put(&it.from, value)
		case fieldItemNumber:
			err = fields.Put(&it.number, value)
		}
		return err
	})
	return append(to, it), err
}

func flag(is bool) uint8 {
	if is {
		return 1
	}
	return 0
}
