package server

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/text"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
	"github.com/lineman-go/lineman/push/events"
)

// maxWaiting is how many lines of a back end may wait for their answers: then no more of its lines are read.
const maxWaiting = 1024

// backend is a back end's connection.
type backend struct {
	admission
	server   *Server
	in       bool            // it may ask
	permit   *command.Permit // for what; nil means everything
	from     *push.Source
	watching *command.Watching // nil unless it has become a stream of events
	listener *events.Listener  // nil unless it listens
	listened int               // the number of the answer to listen
	began    bool              // that answer was sent
	answers  answers
	changing bool // its next line waits for the answer to the command at hand
	full     bool // it does not read its answers
	yielding bool // other connections have the loop before its next line
	paused   bool
	leaving  bool // it goes when its lines are answered
}

// expect adds an answer that is not known yet.
func (b *backend) expect() int {
	b.conn.Hold() // a back end may have said all, and wait
	n := b.answers.expect()
	b.applyBackpressure()
	return n
}

// settle gives an answer its text, which is on loan, and sends those that are known, up to the first that is not.
func (b *backend) settle(n int, text []byte) {
	b.server.slice.answered(len(text))
	b.answers.settle(n, text, b.send)
	b.applyBackpressure()
	b.resume()
	b.part()
}

const (
	maxUnread = 1 << 20 // bytes of answers that wait to be read
	// of one that is lost then, for many a back end never reads whether its lines were done; longer ones are waited
	// with
	shortAnswer = 256
)

// send sends an answer, and reports whether it does not have to wait until the back end has read others.
func (b *backend) send(text []byte) bool {
	if b.full {
		return false
	}
	err := b.conn.Send(text)
	refused := errors.Is(err, lineman.ErrFull)
	switch b.full = len(text) > shortAnswer && (refused || b.conn.Pending() >= maxUnread); {
	case b.full && refused:
		return false
	case refused:
		b.server.guard.note("unread", "a back end does not read its answers: this one is lost",
			"remote", b.conn.RemoteAddr())
	}
	b.conn.Release()
	return true
}

// drained goes on when what was sent has been read.
func (b *backend) drained() {
	b.full = false
	b.answers.flush(b.send)
	b.applyBackpressure()
	b.part()
	if b.watching != nil {
		b.watching.Resume()
	}
	b.resume()
}

// yield gives the loop to others before the next line.
func (b *backend) yield() {
	b.yielding = true
	b.applyBackpressure()
	b.server.slice.next(func() {
		b.yielding = false
		b.applyBackpressure()
	})
}

// leave has a back end go, to a successor if there is one, when its lines are answered. No more of them are read.
func (b *backend) leave() {
	b.leaving = true
	b.applyBackpressure()
	b.part()
}

func (b *backend) part() {
	if b.leaving && b.answers.len() == 0 {
		_ = b.conn.Close()
	}
}

// change has the next line wait until the command at hand is answered, or no longer: the command changes who gets what,
// or has a long answer.
func (b *backend) change(changing bool) {
	b.changing = changing
	b.applyBackpressure()
}

// applyBackpressure stops reading a back end while its lines cannot be done, and reads on when they can: a back end
// that is too fast waits for its socket.
func (b *backend) applyBackpressure() {
	wait := b.changing || b.full || b.yielding || b.leaving || b.answers.len() >= maxWaiting
	switch {
	case wait && !b.paused:
		b.conn.Pause()
	case !wait && b.paused:
		b.conn.Resume()
	}
	b.paused = wait
}

// textWorker is the port for lines of back ends.
func (s *Server) textWorker() *lineman.Worker {
	w := &lineman.Worker{
		Name: "backends", Addr: "text://" + s.config.Text.Listen, ReusePort: s.config.Count > 1, Logger: s.options.Log,
		Protocol: text.Protocol{RefuseHTTP: true, WantObject: true}, // a page of another site can post to this port
		Limits:   lineman.Limits{MaxMessage: s.config.Limits.Publish + aroundPublication, MaxPending: maxUnread},
	}
	open := !s.wantsKey()
	w.OnAccept = func(c *lineman.Conn) error {
		p, ok := s.guard.acquire(&s.guard.backends, c)
		if !ok {
			return errNoSlot
		}
		from := &push.Source{Via: "line", Peer: peer{c}}
		c.SetValue(&backend{admission: admission{conn: c, slot: p}, in: open, server: s, from: from})
		return nil
	}
	w.OnConnect = func(c *lineman.Conn) { s.receive(c.Value().(*backend)) }
	w.OnGone = func(c *lineman.Conn) {
		b := c.Value().(*backend)
		s.guard.keylessLines.remove(&b.admission)
		s.guard.release(&s.guard.backends, b.slot)
		if b.watching != nil {
			b.watching.End()
		}
		s.endListening(b)
	}
	w.OnMessage = func(c *lineman.Conn, line []byte) { s.line(c.Value().(*backend), line) }
	w.OnDrain = func(c *lineman.Conn) { c.Value().(*backend).drained() }
	w.OnInvalid = func(c *lineman.Conn, err error) { s.invalid(c.Value().(*backend), err) }
	w.Save, w.Restore = s.saveBackend, s.restoreBackend
	s.hearing.worker = s.hearingWorker(w)
	if !open {
		known := *w // one has to be known before it has lines kept that are long
		known.Name, known.Addr, known.Protocol, known.ReusePort = "known backends", "", text.Protocol{}, false
		s.known = &known
		s.hearing.worker = s.hearingWorker(s.known)
		w.Limits.MaxMessage = command.MaxAuthLine
	}
	return w
}

