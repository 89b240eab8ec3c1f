package linemantest

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/frame"
	"github.com/lineman-go/lineman/protocol/text"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// A Client is a peer of a worker under test. Its methods block; the test fails if one takes longer than a minute, or
// goes wrong where nothing else is said. They are for the test's own goroutine, like t.Fatal.
type Client struct {
	// Conn is the connection below, and Reader what has been read from it: for tests that want bytes. Each method sets
	// the deadline anew, and what a test does with these two has that of the last one.
	Conn   net.Conn
	Reader *bufio.Reader

	t    testing.TB
	wire wire
	sent *counted
}

// wire turns bytes into messages and back, as the peer of a worker does.
type wire interface {
	send(c *Client, msg []byte, binary bool) error
	receive(c *Client) ([]byte, error)
}

// Dial connects to w, by TLS if it has that, and, if it speaks WebSocket, makes the handshake for the path "/". The
// connection is closed at the end of the test.
func (s *Server) Dial(w *lineman.Worker) *Client {
	s.t.Helper()
	c := s.Connect(w)
	if _, ok := c.wire.(*webSocket); ok {
		c.Upgrade("/", nil)
	}
	return c
}

// Connect is Dial without a handshake.
func (s *Server) Connect(w *lineman.Worker) *Client {
	s.t.Helper()
	addr := s.Addr(w)
	conn, err := net.DialTimeout(addr.Network(), addr.String(), patience)
	if err != nil {
		s.t.Fatalf("linemantest: %v", err)
	}
	if w.TLS != nil {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // it is this test's own
	}
	return NewClient(s.t, conn, w)
}

// NewClient makes a Client that speaks the protocol of w over conn, which the end of the test closes.
func NewClient(t testing.TB, conn net.Conn, w *lineman.Worker) *Client {
	sent := &counted{Conn: conn}
	c := &Client{Conn: conn, Reader: bufio.NewReader(conn), t: t, wire: wireOf(w), sent: sent}
	c.begin()
	t.Cleanup(func() { _ = conn.Close() }) // closed by the test already, mostly
	return c
}

func wireOf(w *lineman.Worker) wire {
	scheme, _, _ := strings.Cut(w.Addr, "://")
	scheme, _, _ = strings.Cut(scheme, "+")
	p := w.Protocol
	if p == nil {
		p = map[string]protocol.Protocol{
			"text": text.Protocol{}, "frame": frame.Protocol{}, "websocket": &websocket.Protocol{},
		}[scheme]
	}
	switch p.(type) {
	case nil:
		return plain{}
	case *websocket.Protocol:
		return &webSocket{}
	}
	return &coded{codec: p.NewCodec(64 << 20)}
}

// Send sends a message in the worker's protocol.
func (c *Client) Send(msg string) {
	c.t.Helper()
	c.begin()
	c.must("send", c.wire.send(c, []byte(msg), false))
}

// SendBinary sends a binary message to a WebSocket worker; to others it is Send.
func (c *Client) SendBinary(msg string) {
	c.t.Helper()
	c.begin()
	c.must("send", c.wire.send(c, []byte(msg), true))
}

// Receive returns the next message. Without a protocol that is what one read returns.
func (c *Client) Receive() string {
	c.t.Helper()
	c.begin()
	msg, err := c.wire.receive(c)
	c.must("receive", err)
	return string(msg)
}

// Write writes bytes past the protocol.
func (c *Client) Write(bytes string) {
	c.t.Helper()
	c.begin()
	_, err := io.WriteString(c.sent, bytes)
	c.must("write", err)
}

// Written is how many bytes the Client has written, handshake and frames included.
func (c *Client) Written() uint64 { return c.sent.n }

// Read reads exactly n bytes past the protocol.
func (c *Client) Read(n int) string {
	c.t.Helper()
	c.begin()
	b := make([]byte, n)
	_, err := io.ReadFull(c.Reader, b)
	c.must("read", err)
	return string(b)
}

// Rest reads what still comes until the worker ends its stream.
func (c *Client) Rest() string {
	c.t.Helper()
	c.begin()
	b, err := io.ReadAll(c.Reader)
	c.must("read to the end", err)
	return string(b)
}

// Ended reads to the end and returns why that was the end: nil for the end of the stream, a *websocket.CloseError for
// the goodbye of a WebSocket, which is answered, or what the system says, such as syscall.ECONNRESET. The test fails if
// a message comes first.
func (c *Client) Ended() error {
	c.t.Helper()
	c.begin()
	msg, err := c.wire.receive(c)
	switch {
	case err == nil:
		c.t.Fatalf("linemantest: the connection should end, got %q", msg)
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// Response reads the answer to an HTTP request of this method, "" meaning GET, and returns it and its body.
func (c *Client) Response(method string) (*http.Response, string) {
	c.t.Helper()
	c.begin()
	r, err := http.ReadResponse(c.Reader, &http.Request{Method: cmp.Or(method, http.MethodGet)})
	c.must("read the response", err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	c.must("read the body", err)
	return r, string(body)
}

// CloseWrite ends this side's stream; the worker's answers can still be read.
func (c *Client) CloseWrite() {
	c.t.Helper()
	c.must("close for writing", c.Conn.(interface{ CloseWrite() error }).CloseWrite())
}

// Close closes the connection without a goodbye.
func (c *Client) Close() {
	c.t.Helper()
	c.must("close", c.Conn.Close())
}

// Reset breaks the connection, TLS or not: the worker sees syscall.ECONNRESET. TCP only.
func (c *Client) Reset() {
	c.t.Helper()
	below := c.Conn
	if s, ok := below.(*tls.Conn); ok {
		below = s.NetConn()
	}
	c.must("reset", below.(*net.TCPConn).SetLinger(0))
	c.must("close", below.Close())
}

// begin gives a method its time. A connection that has ended says so to what follows.
func (c *Client) begin() { _ = c.Conn.SetDeadline(time.Now().Add(patience)) }

func (c *Client) must(what string, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("linemantest: %s: %v", what, err)
	}
}

// plain is bytes.
type plain struct{}

func (plain) send(c *Client, msg []byte, _ bool) error {
	_, err := c.sent.Write(msg)
	return err
}

func (plain) receive(c *Client) ([]byte, error) {
	b := make([]byte, 64<<10)
	n, err := c.Reader.Read(b)
	return b[:n], err
}

// coded is a protocol whose two sides look alike.
type coded struct {
	codec protocol.Codec
	have  []byte
}

func (w *coded) send(c *Client, msg []byte, _ bool) error {
	b, err := w.codec.Append(nil, msg)
	if err != nil {
		return err
	}
	_, err = c.sent.Write(b)
	return err
}

func (w *coded) receive(c *Client) ([]byte, error) {
	for {
		n, msg, err := w.codec.Decode(w.have)
		w.have = w.have[n:]
		if msg != nil || err != nil {
			return msg, err
		}
		if n > 0 && len(w.have) > 0 {
			continue
		}
		b := make([]byte, 4096)
		n, err = c.Reader.Read(b)
		if err != nil {
			return nil, err
		}
		w.have = append(w.have, b[:n]...)
	}
}

// counted counts what is written.
type counted struct {
	net.Conn
	n uint64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.n += uint64(n)
	return n, err
}
