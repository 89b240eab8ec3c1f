//go:build unix

package lineman

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// heartbeat is the status that the loop told last.
type heartbeat struct {
	mu     sync.Mutex // guards status
	status ProcessStatus
}

// beat answers with a heartbeat: from the loop if it comes round in time, else beside it.
func (p *process) beat(r *channel.Request) {
	var probe channel.Probe
	if err := r.Decode(&probe); err != nil {
		r.Answer(nil, err)
		return
	}
	l := p.loop
	done := make(chan struct{})
	alive := l.Do(func() {
		s := l.status()
		p.heartbeat.mu.Lock()
		p.heartbeat.status = s
		p.heartbeat.mu.Unlock()
		close(done)
	})
	var answer channel.Heartbeat
	late := time.NewTimer(probe.Wait)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		if alive {
			answer.Busy = max(time.Since(l.born)-time.Duration(l.turned.Load()), 1)
			answer.Callback = l.doing.get().String()
		}
	}
	p.heartbeat.mu.Lock()
	status := p.heartbeat.status
	p.heartbeat.mu.Unlock()
	answer.Messages = status.Requests
	var err error
	answer.Status, err = json.Marshal(status)
	r.Answer(answer, err)
}

// status is what the loop itself knows of its process.
func (l *Loop) status() ProcessStatus {
	st := l.Stats()
	s := ProcessStatus{
		Conns: st.Conns, Outgoing: l.outgoing, Accepted: st.Accepted, Requests: st.MessagesIn, Refused: st.Refused,
		Panics: st.Panics, Slow: st.Slow, Timers: st.Timers,
	}
	for _, sv := range l.services {
		if n := sv.listener; n != nil && n.addr != nil {
			addr := sv.address.scheme + "://" + n.addr.String()
			s.Listeners = append(s.Listeners, ListenerStatus{Worker: sv.name, Addr: addr, Conns: len(sv.conns)})
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
		conns, next := l.page(page.From)
		go func() {
			text, err := json.Marshal(conns)
			r.Answer(channel.Conns{Conns: text, Next: next}, err)
		}()
	}) {
		r.Answer(nil, errEnded)
	}
}

// page are the connections from a place on, and where the next ones begin; 0 after the last.
func (l *Loop) page(from int) (conns []ConnStatus, next int) {
	until := min(from+pageSize, len(l.conns))
	for _, c := range l.conns[min(from, until):until] {
		if c != nil {
			conns = append(conns, c.status())
		}
	}
	if until < len(l.conns) {
		next = until
	}
	return conns, next
}

// status is what the loop itself knows of a connection.
func (c *Conn) status() ConnStatus {
	st := c.Stats()
	d := ConnStatus{
		ID: c.id, Worker: c.service.name, Protocol: c.session.protocolName(c.service),
		TLS: c.secure != nil, Dialed: c.dial != nil,
		State: c.phase.get().String(), Pending: st.Pending, BytesIn: st.BytesIn, BytesOut: st.BytesOut,
	}
	if c.in.rest != nil {
		d.Unread = len(c.in.rest.bytes)
	}
	if a := c.LocalAddr(); a != nil {
		d.Local = a.String()
	}
	if a := c.RemoteAddr(); a != nil {
		d.Remote = a.String()
	}
	return d
}