// aroundPublication is what may stand around a publication in a line, in bytes: its command, and its targets.
const aroundPublication = 64 << 10

// invalid answers a line that is not valid. If it is the first line, the peer is taken for no back end.
func (s *Server) invalid(b *backend, err error) {
	a := b.expect()
	stray := errors.Is(err, text.ErrNoObject)
	switch {
	case !b.in:
		s.turnAway(b, a)
		return
	case stray:
		s.guard.refuse("stray", "a back end was turned away: its first line is no JSON object", "remote",
			b.conn.RemoteAddr())
	}
	why := strings.TrimPrefix(err.Error(), "text: ")
	if errors.Is(err, lineman.ErrTooLarge) {
		why = fmt.Sprintf("a line has at most %d bytes: limits.publish says so, and %d more around a publication",
			s.config.Limits.Publish+aroundPublication, aroundPublication)
	}
	b.settle(a, []byte("error: "+why))
	if stray {
		b.dismiss()
	}
}

// receive tells a back end that there is no slot for it. Where a key is wanted, it gives a back end some time to say
// it.
func (s *Server) receive(b *backend) {
	switch {
	case b.slot.why != "":
		s.guard.refuse(b.slot.why, "a back end was turned away: there are too many", "remote", b.conn.RemoteAddr())
		_ = b.conn.Send([]byte("error: too many connections: " + b.slot.why))
		b.dismiss()
	case !b.in:
		s.awaitKey(&s.guard.keylessLines, &b.admission)
	}
}

// line does what a line asks.
func (s *Server) line(b *backend, line []byte) {
	s.slice.begin(b.conn, len(line))
	s.lag.begin(s.loop, s.slice.began)
	if b.listener != nil {
		if n, says, err := command.Acknowledged(line); says {
			s.acknowledge(b, n, err)
			return
		}
	}
	a := b.expect()
	key, says := command.AuthKey(line)
	switch {
	case b.watching != nil:
		b.settle(a, command.Failed(errWatching).JSON())
	case says:
		s.admit(b, a, key)
	case !b.in:
		s.turnAway(b, a)
	case !s.mayAsk(b.permit):
		b.settle(a, []byte("error: too many commands: try again later"))
	default:
		changing := false
		by := command.Caller{Permit: b.permit, From: b.from, Stream: b}
		if b.listener == nil {
			b.listened, by.Listening = a, (*listening)(b)
		}
		changing = s.table.Line(line, by, func(text []byte) {
			b.settle(a, text)
			if changing {
				b.change(false)
			}
		})
		if changing {
			b.change(true)
		}
	}
	if s.slice.isOver() {
		b.yield()
	}
}

// admit lets a back end in that has said its key. If no key is needed, and there is none, any key will do.
func (s *Server) admit(b *backend, a int, key string) {
	p := s.keys.find([]byte(key))
	if p == nil && !(b.in && len(s.keys) == 0) {
		s.turnAway(b, a)
		return
	}
	s.guard.keylessLines.remove(&b.admission)
	b.in, b.permit = true, p
	if p != nil {
		b.from = &push.Source{Via: b.from.Via, Peer: b.from.Peer, Key: p.Name}
	}
	if s.known != nil {
		_ = b.conn.SetWorker(s.known) // it may have closed
	}
	b.settle(a, command.Reply{OK: true}.JSON())
}

// turnAway ends the connection of a back end that has no key.
func (s *Server) turnAway(b *backend, a int) {
	s.guard.refuse("key", "a back end was turned away: it has no key", "remote", b.conn.RemoteAddr())
	b.settle(a,
		command.Failed(&command.Error{
			Code: command.Unauthorized, Text: `say who you are first: {"cmd":"auth","key":"…"}, with a key of api.keys`,
		}).JSON())
	b.dismiss()
}
