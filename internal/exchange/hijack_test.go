package exchange_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/lineman-go/lineman/internal/exchange"
)

const upgrade = "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: any\r\n\r\n"

// hijacked is what a handler has after Hijack.
type hijacked struct {
	conn net.Conn
	rw   *bufio.ReadWriter
	err  error
}

// hijack has a handler take the connection of a request with bytes behind it.
func (t *trial) hijack(behind string) (*exchange.Exchange, chan hijacked) {
	got := make(chan hijacked, 1)
	x := t.begin(func(w http.ResponseWriter, _ *http.Request) {
		var h hijacked
		h.conn, h.rw, h.err = http.NewResponseController(w).Hijack()
		got <- h
	}, upgrade+behind, true)
	return x, got
}

// TestTunnel has the exchange itself take the place of a connection whose socket cannot be had: all that comes goes to
// it, with back-pressure, until it is closed.
func TestTunnel(t *testing.T) {
	for name, prepare := range map[string]func(*fake){
		"TLS":           func(f *fake) { f.tls = &tls.ConnectionState{} },
		"a Unix socket": func(f *fake) { f.local = &net.UnixAddr{Net: "unix"} },
	} {
		t.Run(name, func(t *testing.T) {
			try(t, func(t *trial) {
				prepare(t.fake)
				x, got := t.hijack("behind ")
				h := <-got
				if h.err != nil || h.conn != net.Conn(x) || !x.Tunnels() || x.Room(true) != exchange.Free {
					t.Fatalf("%T, %v, tunnels %v", h.conn, h.err, x.Tunnels())
				}
				if n := h.rw.Reader.Buffered(); n != len("behind ") {
					t.Errorf("%d bytes are buffered", n)
				}
				t.want("after Hijack", 1, 0)
				x.Feed([]byte("and later"), false)
				text := make([]byte, len("behind and later"))
				if _, err := io.ReadFull(h.rw, text); err != nil || string(text) != "behind and later" {
					t.Errorf("%q, %v", text, err)
				}
				fmt.Fprint(h.conn, "answer")
				if t.sent() != "answer" {
					t.Errorf("sent %q", t.sent())
				}
				tunnelBackPressure(t, x, h.conn)
				if err := h.conn.Close(); err != nil {
					t.Error(err)
				}
				if _, _, closes := t.calls(); closes != 1 {
					t.Error("the connection stays open")
				}
			})
		})
	}
}

func tunnelBackPressure(t *trial, x *exchange.Exchange, c net.Conn) {
	_, before, _ := t.calls()
	piece, fed := make([]byte, 10<<10), 0
	for ; x.Room(true) == exchange.Free; fed += len(piece) {
		x.Feed(piece, false)
	}
	if fed > 100<<10 {
		t.Errorf("%d bytes wait", fed)
	}
	if _, err := io.ReadFull(c, make([]byte, fed)); err != nil {
		t.Error(err)
	}
	if _, after, _ := t.calls(); after == before || x.Room(true) != exchange.Free {
		t.Error("the loop does not go on")
	}
}

// TestTunnelEnds gives what had come, and then the end.
func TestTunnelEnds(t *testing.T) {
	try(t, func(t *trial) {
		t.tls = &tls.ConnectionState{}
		x, got := t.hijack("")
		h := <-got
		x.Feed([]byte("last"), false)
		t.end(x)
		x.Cut()
		if text, err := io.ReadAll(h.conn); err != nil || string(text) != "last" {
			t.Errorf("%q, %v", text, err)
		}
		if _, err := h.conn.Write([]byte("x")); err != net.ErrClosed {
			t.Errorf("Write: %v", err)
		}
		_ = h.conn.Close()
	})
}

// TestSocket gives the socket away behind all that was written, and in front of it all that has come, wherever that
// was: with net/http, with the exchange, or with the loop.
func TestSocket(t *testing.T) {
	const behind = "some bytes"
	for i := range len(behind) + 1 {
		for j := i; j <= len(behind); j++ {
			try(t, func(t *trial) {
				ours, peers := net.Pipe()
				t.socket, t.unread, t.room = ours, behind[j:], 0
				_, _ = t.WriteSome([]byte("written before"), 64<<10, false)
				x, got := t.hijack(behind[:i])
				if len(got) > 0 {
					t.Fatal("the socket is given away with output before it")
				}
				x.Feed([]byte(behind[i:j]), false)
				t.take(x, 100)
				h := <-got
				if h.err != nil || h.conn != ours {
					t.Fatalf("%T, %v", h.conn, h.err)
				}
				go func() {
					_, _ = peers.Write([]byte(", later"))
					peers.Close()
				}()
				if n := h.rw.Reader.Buffered(); n != len(behind) {
					t.Errorf("%d bytes are buffered", n)
				}
				if text, err := io.ReadAll(h.rw); err != nil || string(text) != behind+", later" {
					t.Errorf("%d and %d: %q, %v", i, j, text, err)
				}
				h.conn.Close()
			})
		}
	}
}

// TestNoSocket has Hijack fail on a connection that ends, before its output is written or after.
func TestNoSocket(t *testing.T) {
	for _, written := range []bool{false, true} {
		try(t, func(t *trial) {
			t.room = 0
			_, _ = t.WriteSome([]byte("unread"), 64<<10, false)
			x, got := t.hijack("")
			if written {
				t.set(x, func(f *fake) { f.state.Open, f.room = false, 100 })
			} else {
				t.end(x)
			}
			x.Cut()
			if h := <-got; h.err != net.ErrClosed {
				t.Errorf("%T, %v", h.conn, h.err)
			}
		})
	}
}

// TestHijackTwice has the second one fail, as it does with net/http.
func TestHijackTwice(t *testing.T) {
	try(t, func(t *trial) {
		t.tls = &tls.ConnectionState{}
		t.begin(func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if _, _, err := http.NewResponseController(w).Hijack(); err != http.ErrHijacked {
				t.Errorf("the second: %v", err)
			}
		}, upgrade, true)
	})
}
