package client_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/client"
	"github.com/lineman-go/lineman/push/level1"
)

// peer is the server's side of one connection, played by a test.
type peer struct {
	t     testing.TB
	conn  net.Conn
	codec *websocket.Codec
	asked chan level1.Request // what the client says; closed at the end

	mu    sync.Mutex // guards the following
	close error      // how the client has ended it
	pongs []string   // what they say
}

// network hands the connections that a client dials to a test.
type network struct {
	t     testing.TB
	peers chan net.Conn // those that were dialed
	wrap  func(net.Conn) net.Conn
}

func newNetwork(t testing.TB) *network {
	return &network{t: t, peers: make(chan net.Conn, 100), wrap: func(c net.Conn) net.Conn { return c }}
}

// dial is Options.Dial.
func (n *network) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	n.peers <- n.wrap(far)
	return near, nil
}

// accept waits for the next connection and has the handshake.
func (n *network) accept() *peer {
	n.t.Helper()
	p, err := shake(n.t, <-n.peers, level1.Subprotocol)
	if err != nil {
		n.t.Fatal(err)
	}
	return p
}

// head is a request as package websocket looks at it.
type head struct{ *http.Request }

func (h head) Method() string       { return h.Request.Method }
func (h head) ProtoAtLeast11() bool { return true }
func (h head) Host() []byte         { return []byte(h.Request.Host) }
func (h head) Value(name string, i int) []byte {
	if values := h.Header.Values(name); i < len(values) {
		return []byte(values[i])
	}
	return nil
}

// shake has the handshake, and reads what the client says from then on.
func shake(t testing.TB, conn net.Conn, subprotocols ...string) (*peer, error) {
	p := &peer{t: t, conn: conn, asked: make(chan level1.Request, 1000)}
	reader := bufio.NewReader(conn)
	r, err := http.ReadRequest(reader)
	if err != nil {
		return nil, err
	}
	accepted, err := (&websocket.Protocol{Subprotocols: subprotocols}).Check(head{r})
	if err != nil {
		return nil, err
	}
	p.codec = websocket.NewServerCodec(1<<20, accepted)
	if _, err = conn.Write(websocket.AppendAccept(nil, accepted)); err != nil {
		return nil, err
	}
	go p.read()
	return p, nil
}

// read takes what the client says apart.
func (p *peer) read() {
	defer close(p.asked)
	buffer, used := make([]byte, 1<<16), 0
	for {
		n, err := p.conn.Read(buffer[used:])
		if err != nil {
			return
		}
		used += n
		for {
			n, msg, err := p.codec.Decode(buffer[:used])
			if err != nil {
				p.t.Errorf("the client has sent: %v", err)
				return
			}
			if n == 0 {
				break
			}
			p.take(msg)
			used = copy(buffer, buffer[n:used])
		}
	}
}

