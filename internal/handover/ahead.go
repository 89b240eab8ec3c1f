//go:build unix

package handover

import "encoding/binary"

// ahead reads messages up to the end of the records on a goroutine of its own, while those that came before are taken:
// what the system does for a descriptor, and to read it, is a good part of what it costs to take a connection.
type ahead struct {
	stream *stream       // owned by the goroutine until loads is closed
	loads  chan load     // what has come; closed at the end of the goroutine
	free   chan load     // memory for others
	quit   chan struct{} // closed when no more is wanted
}

// load is what has come at once.
type load struct {
	messages []message
	bytes    []byte // of messages that lay in the buffer of the stream
	files    []int
	err      error // nothing follows
}

const (
	loadsAhead = 2
	loadBytes  = 64 << 10 // or a message that is longer
)

func readAhead(s *stream) *ahead {
	a := &ahead{
		stream: s, loads: make(chan load, loadsAhead), free: make(chan load, loadsAhead+2), quit: make(chan struct{}),
	}
	go a.run()
	return a
}

func (a *ahead) run() {
	defer close(a.loads)
	for goesOn := true; goesOn; {
		var l load
		select {
		case l = <-a.free:
		default:
		}
		goesOn = l.read(a.stream)
		select {
		case a.loads <- l:
		case <-a.quit:
			a.stream.files = append(a.stream.files, l.files...)
			return
		}
	}
}

// stop ends the goroutine, in a transfer that fails. It belongs to the stream then, and is closed with it, what nobody
// has taken.
func (a *ahead) stop() {
	close(a.quit)
	_ = a.stream.conn.CloseRead() // it waits no longer; if it fails, the other end has gone
	var files []int
	for l := range a.loads {
		files = append(files, l.files...)
	}
	a.stream.files = append(a.stream.files, files...)
}

// done gives the memory of a load back.
func (a *ahead) done(l load) {
	l.messages, l.bytes, l.files = l.messages[:0], l.bytes[:0], l.files[:0]
	select {
	case a.free <- l:
	default:
	}
}

// read reads a message, and those that have come with it. It reports whether there is more to read.
func (l *load) read(s *stream) bool {
	goesOn := true
	for first := true; goesOn && (first || s.hasFrame() && len(l.bytes) < loadBytes); first = false {
		m, err := s.read(s.limits.Step)
		if err != nil {
			l.err, goesOn = err, false
			break
		}
		l.add(m)
		goesOn = m.kind != kindEnd && m.kind != kindAbort
	}
	l.files = append(l.files, s.files...)
	s.files = s.files[:0]
	return goesOn
}

// add adds a message, which is valid as long as the load.
func (l *load) add(m message) {
	if !m.alone {
		at := len(l.bytes)
		l.bytes = append(l.bytes, m.payload...)
		m.payload = l.bytes[at:]
	}
	l.messages = append(l.messages, m)
}

// hasFrame reports whether a whole frame is in the buffer.
func (s *stream) hasFrame() bool {
	b := s.buffer[s.begin:s.end]
	return len(b) >= headBytes && uint64(len(b)) >= headBytes+sumBytes+uint64(binary.BigEndian.Uint32(b[2:]))
}
