//go:build unix

package handover

import (
	"net"
	"syscall"
	"testing"
)

// A middleman carries the frames between two processes, and does something to one of them.
type middleman struct {
	down, up *carrier      // what the predecessor says, what the successor says
	release  chan struct{} // closed when a frame that is late may come
}

// A carrier carries the frames of one side.
type carrier struct {
	from, to *stream
	fault    func(n int, frame []byte) action // what is to be done with the n-th frame; nil: nothing
	release  <-chan struct{}
	ended    chan struct{}
	kinds    []kind // that it has carried
}

// An action is what happens at a frame.
type action struct {
	late   bool   // it waits before it does the rest
	bytes  []byte // in place of the frame
	pieces bool   // the first of them come one by one
	ends   bool   // then who has written it dies

	written int
}

// mostPieces is how many bytes come one by one: more than the head of a frame has, and than most messages.
const mostPieces = 100

// between puts a middleman between two processes, and returns the ends that they have.
func between(t testing.TB) (m *middleman, own, other *net.UnixConn) {
	own, a := pair(t)
	b, other := pair(t)
	left, right, release := newStream(a, Limits{}), newStream(b, Limits{}), make(chan struct{})
	return &middleman{
		release: release,
		down:    &carrier{from: left, to: right, release: release, ended: make(chan struct{})},
		up:      &carrier{from: right, to: left, release: release, ended: make(chan struct{})},
	}, own, other
}

// run carries until both processes have ended the stream, or one has died.
func (m *middleman) run() {
	go m.down.carry()
	go m.up.carry()
}

// wait waits for the end of run.
func (m *middleman) wait() {
	for _, c := range []*carrier{m.down, m.up} {
		<-c.ended
		c.from.close()
	}
}

func (c *carrier) carry() {
	defer close(c.ended)
	defer c.to.conn.Close() // as the system does when a process ends
	var frames deframer
	for s := c.from; ; {
		f, n, err := frames.next(s.buffer[s.begin:s.end])
		if err != nil {
			panic(err)
		}
		if n == 0 {
			if s.fill(0) != nil {
				return
			}
			continue
		}
		var files []int
		if (f.kind == kindRecord || f.kind == kindLoan) && !f.more {
			if fd, ok := s.takeFile(); ok { // not with a record that is lent
				files = append(files, fd)
			}
		}
		act := action{bytes: s.buffer[s.begin : s.begin+n]}
		if c.fault != nil {
			act = c.fault(len(c.kinds), act.bytes)
		}
		c.kinds = append(c.kinds, f.kind)
		s.begin += n
		c.do(act, files)
		if act.ends {
			s.conn.Close()
			return
		}
	}
}

// do writes what is to be written. Who has gone does not read it.
func (c *carrier) do(act action, files []int) {
	if act.late {
		<-c.release
	}
	for first := true; len(act.bytes) > 0; first = false {
		size, rights := len(act.bytes), []byte(nil)
		if act.pieces && act.written < mostPieces {
			size = 1
		}
		if first {
			rights = syscall.UnixRights(files...)
		}
		n, _, err := c.to.conn.WriteMsgUnix(act.bytes[:size], rights, nil)
		if err != nil {
			break
		}
		act.bytes, act.written = act.bytes[n:], act.written+n
	}
	for _, fd := range files {
		syscall.Close(fd)
	}
}

// takeFile takes the first descriptor that has come.
func (s *stream) takeFile() (fd int, ok bool) {
	if len(s.files) == 0 {
		return -1, false
	}
	fd, s.files = s.files[0], s.files[1:]
	return fd, true
}