func (p *peer) take(msg []byte) {
	switch p.codec.Opcode() {
	case websocket.Close:
		said, err := websocket.ParseClose(msg)
		if err != nil {
			p.t.Error(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.close = said
	case websocket.Pong:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pongs = append(p.pongs, string(msg))
	case websocket.Text:
		for r, wrong := range level1.Requests(bytes.Clone(msg)) {
			if wrong != nil {
				p.t.Errorf("%s: %v", msg, wrong)
				return
			}
			p.asked <- r
		}
	}
}

// closed is how the client has ended the connection; nil if it has not said so.
func (p *peer) closed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.close
}

// text sends a text.
func (p *peer) text(text string) {
	p.t.Helper()
	wire, err := p.codec.Append(nil, []byte(text))
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.conn.Write(wire); err != nil {
		p.t.Fatal(err)
	}
}

// say sends frames, each as a text.
func (p *peer) say(frames ...level1.Frame) {
	p.t.Helper()
	for _, f := range frames {
		p.text(string(f.Append(nil)))
	}
}

// goodbye closes the connection with a code.
func (p *peer) goodbye(code int, reason string) {
	_, _ = p.conn.Write(p.codec.AppendClose(nil, websocket.Code(code), reason))
	p.conn.Close()
}

// next is what the client says next.
func (p *peer) next(op level1.Op) level1.Request {
	p.t.Helper()
	select {
	case r, ok := <-p.asked:
		if !ok || r.Op != op {
			p.t.Fatalf("the client says %+v, %v, want %s", r, ok, op)
		}
		return r
	case <-time.After(time.Hour):
		p.t.Fatalf("the client says nothing, want %s", op)
	}
	return level1.Request{}
}

// silent wants the client to have said nothing more.
func (p *peer) silent() {
	p.t.Helper()
	synctest.Wait()
	select {
	case r := <-p.asked:
		p.t.Fatalf("the client says %+v", r)
	default:
	}
}

// welcome answers hello.
func (p *peer) welcome() level1.Request {
	p.t.Helper()
	r := p.next(level1.OpHello)
	p.say(level1.Welcome{ID: r.ID, Conn: "c:n.1", UID: "7", Ping: 25 * time.Second, Max: 65536})
	return r
}

// at is a position of the tests.
func at(offset uint64) push.Position { return push.Position{Epoch: "e", Offset: offset} }

// message is one of the tests, with its offset as the data.
func message(ch push.Target, offset uint64) level1.Message {
	return level1.Message{Channel: ch, Position: at(offset), Data: []byte(fmt.Sprint(offset))}
}

// record is what handlers were told, in order.
type record struct {
	mu  sync.Mutex
	all []string
}

func (r *record) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, fmt.Sprintf(format, args...))
}

// take is what was told since it was asked last.
func (r *record) take() string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	all := fmt.Sprint(r.all)
	r.all = nil
	return all
}

// handler has all be recorded.
func (r *record) handler() client.Handler {
	return client.Handler{
		Message: func(m level1.Message) { r.add("%s", m.Data) },
		Gap:     func(m level1.Missed) { r.add("gap %s %s %s", m.Channel, m.Gap, m.Position) },
		Joined:  func(j level1.Joined) { r.add("joined %s %d", j.UID, j.N) },
		Left:    func(l level1.Left) { r.add("left %s %d", l.UID, l.N) },
		Present: func(p level1.Presence) { r.add("present %d %d %v", p.N, len(p.Users), p.More) },
		Ended:   func(u level1.Unsubscribed, err error) { r.add("ended %s: %v", u.Channel, err) },
	}
}

// dialed is a client with the server's side of its first connection, in a bubble whose end closes it.
func dialed(t *testing.T, n *network, o client.Options) (*client.Client, *peer) {
	t.Helper()
	o.Dial = n.dial
	var c *client.Client
	done := make(chan error, 1)
	go func() {
		var err error
		c, err = client.Dial(t.Context(), "ws://server.example/live?a=b", o)
		done <- err
	}()
	p := n.accept()
	p.welcome()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return c, p
}

// closing closes a client, and wants nothing of it to be left.
func closing(t *testing.T, c *client.Client) {
	t.Helper()
	c.Close()
	<-c.Done()
	if !errors.Is(c.Err(), client.ErrClosed) {
		t.Errorf("after Close: %v", c.Err())
	}
}

// subscribed subscribes, and has the server confirm it.
func subscribed(t *testing.T, c *client.Client, p *peer, ch push.Target, since push.Since, h client.Handler,
	answers ...level1.Frame,
) *client.Subscription {
	t.Helper()
	var sub *client.Subscription
	done := make(chan error, 1)
	go func() {
		var err error
		sub, err = c.Subscribe(t.Context(), ch, since, h)
		done <- err
	}()
	r := p.next(level1.OpSub)
	if r.Channel != ch || r.Since != since {
		t.Errorf("the client asks for %+v", r)
	}
	for i, f := range answers {
		if s, ok := f.(level1.Subscribed); ok && i == 0 {
			s.ID = r.ID
			f = s
		}
		p.say(f)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return sub
}

func newReader(conn net.Conn) *bufio.Reader { return bufio.NewReader(conn) }
