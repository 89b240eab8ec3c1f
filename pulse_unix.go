//go:build unix

package lineman

import (
	"sync"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// pulse is what the loop said of itself last.
type pulse struct {
	mu    sync.Mutex // guards stats
	stats channel.Stats
}

// beat answers how the loop is: by itself if it comes round in time, else beside it.
func (p *process) beat(r *channel.Request) {
	var patience channel.Patience
	if err := r.Decode(&patience); err != nil {
		r.Answer(nil, err)
		return
	}
	l := p.loop
	done := make(chan struct{})
	alive := l.Do(func() {
		s := l.census()
		p.pulse.mu.Lock()
		p.pulse.stats = s
		p.pulse.mu.Unlock()
		close(done)
	})
	var answer channel.Pulse
	late := time.NewTimer(patience.Wait)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		if alive {
			answer.Busy = max(time.Since(l.born)-time.Duration(l.turned.Load()), 1)
			answer.Callback = l.doing.get().String()
		}
	}
	p.pulse.mu.Lock()
	answer.Stats = p.pulse.stats
	p.pulse.mu.Unlock()
	r.Answer(answer, nil)
}

// census counts what the loop has.
func (l *Loop) census() channel.Stats {
	st := l.Stats()
	s := channel.Stats{
		Conns: st.Conns, Outgoing: l.outgoing, Accepted: st.Accepted, Messages: st.MessagesIn, Refused: st.Refused,
		Panics: st.Panics, Slow: st.Slow, Timers: st.Timers,
	}
	for _, sv := range l.services {
		if n := sv.listener; n != nil && n.addr != nil {
			s.Listeners = append(s.Listeners, channel.Listener{Worker: sv.name, Addr: sv.address.scheme + "://" + n.addr.String(), Conns: len(sv.conns)})
		}
	}
	return s
}

// pageSize is how many handles are looked at in one go, so that the list holds no callback up.
const pageSize = 512

// list gives a page of the connections.
func (p *process) list(r *channel.Request) {
	var page channel.Page
	if err := r.Decode(&page); err != nil {
		r.Answer(nil, err)
		return
	}
	l := p.loop
	if !l.Do(func() {
		answer := l.page(page.From)
		go r.Answer(answer, nil)
	}) {
		r.Answer(nil, errEnded)
	}
}

func (l *Loop) page(from int) (page channel.Conns) {
	until := min(from+pageSize, len(l.conns))
	for _, c := range l.conns[min(from, until):until] {
		if c != nil {
			page.Conns = append(page.Conns, c.describe())
		}
	}
	if until < len(l.conns) {
		page.Next = until
	}
	return page
}

func (c *Conn) describe() channel.Conn {
	st := c.Stats()
	d := channel.Conn{
		ID: c.id, Worker: c.service.name, Protocol: c.session.protocolName(c.service), TLS: c.secure != nil, Dialed: c.dial != nil,
		State: c.phase.get().String(), Pending: st.Pending, BytesIn: st.BytesIn, BytesOut: st.BytesOut,
	}
	if c.in != nil {
		d.Unread = len(c.in.bytes)
	}
	if a := c.LocalAddr(); a != nil {
		d.Local = a.String()
	}
	if a := c.RemoteAddr(); a != nil {
		d.Remote = a.String()
	}
	return d
}
