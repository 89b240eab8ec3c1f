package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// follower is a client of level 1, by a WebSocket or by server-sent events, whose network breaks again and again. It
// checks that what it gets goes on from what it had: by one, or after a gap that it is told of.
//
//	away ── a server takes it ──▶ following ── the network breaks, or the server goes ──▶ away
type follower struct {
	uid    string
	token  string
	dial   func() (net.Conn, error) // to the port for pages of a server
	ledger *positions
	cuts   cuts
	batch  bool // it takes arrays
	events bool // it gets server-sent events
	random *rand.Rand

	lastID string // of the events; owned by its goroutine

	mu     sync.Mutex // guards the following
	places map[string]*place
	conn   net.Conn // nil while it is away
	over   bool
	counts followed
}

// place is where a follower stands in a channel.
type place struct {
	pos     string // empty: it has none yet
	due     int    // messages that were announced, and have not come yet
	through string // the position after these
}

// followed counts what happened to followers.
type followed struct {
	connections, cuts, messages, recovered int
	gaps                                   map[string]int // by reason
}

// cuts is how a network breaks.
type cuts struct {
	every time.Duration // on average
	pause time.Duration // at most
	until time.Time     // it is whole after that
}

// frame is what a server says.
type frame struct {
	Op, Ch, Pos, Gap, Why, Msg string
	N, Code, Retry             int
	Data                       struct{ N int }
}

func newFollower(uid string, channels []string, seed uint64, l *positions, c cuts,
	dial func() (net.Conn, error)) *follower {
	f := &follower{
		uid: uid, token: uid, dial: dial, ledger: l,
		cuts: c, batch: seed%2 == 0, random: rand.New(rand.NewPCG(seed, 1)),
		places: map[string]*place{}, counts: followed{gaps: map[string]int{}},
	}
	for _, ch := range channels {
		f.places[ch] = &place{}
	}
	return f
}

