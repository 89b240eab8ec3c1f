package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push/level1"
)

// Bounds of a connection in time.
const (
	dialTimeout  = 20 * time.Second // until the handshake is over
	writeTimeout = 10 * time.Second // until what is sent has gone
	closeTimeout = time.Second      // the same for the goodbye
)

// ErrLevel is what the server's answer to the handshake is if it does not speak level 1. It is final.
var ErrLevel = errors.New("client: the server does not speak " + level1.Subprotocol)

// socket is a WebSocket over a net.Conn. One goroutine reads; any may write.
type socket struct {
	conn  net.Conn
	codec *websocket.Codec

	// Owned by who reads: what has come and was not decoded yet is buffer[begin:end].
	buffer     []byte
	begin, end int

	mu  sync.Mutex // guards the following
	out []byte
}

// dialSocket connects and has the handshake.
func dialSocket(ctx context.Context, u *url.URL, o *Options) (*socket, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := o.Dial(ctx, "tcp", address(u))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	s := &socket{conn: conn, buffer: make([]byte, 4096)}
	if err = s.shake(ctx, u, o); err != nil {
		conn.Close()
	}
	if !stop() {
		return nil, context.Cause(ctx)
	}
	return s, err
}

// address is where a URL leads.
func address(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "wss":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// shake has the handshakes of TLS and of the WebSocket.
func (s *socket) shake(ctx context.Context, u *url.URL, o *Options) error {
	if u.Scheme == "wss" {
		config := o.TLS.Clone()
		if config == nil {
			config = &tls.Config{}
		}
		if config.ServerName == "" {
			config.ServerName = u.Hostname()
		}
		secure := tls.Client(s.conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		s.conn = secure
	}
	h := websocket.Handshake{Host: u.Host, Path: u.RequestURI(), Subprotocols: []string{level1.Subprotocol}}
	for name, values := range o.Header {
		for _, value := range values {
			h.Header = append(h.Header, [2]string{name, value})
		}
	}
	request, err := h.AppendRequest(nil)
	if err != nil {
		return err
	}
	if _, err := s.conn.Write(request); err != nil {
		return err
	}
	for {
		n, accepted, err := h.Decode(s.buffer[:s.end])
		switch {
		case err != nil:
			return err
		case n == 0:
			if err := s.fill(); err != nil {
				return err
			}
		case accepted.Subprotocol != level1.Subprotocol:
			return ErrLevel
		default:
			s.begin = n
			s.codec = websocket.NewClientCodec(o.MaxMessage, accepted)
			return nil
		}
	}
}

// keptBuffer is the largest buffer that is kept while nothing comes.
const keptBuffer = 64 << 10

// fill reads more.
func (s *socket) fill() error {
	if s.begin == s.end {
		s.begin, s.end = 0, 0
		if len(s.buffer) > keptBuffer {
			s.buffer = make([]byte, keptBuffer)
		}
	}
	if s.end == len(s.buffer) {
		room := s.buffer
		if s.begin < len(room)/2 {
			room = make([]byte, 2*len(room))
		}
		s.end = copy(room, s.buffer[s.begin:s.end])
		s.begin, s.buffer = 0, room
	}
	n, err := s.conn.Read(s.buffer[s.end:])
	s.end += n
	if n > 0 {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// read waits for the next text, as long as limit while nothing comes; then the error is os.ErrDeadlineExceeded, and it
// can be called again. An *EndError is the server's goodbye. The text is the caller's own.
func (s *socket) read(limit time.Duration) ([]byte, error) {
	for {
		n, msg, err := s.codec.Decode(s.buffer[s.begin:s.end])
		if err != nil {
			return nil, s.refuse(err)
		}
		if s.begin += n; n == 0 {
			_ = s.conn.SetReadDeadline(time.Now().Add(limit)) // an error comes again in Read
			if err := s.fill(); err != nil {
				return nil, err
			}
		}
		if msg == nil {
			continue
		}
		switch s.codec.Opcode() {
		case websocket.Text:
			return bytes.Clone(msg), nil
		case websocket.Ping:
			if err := s.send(s.codec.AppendControl(nil, websocket.Pong, msg), writeTimeout); err != nil {
				return nil, err
			}
		case websocket.Close:
			return nil, s.goodbye(msg)
		case websocket.Binary:
			return nil, s.refuse(&websocket.Error{Code: websocket.Unsupported, Err: errors.New("a binary message")})
		}
	}
}

// goodbye is what the server's Close frame says.
func (s *socket) goodbye(payload []byte) error {
	said, err := websocket.ParseClose(payload)
	if err != nil {
		return s.refuse(err)
	}
	s.bye(websocket.Normal)
	end := &EndError{Code: int(said.Code), Why: said.Reason}
	var reason struct {
		Retry int64 `json:"retry"`
	}
	if json.Unmarshal([]byte(said.Reason), &reason) == nil && reason.Retry > 0 {
		end.Retry = min(time.Duration(reason.Retry), maxRetry) * time.Millisecond
	}
	return end
}

// maxRetry is the longest wait that a server can ask for, in milliseconds: a day.
const maxRetry = 24 * 3600 * 1000

// refuse tells the server what is wrong with what it has sent, and returns that.
func (s *socket) refuse(err error) error {
	code := websocket.ProtocolError
	var wrong *websocket.Error
	if errors.As(err, &wrong) {
		code = wrong.Code
	}
	s.bye(code)
	return fmt.Errorf("client: what the server has sent is wrong: %w", err)
}

// bye sends a Close frame, if it can go at once.
func (s *socket) bye(code websocket.Code) {
	_ = s.send(s.codec.AppendClose(nil, code, ""), closeTimeout) // it may be gone already
}

// write sends a text. An error means that the connection is of no more use: it is closed.
func (s *socket) write(text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := s.codec.Append(s.out[:0], text)
	if err != nil {
		return err
	}
	s.out = out
	return s.sendLocked(out, writeTimeout)
}

// send sends a frame.
func (s *socket) send(frame []byte, limit time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sendLocked(frame, limit)
}

func (s *socket) sendLocked(frame []byte, limit time.Duration) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(limit)) // an error comes again in Write
	_, err := s.conn.Write(frame)
	if err != nil {
		s.conn.Close()
	}
	return err
}

// leave says goodbye and ends the connection. A read ends with an error, and a write that waits soon does.
func (s *socket) leave() {
	_ = s.conn.SetWriteDeadline(time.Now().Add(closeTimeout)) // of a write that holds the lock
	s.bye(websocket.Normal)
	s.conn.Close()
}

// isQuiet reports whether a read has ended because nothing came for a while.
func isQuiet(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
