package client_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/client"
	"github.com/lineman-go/lineman/push/level1"
)

var seeds = flag.Uint64("seeds", 100, "how many seeds TestRandomCuts tries")

// world is a server with history, as simple as can be, behind a network that cuts connections at random bytes.
type world struct {
	t      *testing.T
	random *rand.Rand // used with mu held

	mu     sync.Mutex // guards the following
	epoch  string
	kept   map[push.Target][]level1.Message // all there were in this epoch; see forgotten
	gone   map[push.Target]int              // so many of these, from the first, are no longer kept
	peers  map[*peer]map[push.Target]bool   // who follows what
	cut    func() int                       // after how many bytes the next connection is cut
	faulty bool                             // messages are lost, and doubled
	calm   bool                             // nothing is cut any more
	cuts   int
}

// cutter is a connection that breaks after so many bytes, in either direction.
type cutter struct {
	net.Conn
	mu   sync.Mutex // guards the following
	left int
}

var errCut = errors.New("cut")

func (c *cutter) pass(n int) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(n, c.left)
	if c.left -= n; c.left == 0 {
		return n, errCut
	}
	return n, nil
}

func (c *cutter) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		return n, err
	}
	if n, err = c.pass(n); err != nil {
		c.Conn.Close()
	}
	return n, err
}

func (c *cutter) Write(b []byte) (int, error) {
	n, cut := c.pass(len(b))
	n, err := c.Conn.Write(b[:n])
	if cut != nil {
		c.Conn.Close()
		return n, cut
	}
	return n, err
}

// serve plays the server for one connection, to its end.
func (w *world) serve(conn net.Conn) {
	w.mu.Lock()
	if !w.calm {
		w.cuts++
		conn = &cutter{Conn: conn, left: w.cut()}
	}
	w.mu.Unlock()
	defer conn.Close()
	p, err := shake(w.t, conn, level1.Subprotocol)
	if err != nil {
		return
	}
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.peers, p)
	}()
	for r := range p.asked {
		w.mu.Lock()
		err := w.do(p, r)
		w.mu.Unlock()
		if err != nil {
			break
		}
	}
	conn.Close()
	for range p.asked {
	}
}

// send sends frames as one text. The client reads at once, so that nothing waits for it.
func (w *world) send(p *peer, frames ...level1.Frame) error {
	text := []byte{'['}
	for i, f := range frames {
		if i > 0 {
			text = append(text, ',')
		}
		text = f.Append(text)
	}
	wire, err := p.codec.Append(nil, append(text, ']'))
	if err != nil {
		return err
	}
	_, err = p.conn.Write(wire)
	return err
}

// do does what a client asks.
func (w *world) do(p *peer, r level1.Request) error {
	switch r.Op {
	case level1.OpHello:
		w.peers[p] = map[push.Target]bool{}
		welcome := level1.Welcome{ID: r.ID, Conn: "c:n.1", UID: "7", Heartbeat: 25 * time.Second}
		if err := w.send(p, welcome); err != nil {
			return err
		}
		for _, s := range r.Subs {
			if err := w.follow(p, 0, s.Target, s.Since); err != nil {
				return err
			}
		}
	case level1.OpSub:
		return w.follow(p, r.ID, r.Channel, r.Since)
	case level1.OpHB:
		return w.send(p, level1.Heartbeat{})
	}
	return nil
}

// follow subscribes, then replays, then is live.
func (w *world) follow(p *peer, id int64, ch push.Target, since push.Since) error {
	all := w.kept[ch]
	answer := level1.Subscribed{ID: id, Channel: ch, Position: push.Position{Epoch: w.epoch, Offset: uint64(len(all))}}
	var replay []level1.Message
	switch from := since.Position; {
	case from == push.Position{}:
		replay = all[max(w.gone[ch], len(all)-since.Last):]
	case from.Epoch != w.epoch:
		answer.Gap = push.GapEpoch
	case from.Offset > uint64(len(all)):
		answer.Gap = push.GapAhead
	case from.Offset < uint64(w.gone[ch]):
		answer.Gap = push.GapExpired
	default:
		replay = all[from.Offset:]
	}
	answer.N = len(replay)
	frames := []level1.Frame{answer}
	for _, m := range replay {
		frames = append(frames, m)
	}
	w.peers[p][ch] = true
	if w.random.IntN(2) == 0 {
		return w.send(p, frames...)
	}
	for _, f := range frames {
		if err := w.send(p, f); err != nil {
			return err
		}
	}
	return nil
}

// publish tells all who follow.
func (w *world) publish(ch push.Target) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := push.Position{Epoch: w.epoch, Offset: uint64(len(w.kept[ch]) + 1)}
	m := level1.Message{Channel: ch, Position: at, Data: []byte(at.String())}
	w.kept[ch] = append(w.kept[ch], m)
	for p, follows := range w.peers {
		if !follows[ch] {
			continue
		}
		times := 1
		if w.faulty && !w.calm {
			times = []int{0, 2, 1}[min(w.random.IntN(20), 2)] // some are lost, and some come twice
		}
		for range times {
			if err := w.send(p, m); err != nil {
				p.conn.Close()
			}
		}
	}
}

// upset has something bad happen to the server.
func (w *world) upset(ch push.Target) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch w.random.IntN(60) {
	case 0: // all is forgotten, and everybody is out
		w.epoch += "x"
		clear(w.kept)
		clear(w.gone)
		for p := range w.peers {
			p.conn.Close()
		}
	case 1: // what is old expires
		w.gone[ch] = len(w.kept[ch])
	}
}