// live follows until the context ends.
func (f *follower) live(ctx context.Context) {
	stop := context.AfterFunc(ctx, f.leave)
	defer stop()
	for ctx.Err() == nil {
		wait := f.upTo(100 * time.Millisecond) // that no server takes it, or that it was cut by one
		switch retry, err := f.follow(); {
		case errors.Is(err, errCut):
			wait = f.upTo(f.cuts.pause)
		case retry > 0:
			wait = retry
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// leave ends what there is.
func (f *follower) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	if f.conn != nil {
		f.conn.Close()
	}
}

// errCut is the end of a connection whose network broke.
var errCut = errors.New("the network broke")

// follow has one connection, until it ends; retry is when the server wants it back.
func (f *follower) follow() (retry time.Duration, err error) {
	conn, err := f.dial()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if !f.set(conn) {
		return 0, net.ErrClosed
	}
	defer f.set(nil)
	cut := f.breaksIn()
	if cut > 0 {
		err = conn.SetDeadline(time.Now().Add(cut))
	} else {
		err = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	}
	if err == nil {
		if f.events {
			retry, err = f.readEvents(conn)
		} else {
			retry, err = f.read(conn)
		}
	}
	var timeout net.Error
	if cut > 0 && errors.As(err, &timeout) && timeout.Timeout() {
		_ = conn.(interface{ SetLinger(int) error }).SetLinger(0) // so that closing is a reset
		f.count(func(c *followed) { c.cuts++ })
		return 0, errCut
	}
	return retry, err
}

// breaksIn is how long a connection that begins now has a network; 0 is for ever. One of eight breaks at once.
func (f *follower) breaksIn() time.Duration {
	switch {
	case time.Now().After(f.cuts.until):
		return 0
	case f.random.IntN(8) == 0:
		return 1 + f.upTo(5*time.Millisecond)
	}
	return 1 + time.Duration(f.random.ExpFloat64()*float64(f.cuts.every))
}

// upTo is a random time.
func (f *follower) upTo(most time.Duration) time.Duration {
	return time.Duration(f.random.Int64N(int64(most)))
}

// set notes the connection, unless it is all over.
func (f *follower) set(conn net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn = conn
	return !f.over
}

func (f *follower) count(what func(*followed)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what(&f.counts)
}

// read says hello, and takes what comes until the connection ends.
func (f *follower) read(conn net.Conn) (retry time.Duration, err error) {
	dialer := ws.Dialer{Protocols: []string{"lineman.v1"}}
	early, handshake, err := dialer.Upgrade(conn, &url.URL{Scheme: "ws", Host: "127.0.0.1", Path: "/"})
	switch {
	case err != nil:
		return 0, err
	case handshake.Protocol != "lineman.v1":
		return 0, fmt.Errorf("the server agrees on %q", handshake.Protocol)
	case early == nil:
		early = bufio.NewReaderSize(conn, 4096)
	}
	if err := wsutil.WriteClientText(conn, f.hello()); err != nil {
		return 0, err
	}
	for {
		text, err := wsutil.ReadServerText(readWriter{early, conn})
		if err != nil {
			return retry, err
		}
		for _, m := range f.frames(text) {
			if m.Op == "bye" {
				retry = time.Duration(m.Retry) * time.Millisecond
			}
			f.take(m)
		}
	}
}

// readWriter reads what was read ahead first.
type readWriter struct {
	*bufio.Reader
	to net.Conn
}

func (rw readWriter) Write(b []byte) (int, error) { return rw.to.Write(b) }

// hello is what it says first.
func (f *follower) hello() []byte {
	since := f.begins()
	text, _ := json.Marshal(map[string]any{"op": "hello", "id": 1, "token": f.token, "sub": since, "batch": f.batch})
	return text
}

// begins notes that a connection begins, and tells where it stands.
func (f *follower) begins() (since map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.connections++
	since = map[string]string{}
	for ch, p := range f.places {
		p.due = 0
		since[ch] = p.pos
	}
	return since
}

// frames are those of a text.
func (f *follower) frames(text []byte) (all []frame) {
	var err error
	if text[0] == '[' {
		err = json.Unmarshal(text, &all)
	} else {
		all = make([]frame, 1)
		err = json.Unmarshal(text, &all[0])
	}
	if err != nil || text[0] == '[' && !f.batch {
		f.ledger.complain("%s got %.200s, %v", f.uid, text, err)
		return nil
	}
	return all
}

// take checks a frame, and stands where that says.
func (f *follower) take(m frame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.places[m.Ch]
	switch {
	case m.Op == "err":
		f.ledger.complain("%s is answered %+v", f.uid, m)
	case p == nil: // its uid
	case m.Op == "sub" && m.Gap == "":
		f.startLocked(p, m)
	case m.Op == "sub", m.Op == "gap":
		f.counts.gaps[m.Gap]++
		p.pos, p.due = m.Pos, 0
	case m.Op == "msg":
		f.messageLocked(p, m)
	default:
		f.ledger.complain("%s is told %+v", f.uid, m)
	}
}

// startLocked checks where the server says that it begins.
func (f *follower) startLocked(p *place, m frame) {
	switch {
	case p.pos == "":
		p.pos = m.Pos
	case m.N == 0 && m.Pos != p.pos:
		f.ledger.complain("%s has %s of %s, is told to have %s, and no gap", f.uid, p.pos, m.Ch, m.Pos)
	}
	p.due, p.through = m.N, m.Pos
	f.counts.recovered += m.N
}

// messageLocked checks that a message is the next one.
func (f *follower) messageLocked(p *place, m frame) {
	f.counts.messages++
	if !follows(p.pos, m.Pos) {
		f.ledger.complain("%s has %s of %s, and gets %s", f.uid, p.pos, m.Ch, m.Pos)
	}
	p.pos = m.Pos
	if p.due > 0 {
		if p.due--; p.due == 0 && p.pos != p.through {
			f.ledger.complain("%s was to have %s of %s, and has %s", f.uid, p.through, m.Ch, p.pos)
		}
	}
	f.ledger.has(m.Ch, m.Pos, m.Data.N)
}

// follows reports whether a position is the one after another, as docs/protocol.md says.
func follows(one, next string) bool {
	epoch, offset, _ := strings.Cut(one, ".")
	nextEpoch, nextOffset, _ := strings.Cut(next, ".")
	a, err := strconv.ParseUint(offset, 36, 64)
	b, nextErr := strconv.ParseUint(nextOffset, 36, 64)
	return err == nil && nextErr == nil && epoch == nextEpoch && b == a+1
}

// at reports whether it stands at some positions, of the channels that it follows.
func (f *follower) at(tops map[string]string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ch, p := range f.places {
		if p.pos != tops[ch] || p.due > 0 {
			return false
		}
	}
	return true
}

// begun reports whether it has a position everywhere.
func (f *follower) begun() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.places {
		if p.pos == "" {
			return false
		}
	}
	return true
}

// add adds what happened to another one.
func (c *followed) add(other followed) {
	c.connections += other.connections
	c.cuts += other.cuts
	c.messages += other.messages
	c.recovered += other.recovered
	for why, n := range other.gaps {
		c.gaps[why] += n
	}
}
