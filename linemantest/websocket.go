package linemantest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"

	"github.com/lineman-go/lineman/protocol/websocket"
)

// webSocket is the client's side of RFC 6455, as plain as it can be.
type webSocket struct{ binary bool }

// Upgrade asks for a WebSocket at this path, with further fields in the request, and fails the test unless it gets one.
func (c *Client) Upgrade(path string, header http.Header) {
	c.t.Helper()
	if r, body := c.Handshake(path, header); r.StatusCode != http.StatusSwitchingProtocols {
		c.t.Fatalf("linemantest: handshake: %s: %s", r.Status, body)
	}
}

// Handshake asks for a WebSocket at this path, with further fields in the request, and returns the answer and its body.
func (c *Client) Handshake(path string, header http.Header) (*http.Response, string) {
	c.t.Helper()
	c.begin()
	r, err := http.NewRequest(http.MethodGet, "http://localhost"+path, nil)
	c.must("handshake", err)
	key := make([]byte, 16)
	_, _ = rand.Read(key)
	r.Header = http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {base64.StdEncoding.EncodeToString(key)},
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		r.Host = host
		r.Header.Del("Host")
	}
	c.must("handshake", r.Write(c.sent))
	return c.Response(http.MethodGet)
}

// Binary reports whether the message that Receive returned last was a binary one.
func (c *Client) Binary() bool {
	ws, ok := c.wire.(*webSocket)
	return ok && ws.binary
}

// Frame sends one masked frame; fin is whether it ends its message.
func (c *Client) Frame(fin bool, op websocket.Opcode, payload string) {
	c.t.Helper()
	c.begin()
	c.must("send a frame", writeFrame(c.sent, fin, op, []byte(payload)))
}

// Goodbye sends a Close frame.
func (c *Client) Goodbye(code websocket.Code, reason string) {
	c.t.Helper()
	c.Frame(true, websocket.Close, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

// NextFrame reads one frame, whatever it is.
func (c *Client) NextFrame() (op websocket.Opcode, payload string) {
	c.t.Helper()
	c.begin()
	op, b, err := readFrame(c.Reader)
	c.must("read a frame", err)
	return op, string(b)
}

func (w *webSocket) send(c *Client, msg []byte, binary bool) error {
	op := websocket.Text
	if binary {
		op = websocket.Binary
	}
	return writeFrame(c.sent, true, op, msg)
}

// receive answers pings and the goodbye as a browser does.
func (w *webSocket) receive(c *Client) ([]byte, error) {
	for {
		op, payload, err := readFrame(c.Reader)
		if err != nil {
			return nil, err
		}
		switch op {
		case websocket.Ping:
			err = writeFrame(c.sent, true, websocket.Pong, payload)
		case websocket.Pong:
		case websocket.Close:
			goodbye, err := websocket.ParseClose(payload)
			if err != nil {
				return nil, err
			}
			_ = writeFrame(c.sent, true, websocket.Close, payload) // it may be gone already
			return nil, goodbye
		default:
			w.binary = op == websocket.Binary
			return payload, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func writeFrame(to io.Writer, fin bool, op websocket.Opcode, payload []byte) error {
	b := []byte{byte(op), 0x80}
	if fin {
		b[0] |= 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b[1] |= byte(n)
	case n <= 0xffff:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, mask[:]...)
	for i, p := range payload {
		b = append(b, p^mask[i&3])
	}
	_, err := to.Write(b)
	return err
}

func readFrame(from io.Reader) (websocket.Opcode, []byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(from, head[:2]); err != nil {
		return 0, nil, err
	}
	op, n := websocket.Opcode(head[0]&0x0f), uint64(head[1])
	if head[0]&0xf0 != 0x80 || n&0x80 != 0 {
		return 0, nil, fmt.Errorf("frame begins with %x: a server's is whole, plain and not masked", head[:2])
	}
	var err error
	switch n {
	case 126:
		_, err = io.ReadFull(from, head[:2])
		n = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		_, err = io.ReadFull(from, head[:8])
		n = binary.BigEndian.Uint64(head[:8])
	}
	if err != nil {
		return 0, nil, err
	}
	payload := make([]byte, n)
	_, err = io.ReadFull(from, payload)
	return op, payload, err
}
