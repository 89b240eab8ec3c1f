package client

import (
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// tell has the handler of a target be told something, if it is followed.
func (s *session) tell(of push.Target, what func(h *Handler)) {
	s.c.mu.Lock()
	sub := s.c.subs[of]
	s.c.mu.Unlock()
	if sub != nil {
		s.c.queue.put(0, func() { sub.call(what) })
	}
}

// handleSubscribed notes that a target begins, or goes on.
func (s *session) handleSubscribed(f level1.Subscribed) {
	c := s.c
	c.mu.Lock()
	sub, ask := s.begunLocked(f)
	if sub == nil {
		c.mu.Unlock()
		if ask != nil {
			_ = s.send(ask) // hello says it again if that fails
		}
		return
	}
	sub.pending = false
	gap := sub.track.begun(f.Position, f.N, f.Gap)
	at := sub.track.at
	if !sub.isSettled && gap == "" {
		sub.position = at
	}
	sub.settleLocked()
	c.mu.Unlock()
	f.Gap = gap
	c.queue.put(0, func() { sub.call(func(h *Handler) { h.Began(f) }) })
	if gap != "" {
		s.tellMissed(sub, level1.Missed{Channel: f.Channel, Gap: gap, Position: at})
		return
	}
	c.queue.put(0, func() { sub.reach(at) })
}

// begunLocked is the subscription that the server has begun; nil if that is over, or if the server is to be asked
// first. What nobody has asked for is one of Options.Handler.
func (s *session) begunLocked(f level1.Subscribed) (sub *Subscription, ask *level1.Request) {
	sub = s.c.subs[f.Channel]
	switch {
	case sub == nil && (f.ID == 0 || f.ID == s.number):
		sub = s.c.newSubscription(f.Channel, push.Since{}, s.c.options.Handler)
		sub.session = s
		s.c.subs[f.Channel] = sub
	case sub == nil:
		return nil, nil
	case sub.dormant && f.ID == 0:
		sub.dormant = false
		if sub.session, sub.number = s, 0; sub.track.at != (push.Position{}) {
			return nil, sub.askLocked(s) // it goes on where it was
		}
	case !sub.isAboutLocked(s, f.ID):
		return nil, nil
	}
	return sub, nil
}

func (s *session) tellMissed(sub *Subscription, m level1.Missed) {
	s.c.queue.put(0, func() {
		sub.call(func(h *Handler) { h.Gap(m) })
		sub.reach(m.Position)
	})
}

// next is told the position of a message or a Passed. It says whether that is new for a subscription, and what was
// missed before it.
func (s *session) next(of push.Target, p push.Position) (sub *Subscription, fresh bool, missed push.Gap) {
	s.c.mu.Lock()
	var ask *level1.Request
	if sub = s.c.subs[of]; sub != nil {
		fresh, missed, ask = sub.nextLocked(s, p)
	}
	s.c.mu.Unlock()
	if ask != nil {
		_ = s.send(ask) // hello says it again if that fails
	}
	return sub, fresh, missed
}

// nextLocked is next for a subscription. At a hole the server is asked once to go on before it. What comes before the
// answer to a request comes again after it, if it has a position.
func (sub *Subscription) nextLocked(s *session, p push.Position) (fresh bool, missed push.Gap, ask *level1.Request) {
	if sub.dormant || sub.pending && p != (push.Position{}) {
		return false, "", nil
	}
	before := sub.track
	fresh, missed = sub.track.next(p)
	if missed != GapJump || sub.repaired == before.at {
		return fresh, missed, nil
	}
	sub.track, sub.repaired = before, before.at
	return false, "", sub.askLocked(s)
}

// handleMessage hands on a message that is new.
func (s *session) handleMessage(m level1.Message) {
	c := s.c
	sub, fresh, missed := s.next(m.Channel, m.Position)
	switch kind, _ := m.Channel.Split(); {
	case sub == nil && (kind == push.ToEveryone || kind == push.ToConn):
		c.queue.put(len(m.Data), func() { c.options.Handler.Message(m) })
		return
	case !fresh:
		return
	case missed != "":
		before := push.Position{Epoch: m.Position.Epoch, Offset: m.Position.Offset - 1}
		s.tellMissed(sub, level1.Missed{Channel: m.Channel, Gap: missed, Position: before})
	}
	c.queue.put(len(m.Data), func() {
		sub.call(func(h *Handler) { h.Message(m) })
		sub.reachIfSet(m.Position)
	})
}

// reachIfSet is reach for what may have no Position.
func (sub *Subscription) reachIfSet(p push.Position) {
	if p != (push.Position{}) {
		sub.reach(p)
	}
}

// handlePassed moves a target on.
func (s *session) handlePassed(f level1.Passed) {
	sub, fresh, missed := s.next(f.Channel, f.Position)
	switch {
	case !fresh:
	case missed != "":
		s.tellMissed(sub, level1.Missed{Channel: f.Channel, Gap: missed, Position: f.Position})
	default:
		s.c.queue.put(0, func() { sub.reachIfSet(f.Position) })
	}
}

// handleMissed has a target go on behind a gap.
func (s *session) handleMissed(f level1.Missed) {
	c := s.c
	c.mu.Lock()
	sub := c.subs[f.Channel]
	live := sub != nil && !sub.pending
	if live {
		sub.track.at = f.Position
	}
	c.mu.Unlock()
	if live {
		s.tellMissed(sub, f)
	}
}
