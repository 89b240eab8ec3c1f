package lineman

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

// ofWorker is a connection of a worker that nobody is connected to, for its session.
func ofWorker(t testing.TB, w Worker) *Conn {
	t.Helper()
	w.Addr, w.Logger = w.Addr+"://127.0.0.1:0", slog.New(slog.DiscardHandler)
	l, err := Open(&w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Shut)
	now := time.Now()
	l.now, l.clock = now, func() time.Time { return now }
	return &Conn{loop: l, service: l.services[0]}
}

// TestSessionState has the states of released versions: rows are added, and none is changed.
func TestSessionState(t *testing.T) {
	for name, tt := range map[string]struct{ addr, kind, state string }{
		"bytes":                        {"tcp", "raw", ""},
		"a line":                       {"text", "codec:text", ""},
		"a line that was refused":      {"text", "codec:text", "\x01"},
		"a frame":                      {"frame", "codec:frame", ""},
		"no request yet":               {"http", "http", ""},
		"after requests":               {"http", "http", "\x01"},
		"after a POST":                 {"http", "http", "\x01\x10"},
		"half a body":                  {"http", "http", "\x05\x01\x2f\x03\x00\x2f"},
		"a stream":                     {"http", "http", "\x09"},
		"a stream to HTTP/1.0":         {"http", "http", "\x39"},
		"a stream that the end ends":   {"http", "http", "\x69"},
		"no handshake yet":             {"websocket", "http", "\x02"},
		"requests, and no handshake":   {"websocket", "http", "\x03"},
		"a WebSocket":                  {"websocket", "websocket", ""},
		"a client's":                   {"websocket", "websocket", "\x00\x01\x01\x01"},
		"fragments":                    {"websocket", "websocket", "\x00\x06\x03\x02ab"},
		"a ping, 300 ns ago":           {"websocket", "websocket", "\x01\x02hi\xac\x02"},
		"a round trip, and a new ping": {"websocket", "websocket", "\x03\x00\x05\xac\x02"},
		"a pong that waits":            {"websocket", "websocket", "\x04\xac\x02"},
		"and one that is owed":         {"websocket", "websocket", "\x0c\x09\x02hi\x02\x04chat"},
	} {
		t.Run(name, func(t *testing.T) {
			c := ofWorker(t, Worker{Addr: tt.addr})
			c.out.bytes = 1000
			s, err := restoreSession(c, tt.kind, []byte(tt.state))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.appendStateLocked(c, nil); err != nil || string(got) != tt.state {
				t.Errorf("%q became %q, %v", tt.state, got, err)
			}
		})
	}
	c := ofWorker(t, Worker{Addr: "http", Handler: http.NotFoundHandler()})
	if s, err := restoreSession(c, kindHTTP, []byte("\x01\x10")); err != nil {
		t.Error(err)
	} else if got, _ := s.appendStateLocked(c, nil); string(got) != "\x00\x10" {
		t.Errorf("a Handler's became %q", got)
	}
}

func TestSessionStateRefused(t *testing.T) {
	handler, codec := Worker{Addr: "http", Handler: http.NotFoundHandler()}, Worker{Addr: "tcp", Protocol: fixed{}}
	for _, tt := range []struct {
		w           Worker
		kind, state string
		says        string
	}{
		{Worker{Addr: "tcp"}, "raw", "a", "malformed"},
		{Worker{Addr: "tcp"}, "codec:text", "", `has kind "raw"`},
		{Worker{Addr: "frame"}, "codec:text", "", `has kind "codec:frame"`},
		{Worker{Addr: "text"}, "codec:text", "\xff", "text: not a state"},
		{codec, "codec:fixed", "", "no protocol.Movable"},
		{Worker{Addr: "tcp", Protocol: panicking{}}, "codec:fixed", "", "its codec panicked: RestoreState"},
		{Worker{Addr: "http"}, "websocket", "", `has kind "http"`},
		{Worker{Addr: "http"}, "http", "\x80", "malformed"},
		{Worker{Addr: "http"}, "http", "\x10", "malformed"}, // about a stream, and there is none
		{Worker{Addr: "http"}, "http", "\x00\xff", "http1: not a state"},
		{handler, "http", "\x09", "malformed"},
		{handler, "http", "\x00\x01\x2f\x03\x00\x2f", "http1: not a state"},
		{Worker{Addr: "websocket"}, "raw", "", `has kind "http"`},
		{Worker{Addr: "websocket"}, "websocket", "\x10", "malformed"},
		{Worker{Addr: "websocket"}, "websocket", "\x01\x05ab", "malformed"},
		{Worker{Addr: "websocket"}, "websocket", "\x02", "malformed"},
		{Worker{Addr: "websocket"}, "websocket", "\x01\x7e" + strings.Repeat("a", 126) + "\x00", "malformed"},
		{Worker{Addr: "websocket"}, "websocket", "\x00\x09\x01\x01", "websocket: not a state"},
	} {
		_, err := restoreSession(ofWorker(t, tt.w), tt.kind, []byte(tt.state))
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s, %s, %q: %v, want %q in it", tt.w.Addr, tt.kind, tt.state, err, tt.says)
		}
	}
	c := ofWorker(t, Worker{Addr: "tcp", Protocol: panicking{}})
	if _, err := c.service.newSession().appendStateLocked(c, nil); err == nil ||
		!strings.Contains(err.Error(), "its codec panicked: AppendState") {
		t.Errorf("a codec that panics: %v", err)
	}
}

// TestOthersStay has sessions that cannot go anywhere say so.
func TestOthersStay(t *testing.T) {
	for want, s := range map[stays]handoverRules{
		staysPiped: &piped{}, staysSession: plain{},
	} {
		var reason stays
		if _, err := s.appendStateLocked(nil, nil); !errors.As(err, &reason) || reason != want {
			t.Errorf("%T stays because %v, want %q", s, err, want)
		}
	}
}

func FuzzSessionState(f *testing.F) {
	for _, state := range []string{
		"", "\x05\x01\x2f\x03\x00\x2f", "\x0c\x09\x02hi\x02\x04chat", "\x03\x00\x05\xac\x02",
	} {
		f.Add([]byte(state))
	}
	conns := map[string]*Conn{
		kindHTTP: ofWorker(f, Worker{Addr: "http"}), kindWebSocket: ofWorker(f, Worker{Addr: "websocket"}),
		kindCodec + "text": ofWorker(f, Worker{Addr: "text"}),
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		for kind, c := range conns {
			c.extra = nil
			s, err := restoreSession(c, kind, state)
			if err != nil {
				continue
			}
			if kept, _ := s.appendStateLocked(c, nil); len(kept) > len(state)+64 {
				t.Errorf("%s keeps %d bytes of %d", kind, len(kept), len(state))
			}
		}
	})
}
