package lineman

import (
	"net"

	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/internal/sock"
)

// opener opens the sockets that a loop listens on.
type opener interface {
	stream(s *service) (net.Listener, error)
	packets(s *service) (net.PacketConn, error)

	shared(s *service) bool // other processes accept from the same socket
	released(s *service)    // the application has closed the listener
	ended(s *service)       // the loop has done with it
}

// ownSockets are opened by the process that listens on them.
type ownSockets struct{}

func (ownSockets) stream(s *service) (net.Listener, error) {
	return sock.Listen(s.address.network, s.address.target, s.options())
}

func (ownSockets) packets(s *service) (net.PacketConn, error) {
	return sock.ListenPacket(s.address.network, s.address.target, s.options())
}

func (ownSockets) shared(*service) bool { return false }

func (o ownSockets) released(s *service) { o.ended(s) }

func (ownSockets) ended(s *service) {
	if s.address.network == "unix" {
		sock.Remove(s.address.target)
	}
}

func (s *service) options() sock.Options {
	return sock.Options{ReusePort: s.worker.ReusePort, Mode: s.worker.Mode, Owner: s.worker.Owner}
}

// host is who runs the loop's process: a master, or nobody.
type host interface {
	recycle()
}

// takeAhead takes in what the poller has taken from listening sockets ahead.
func (l *Loop) takeAhead() {
	for _, s := range l.services {
		if s.listener != nil {
			s.listener.takeAhead()
		}
	}
}

// takeAhead takes in what the poller has taken from the socket ahead, because no other process can. The listener is to
// be shut next.
func (n *Listener) takeAhead() {
	if l := n.service.loop; n.addr != nil && l.poll.Halt(n.handle) {
		l.sockets[n.handle].ready(poll.Event{Handle: n.handle, Read: true})
	}
}

// closeListeners ends the use of all listening sockets.
func (l *Loop) closeListeners() {
	for _, s := range l.services {
		if s.listener != nil && s.listener.shut() {
			l.open.ended(s)
		}
	}
}
