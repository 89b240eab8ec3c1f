package push

import (
	"slices"
	"time"
)

// relink is told by the Broker whether other nodes are reached.
func (h *Hub[C]) relink(up bool) {
	if up == h.linked {
		return
	}
	h.linked = up
	h.links++
	switch {
	case up && h.arriving != nil: // nothing was missed
	case up:
		if !h.unlinked.IsZero() {
			h.stats.Away += time.Since(h.unlinked)
		}
		h.relinkTails()
		if !h.isOneProcess() { // else nothing was missed
			h.renewPresence()
		}
		h.relinkRolls()
		h.relinkHeadcounts()
		h.release()
		if h.options.SingleLogin && !h.isAlone() {
			h.announceLogins()
			h.closeOutdated()
		}
	default:
		h.unlinkRolls()
		h.stats.Breaks++
		h.unlinked = time.Now()
	}
	if h.options.Linked != nil {
		h.options.Linked(up)
	}
}

// What may wait for the link.
const (
	maxWaiting      = 10_000
	maxWaitingBytes = 16 << 20
)

// waiting is a message that waits for the link.
type waiting[C Conn] struct {
	Message[C]
	done func(Outcome)
}

// hold keeps a message until the link is up, and reports whether there was room for it.
func (h *Hub[C]) hold(m Message[C], done func(Outcome)) bool {
	if h.options.After == nil || len(h.held) >= maxWaiting || h.heldBytes+len(m.Data) > maxWaitingBytes {
		return false
	}
	m.To, m.Data = slices.Clone(m.To), slices.Clone(m.Data)
	w := &waiting[C]{m, done}
	h.held = append(h.held, w)
	h.heldBytes += len(m.Data)
	h.options.After(m.Wait, func() {
		if i := slices.Index(h.held, w); i >= 0 {
			h.held = slices.Delete(h.held, i, i+1)
			h.heldBytes -= len(m.Data)
			h.refuse(m, ErrUnlinked, done)
		}
	})
	return true
}

// release publishes what has waited for the link, in order.
func (h *Hub[C]) release() {
	held := h.held
	h.held, h.heldBytes = nil, 0
	for _, w := range held {
		h.send(w.Message, w.done)
	}
}

// refuse tells that a message was not sent.
func (h *Hub[C]) refuse(m Message[C], err error, done func(Outcome)) {
	if err == ErrUnlinked {
		h.stats.Unlinked++
	}
	h.unsent(m, err)
	if done != nil {
		done(Outcome{Err: err})
	}
}

// isOwn reports whether some targets are connections of this node: no other is concerned.
func (h *Hub[C]) isOwn(to []Target) bool {
	return !slices.ContainsFunc(to, func(t Target) bool { return !h.hasName(t.Topic()) })
}
