package push

import (
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
)

// keptState is a message that is kept for connections that come back, and whose publisher needs no answer any more.
type keptState struct {
	to     []Target
	data   []byte
	node   string // that has published it, and the publication's number there
	number uint64
	left   time.Duration // for how long it is kept
}

// The fields of a message that is kept.
const (
	fieldKeptTo     = 1 // once for each target
	fieldKeptData   = 2
	fieldKeptNode   = 3
	fieldKeptNumber = 4
	fieldKeptLeft   = 5 // in milliseconds
)

func (k keptState) append(dst []byte) []byte {
	for _, t := range k.to {
		dst = fields.Item(dst, fieldKeptTo, t)
	}
	dst = fields.Bytes(dst, fieldKeptData, k.data)
	dst = fields.Bytes(dst, fieldKeptNode, k.node)
	dst = fields.Uint(dst, fieldKeptNumber, k.number)
	return fields.Uint(dst, fieldKeptLeft, milliseconds(k.left))
}

// milliseconds is a time as it crosses: at least one.
func milliseconds(d time.Duration) uint64 { return uint64(max(1, d.Milliseconds())) }

// putTime reads it.
func putTime(to *time.Duration, value []byte) error {
	var ms uint32
	err := fields.Put(&ms, value)
	*to = time.Duration(ms) * time.Millisecond
	return err
}

// keptMessages are those that cross, in order.
func (h *Hub[C]) keptMessages() []keptState {
	if l, shared := h.link.(*memoryLink); shared {
		return l.broker.keptMessages()
	}
	var all []*kept[C]
	for _, of := range h.replay.kept {
		all = append(all, of...)
	}
	slices.SortFunc(all, func(a, b *kept[C]) int { return int(a.order) - int(b.order) })
	var states []keptState
	for _, k := range slices.Compact(all) {
		if left := time.Until(k.until); left > 0 && k.done == nil {
			states = append(states, keptState{k.To, k.Data, k.node, k.number, left})
		}
	}
	return states
}

func (b *Memory) keptMessages() (states []keptState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []*sharedKept
	for _, of := range b.replay.kept {
		all = append(all, of...)
	}
	slices.SortFunc(all, func(a, b *sharedKept) int { return int(a.order) - int(b.order) })
	for _, k := range slices.Compact(all) {
		if left := time.Until(k.until); left > 0 && !k.owes() {
			states = append(states, keptState{k.to, k.data, k.node, k.number, left})
		}
	}
	return states
}

// restoreKept keeps a message of the predecessor for the rest of its time.
func (h *Hub[C]) restoreKept(state []byte) error {
	var k keptState
	if err := fields.Each(state, fieldKeptLeft, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldKeptTo:
			k.to = append(k.to, Target(value))
		case fieldKeptData:
			k.data = slices.Clone(value)
		case fieldKeptNode:
			k.node = string(value)
		case fieldKeptNumber:
			err = fields.Put(&k.number, value)
		case fieldKeptLeft:
			err = putTime(&k.left, value)
		}
		return err
	}); err != nil {
		return err
	}
	if len(k.to) == 0 || len(k.to) > MaxTargets {
		return fields.ErrMalformed
	}
	if h.isOneProcess() && h.options.After != nil {
		h.putKept(k)
	}
	return nil
}

func (h *Hub[C]) putKept(k keptState) {
	until := time.Now().Add(k.left)
	if l, shared := h.link.(*memoryLink); shared {
		s := &sharedKept{
			to: k.to, data: k.data, node: k.node, number: k.number, until: until,
			tell: func(int, error) {}, owes: func() bool { return false },
		}
		l.broker.exclusively(func() { l.broker.replay.put(s) })
		h.options.After(k.left, func() { l.forget(s) })
		return
	}
	b := &h.replay
	if b.count >= maxWaiting || b.bytes+len(k.data) > maxWaitingBytes {
		return
	}
	one := &kept[C]{Message: Message[C]{To: k.to, Data: k.data}, node: k.node, number: k.number, until: until}
	b.put(one)
	h.options.After(k.left, func() { b.remove(one) })
}
