//go:build unix

package lineman

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// heartbeat is the status that each loop told last.
type heartbeat struct {
	mu    sync.Mutex // guards the following
	loops []ProcessStatus
	spare *beating // for the next one; nil while there is none
}

// begin notes the status of loops that do not run yet.
func (h *heartbeat) begin(runs []*loopRun) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.loops, h.spare = make([]ProcessStatus, len(runs)), nil // the spare one may be of other loops
	for i, own := range runs {
		h.loops[i] = own.loop.status()
	}
}

func (h *heartbeat) note(loop int, s ProcessStatus) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.loops[loop] = s
}

// beating is the memory of a heartbeat, which the next one uses again: an idle process has one each second, and it
// would be garbage.
type beating struct {
	pulses []pulse
	late   *time.Timer
	status ProcessStatus
	answer beat
}

// take is the spare memory, or new one.
func (h *heartbeat) take() *beating {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.spare
	if h.spare = nil; b == nil {
		b = &beating{pulses: make([]pulse, len(h.loops)), late: time.NewTimer(time.Hour)}
	}
	return b
}

// give has the next heartbeat use the memory.
func (h *heartbeat) give(b *beating) {
	b.late.Stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.spare = b
}

// beat answers with a heartbeat: from the loops if they come round in time, else beside them.
func (p *process) beat(r *channel.Request) {
	var probe channel.Probe
	if err := r.Decode(&probe); err != nil {
		r.Answer(nil, err)
		return
	}
	b := p.heartbeat.take()
	defer p.heartbeat.give(b)
	for i, own := range p.runs {
		p.probe(&b.pulses[i], i, own.loop)
	}
	b.late.Reset(probe.Wait)
	over := false
	for i := range b.pulses {
		over = b.pulses[i].await(b.late.C, over)
	}
	b.status = p.heartbeat.sum(b.pulses)
	status := &b.status
	b.answer = beat{Status: status, Heartbeat: channel.Heartbeat{
		Conns: status.Conns, Relays: status.Relays, Traffic: channel.Traffic{
			Messages: status.Requests, MessagesOut: status.Sent, BytesIn: status.BytesIn, BytesOut: status.BytesOut,
		},
	}}
	for i := range b.pulses {
		if u := &b.pulses[i]; u.busy > b.answer.Busy {
			b.answer.Busy, b.answer.Callback = u.busy, u.callback
		}
	}
	r.Answer(&b.answer, nil)
}

// beat is a heartbeat with the status as it is. As JSON of its own it would be encoded twice.
type beat struct {
	channel.Heartbeat
	Status *ProcessStatus `json:"status"`
}

// pulse is how a loop is.
type pulse struct {
	loop     *Loop
	came     chan struct{} // gets something when it comes round; nil if it may yet come for an earlier heartbeat
	tell     func()        // what it does then
	alive    bool
	busy     time.Duration // that it has not
	callback string
}

// probe has a loop tell its status.
func (p *process) probe(u *pulse, i int, l *Loop) {
	if u.came == nil {
		came := make(chan struct{}, 1)
		u.loop, u.came, u.tell = l, came, func() {
			s := l.status()
			s.Report = l.report()
			p.heartbeat.note(i, s)
			came <- struct{}{}
		}
	}
	u.busy, u.callback = 0, ""
	u.alive = l.Do(u.tell)
}

// await waits until the loop has come round, unless time is over, and reports whether it is.
func (u *pulse) await(late <-chan time.Time, over bool) bool {
	if !over {
		select {
		case <-u.came:
			return false
		case <-late:
		}
	}
	select {
	case <-u.came:
	default:
		u.came = nil
		if u.alive {
			u.busy = max(time.Since(u.loop.born)-time.Duration(u.loop.turned.Load()), 1)
			u.callback = u.loop.doing.get().String()
		}
	}
	return true
}

// sum is the status of all loops.
func (h *heartbeat) sum(pulses []pulse) ProcessStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.loops[0]
	if len(h.loops) == 1 {
		return all
	}
	all.Listeners = slices.Clone(all.Listeners)
	for i, s := range h.loops {
		all.Loops = append(all.Loops, LoopStatus{
			Index: i, Busy: pulses[i].busy.Seconds(), Callback: pulses[i].callback,
			Conns: s.Conns, Accepted: s.Accepted, Requests: s.Requests,
		})
		if i > 0 {
			all.add(&s)
		}
	}
	return all
}

// add counts the loop of another status in.
func (s *ProcessStatus) add(other *ProcessStatus) {
	s.Conns += other.Conns
	s.Outgoing += other.Outgoing
	s.Relays += other.Relays
	s.Accepted += other.Accepted
	s.Requests += other.Requests
	s.Sent += other.Sent
	s.BytesIn += other.BytesIn
	s.BytesOut += other.BytesOut
	s.Refused += other.Refused
	s.Panics += other.Panics
	s.Slow += other.Slow
	s.Timers += other.Timers
	for _, n := range other.Listeners {
		i := slices.IndexFunc(s.Listeners, func(m ListenerStatus) bool {
			return m.Worker == n.Worker && m.Addr == n.Addr
		})
		if i < 0 {
			s.Listeners = append(s.Listeners, n)
		} else {
			s.Listeners[i].Conns += n.Conns
		}
	}
}

// status is what the loop itself knows of its process.
func (l *Loop) status() ProcessStatus {
	st := l.Stats()
	s := ProcessStatus{
		Conns: st.Conns - l.relayEnds() + l.relaying(), Outgoing: l.outgoing, Relays: l.relaying(),
		Accepted: st.Accepted, Requests: st.MessagesIn, Refused: st.Refused,
		Panics: st.Panics, Slow: st.Slow, Timers: st.Timers,
		Sent: st.MessagesOut, BytesIn: st.BytesIn, BytesOut: st.BytesOut,
		Listeners: make([]ListenerStatus, 0, len(l.services)),
	}
	for _, sv := range l.services {
		if n := sv.listener; n != nil && n.addr != nil {
			s.Listeners = append(s.Listeners, ListenerStatus{Worker: sv.name, Addr: n.shown, Conns: sv.count})
		}
	}
	return s
}

// report is what the application says of itself, in JSON; nil if it says nothing.
func (l *Loop) report() (text json.RawMessage) {
	if l.index > 0 || len(l.services) == 0 || l.services[0].worker.Report == nil {
		return nil
	}
	l.call(inReport, func() {
		var err error
		if text, err = json.Marshal(l.services[0].worker.Report(l)); err != nil {
			l.log.Error("lineman: what Worker.Report returns is left out of the status: it is no JSON", "error", err)
		}
	})
	return text
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
	// A place is a handle and, as its remainder, the number of the loop.
	loops := len(p.runs)
	index := page.From % loops
	l := p.runs[index].loop
	if !l.Do(func() {
		conns, next := l.page(page.From / loops)
		if next *= loops; next > 0 {
			next += index
		} else if index+1 < loops {
			next = index + 1
		}
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
	until := min(from+pageSize, l.conns.Len())
	for i := from; i < until; i++ {
		if c := *l.conns.At(i); c != nil {
			conns = append(conns, statusOf(c))
		}
	}
	if until < l.conns.Len() {
		next = until
	}
	return conns, next
}

// statusOf is what the loop itself knows of a connection.
func statusOf(c *Conn) ConnStatus {
	st := c.Stats()
	d := ConnStatus{
		ID: c.id, Loop: c.loop.index, Worker: c.service.name, Protocol: c.session.protocolName(c.service),
		TLS: isSecure(c), Dialed: c.link.dialing() != nil,
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
