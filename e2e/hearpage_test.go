package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// speaking is a connection of a page of level 1, which says something.
type speaking struct {
	net.Conn
	early *bufio.Reader
	name  string // c:…
	uid   string // as the server tells it
}

// spoken is what a server says to such a page.
type spoken struct {
	Op, Conn, UID, Msg, Why string
	ID, Code, Retry         int
	Data                    json.RawMessage
}

// speak says hello over a connection, and waits for the welcome.
func speak(conn net.Conn, token string) (*speaking, error) {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	dialer := ws.Dialer{Protocols: []string{"lineman.v1"}}
	early, _, err := dialer.Upgrade(conn, &url.URL{Scheme: "ws", Host: "127.0.0.1", Path: "/"})
	if err != nil {
		return nil, err
	}
	if early == nil {
		early = bufio.NewReaderSize(conn, 1024)
	}
	s := &speaking{Conn: conn, early: early}
	if err := s.write(map[string]any{"op": "hello", "id": 1, "token": token}); err != nil {
		return nil, err
	}
	for {
		m, err := s.read()
		switch {
		case err != nil:
			return nil, err
		case m.Op == "welcome":
			s.name, s.uid = m.Conn, m.UID
			return s, conn.SetDeadline(time.Time{})
		case m.Op == "bye":
			return nil, sentAwayError{time.Duration(m.Retry) * time.Millisecond, m.Why}
		}
	}
}

// sentAwayError is the goodbye of a server that wants a page back after a time.
type sentAwayError struct {
	retry time.Duration
	why   string
}

func (e sentAwayError) Error() string { return fmt.Sprintf("come back in %v: %s", e.retry, e.why) }

// write sends an object as a frame.
func (s *speaking) write(object map[string]any) error {
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return wsutil.WriteClientText(s.Conn, text)
}

// read is the next frame of the server. Called by one goroutine at a time.
func (s *speaking) read() (m spoken, err error) {
	text, err := wsutil.ReadServerText(readWriter{s.early, s.Conn})
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}

// breakOff ends the connection without a goodbye.
func (s *speaking) breakOff() {
	if tcp, ok := s.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // so that closing is a reset
	}
	s.Conn.Close()
}

// goodbye ends it as a page does that is closed.
func (s *speaking) goodbye(code ws.StatusCode, reason string) {
	_ = wsutil.WriteClientMessage(s.Conn, ws.OpClose, ws.NewCloseFrameBody(code, reason)) // it may have ended
	s.Conn.Close()
}