// follower checks what a subscription is told: each message once, in order, or a gap.
type follower struct {
	t    *testing.T
	seed uint64
	name string
	slow func()     // what else the handler does
	mu   sync.Mutex // guards the following
	at   push.Position
	got  int
	gaps int
}

func (f *follower) handler() client.Handler {
	return client.Handler{
		Message: func(m level1.Message) {
			f.slow()
			f.mu.Lock()
			defer f.mu.Unlock()
			next := push.Position{Epoch: f.at.Epoch, Offset: f.at.Offset + 1}
			if f.at != (push.Position{}) && m.Position != next || string(m.Data) != m.Position.String() {
				f.t.Errorf("seed %d: %s is told %v, %q after %v", f.seed, f.name, m.Position, m.Data, f.at)
			}
			f.at = m.Position
			f.got++
		},
		Gap: func(m level1.Missed) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if m.Position.Epoch == f.at.Epoch && m.Position.Offset <= f.at.Offset || m.Gap == "" {
				f.t.Errorf("seed %d: %s is told of a gap %q up to %v after %v", f.seed, f.name, m.Gap, m.Position, f.at)
			}
			f.at = m.Position
			f.gaps++
		},
		Ended: func(_ level1.Unsubscribed, err error) { f.t.Errorf("seed %d: %s ended: %v", f.seed, f.name, err) },
	}
}

// TestRandomCuts has each of some subscriptions be told every message once, in order, or of a gap, though the network
// is cut at random bytes, and the server loses messages, doubles them, and forgets.
func TestRandomCuts(t *testing.T) {
	cuts, got, gaps := 0, 0, 0
	for seed := range *seeds {
		synctest.Test(t, func(t *testing.T) {
			c, m, g := randomCuts(t, seed)
			cuts, got, gaps = cuts+c, got+m, gaps+g
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d connections were cut; %d messages were told, and %d gaps", cuts, got, gaps)
	if n := int(*seeds); cuts < 5*n || got < 50*n || gaps < n {
		t.Error("too little has happened")
	}
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), epoch: "e", kept: map[push.Target][]level1.Message{},
		gone: map[push.Target]int{}, peers: map[*peer]map[push.Target]bool{},
	}
	w.cut = func() int { return 1 + w.random.IntN(3000) }
	return w
}

// dial makes a client that has this server. end closes both.
func (w *world) dial() (c *client.Client, end func()) {
	n := newNetwork(w.t)
	go func() {
		for conn := range n.peers {
			go w.serve(conn)
		}
	}()
	c, err := client.Dial(w.t.Context(), "ws://server.example", client.Options{Dial: n.dial})
	if err != nil {
		w.t.Fatal(err)
	}
	return c, func() {
		c.Close()
		<-c.Done()
		close(n.peers)
	}
}

func randomCuts(t *testing.T, seed uint64) (cuts, got, gaps int) {
	w := newWorld(t, seed)
	w.faulty = true
	c, end := w.dial()
	defer end()
	random, slow := rand.New(rand.NewPCG(seed, 2)), rand.New(rand.NewPCG(seed, 3))
	var all []*follower
	var subs []*client.Subscription
	for i := range 3 {
		ch := push.Target(fmt.Sprint("ch", i))
		f := &follower{t: t, seed: seed, name: string(ch), slow: func() {
			time.Sleep(time.Duration(slow.IntN(100)) * time.Millisecond)
		}}
		all = append(all, f)
		sub, err := c.Subscribe(t.Context(), ch, push.Since{}, f.handler())
		if err != nil {
			t.Fatal(err)
		}
		subs = append(subs, sub)
	}
	for range 200 {
		ch := push.Target(fmt.Sprint("ch", random.IntN(3)))
		w.publish(ch)
		w.upset(ch)
		time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
	}
	w.mu.Lock()
	w.calm = true
	cuts = w.cuts
	for p := range w.peers {
		p.conn.Close()
	}
	w.mu.Unlock()
	time.Sleep(5 * time.Minute)
	for i := range 3 {
		w.publish(push.Target(fmt.Sprint("ch", i)))
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	for i, f := range all {
		top := push.Position{Epoch: w.epoch, Offset: uint64(len(w.kept[subs[i].Target()]))}
		if f.at != top || subs[i].Position() != top {
			t.Errorf("seed %d: %s ends at %v, %v, want %v", seed, f.name, f.at, subs[i].Position(), top)
		}
		got, gaps = got+f.got, gaps+f.gaps
	}
	return cuts, got, gaps
}

// TestEveryCut has the connection be cut after each number of bytes, of either side.
func TestEveryCut(t *testing.T) {
	const messages = 5
	last := 0
	for at := 1; last < 2; at++ {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, uint64(at))
			w.cut = func() int {
				if w.cuts > 1 {
					return 1 << 30
				}
				return at
			}
			c, end := w.dial()
			defer end()
			f := &follower{t: t, seed: uint64(at), name: "a", at: at0, slow: func() {}}
			sub, err := c.Subscribe(t.Context(), "a", push.Since{Position: at0}, f.handler())
			if err != nil {
				t.Fatal(err)
			}
			for range messages {
				w.publish("a")
				time.Sleep(100 * time.Millisecond)
			}
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if sub.Position() != (push.Position{Epoch: "e", Offset: messages}) || f.got != messages || f.gaps > 0 {
				t.Errorf("cut after %d bytes: ends at %v with %d messages, %d gaps", at, sub.Position(), f.got, f.gaps)
			}
			if w.cuts == 1 {
				last++ // it was not cut: that was after the end
			}
		})
	}
}

// at0 is before all that is published.
var at0 = push.Position{Epoch: "e"}
