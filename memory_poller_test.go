package lineman_test

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/lineman-go/lineman/internal/poll"
)

// memoryPoller is a poller without a kernel: what it costs to serve is the loop's own. Its clients never stop: each
// Wait finds the next few connections readable, each with the same bytes. What is written is counted.
type memoryPoller struct {
	poll.Poller        // nil: nothing else is called
	request     []byte // what each connection has come
	each        int    // events of a Wait
	arrived     int    // connections that Accept has given
	clients     int    // and will give
	next        int    // whose turn it is
	quiet       bool   // nothing comes
	together    bool   // many are written to by one call
	events      []poll.Event
	written     int
	writes      int
}

const memoryListener = 0

func (p *memoryPoller) Listen(ln net.Listener, _ bool) (poll.Handle, error) {
	ln.Close()
	return memoryListener, nil
}

func (p *memoryPoller) Accept(poll.Handle) (poll.Accepted, netip.AddrPort, error) {
	if p.arrived == p.clients {
		return poll.Accepted{}, netip.AddrPort{}, poll.ErrAgain
	}
	return poll.Accepted{}, netip.AddrPort{}, nil
}

func (p *memoryPoller) Adopt(poll.Accepted) (poll.Handle, error) {
	p.arrived++
	return poll.Handle(p.arrived), nil
}

func (p *memoryPoller) Wait(time.Duration) ([]poll.Event, error) {
	p.events = p.events[:0]
	switch {
	case p.arrived < p.clients:
		p.events = append(p.events, poll.Event{Handle: memoryListener, Read: true})
	case !p.quiet:
		for range p.each {
			p.next = p.next%p.clients + 1
			p.events = append(p.events, poll.Event{Handle: poll.Handle(p.next), Read: true})
		}
	}
	return p.events, nil
}

func (p *memoryPoller) Read(_ poll.Handle, b []byte) (int, error) { return copy(b, p.request), nil }

func (p *memoryPoller) Write(_ poll.Handle, b []byte) (int, error) {
	p.written += len(b)
	p.writes++
	return len(b), nil
}

// Batch is none, but for a poller that writes together.
func (p *memoryPoller) Batch() (poll.Batch, error) {
	if !p.together {
		return nil, errors.ErrUnsupported
	}
	return memoryBatch{p}, nil
}

// memoryBatch is the memoryPoller's way to write to many connections.
type memoryBatch struct{ p *memoryPoller }

func (b memoryBatch) Write(writes []poll.Write) {
	for i := range writes {
		w := &writes[i]
		w.N, w.Err = b.p.Write(w.Handle, w.Bytes)
	}
}

func (memoryBatch) Close() error { return nil }

func (p *memoryPoller) Arm(poll.Handle, bool, bool) error      { return nil }
func (p *memoryPoller) UserTimeout(poll.Handle, time.Duration) {}
func (p *memoryPoller) Close(poll.Handle, bool)                {}
func (p *memoryPoller) Halt(poll.Handle) bool                  { return false }
func (p *memoryPoller) LocalAddr(poll.Handle) net.Addr         { return &net.TCPAddr{} }
func (p *memoryPoller) Unsent(poll.Handle) bool                { return false }
func (p *memoryPoller) Wake()                                  {}
func (p *memoryPoller) Shut()                                  {}
