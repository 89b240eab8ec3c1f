package e2e

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// serve runs a worker in this process until the end of the test.
func serve(t *testing.T, w *lineman.Worker) (addr string, l *lineman.Loop) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	started, ended := make(chan *lineman.Loop, 1), make(chan error, 1)
	w.OnStart = func(l *lineman.Loop) error {
		if n := l.Listener(w); n != nil {
			addr = n.Addr().String()
		}
		started <- l
		return nil
	}
	w.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	go func() { ended <- lineman.Run(ctx, w) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case l = <-started:
		return addr, l
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
		return "", nil
	}
}

// deflating is a worker that echoes, with compression.
func deflating() *lineman.Worker {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0"}
	w.Protocol = &websocket.Protocol{Compression: &websocket.Compression{}}
	w.OnMessage = func(c *lineman.Conn, msg []byte) { _ = c.Send(msg) }
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) { _ = c.Send([]byte("a page")) }
	return w
}

var deflated = []string{
	"short", strings.Repeat("a longer one, that repeats itself; ", 100), strings.Repeat("é", 100_000),
}

// TestDeflateClient has an independent client speak permessage-deflate with our server.
func TestDeflateClient(t *testing.T) {
	addr, _ := serve(t, deflating())
	for _, p := range []wsflate.Parameters{
		{}, {ServerNoContextTakeover: true, ClientNoContextTakeover: true},
		{ServerMaxWindowBits: 10, ClientMaxWindowBits: 1},
	} {
		d := ws.Dialer{Extensions: []httphead.Option{p.Option()}, Timeout: patience}
		c, _, h, err := d.Dial(context.Background(), "ws://"+addr+"/")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if len(h.Extensions) != 1 || string(h.Extensions[0].Name) != "permessage-deflate" {
			t.Errorf("offered %+v: agreed on %v", p, h.Extensions)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		for _, msg := range deflated {
			f, err := wsflate.CompressFrame(ws.NewTextFrame([]byte(msg)))
			if err != nil {
				t.Fatal(err)
			}
			if err := ws.WriteFrame(c, ws.MaskFrame(f)); err != nil {
				t.Fatal(err)
			}
			answer, err := ws.ReadFrame(c)
			if err != nil {
				t.Fatal(err)
			}
			got := text(t, answer)
			if got != msg || len(msg) > 1000 && len(answer.Payload) > len(msg)/10 {
				t.Errorf("%+v: %d bytes came back as %d, in %d", p, len(msg), len(got), len(answer.Payload))
			}
		}
	}
}

// text is the message of a frame, inflated if it was compressed.
func text(t *testing.T, f ws.Frame) string {
	if compressed, err := wsflate.IsCompressed(f.Header); err != nil {
		t.Fatal(err)
	} else if !compressed {
		return string(f.Payload)
	}
	f, err := wsflate.DecompressFrame(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(f.Payload)
}

// TestDeflateServer has an independent server speak permessage-deflate with a connection that we dial.
func TestDeflateServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	served := make(chan error, 1)
	go func() { served <- serveDeflated(t, ln) }()

	_, l := serve(t, &lineman.Worker{Name: "home"})
	messages, closes := make(chan string, 1), make(chan error, 1)
	dialer := lineman.Dialer{Protocol: &websocket.Protocol{
		Subprotocols: []string{"echo"}, Compression: &websocket.Compression{},
	}}
	dialer.OnMessage = func(_ *lineman.Conn, msg []byte) { messages <- string(msg) }
	dialer.OnClose = func(_ *lineman.Conn, err error) { closes <- err }
	dialed := make(chan *lineman.Conn, 1)
	l.Do(func() {
		c, err := l.Dial("ws://"+ln.Addr().String()+"/", dialer)
		if err != nil {
			t.Error(err)
		}
		dialed <- c
	})
	c := <-dialed
	for _, msg := range deflated {
		if err := c.Send([]byte(msg)); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-messages:
			if got != msg {
				t.Errorf("%d bytes came back as %d", len(msg), len(got))
			}
		case err := <-closes:
			t.Fatal(err)
		}
	}
	if err := c.CloseWith(4000, "bye"); err != nil {
		t.Error(err)
	}
	if err := <-closes; err != nil {
		t.Errorf("OnClose: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("the server: %v", err)
	}
}

// serveDeflated echoes on one connection until its goodbye.
func serveDeflated(t *testing.T, ln net.Listener) error {
	c, err := ln.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	e := wsflate.Extension{Parameters: wsflate.DefaultParameters}
	u := ws.Upgrader{Negotiate: e.Negotiate, Protocol: func(p []byte) bool { return string(p) == "echo" }}
	if _, err := u.Upgrade(c); err != nil {
		return err
	}
	if _, ok := e.Accepted(); !ok {
		return errors.New("no compression")
	}
	for {
		f, err := ws.ReadFrame(c)
		if err != nil {
			return err
		}
		if !f.Header.Masked {
			return errors.New("a frame without a mask")
		}
		f = ws.UnmaskFrame(f)
		if f.Header.OpCode == ws.OpClose {
			return ws.WriteFrame(c, ws.NewCloseFrame(f.Payload))
		}
		answer, err := wsflate.CompressFrame(ws.NewTextFrame([]byte(text(t, f))))
		if err != nil {
			return err
		}
		if err := ws.WriteFrame(c, answer); err != nil {
			return err
		}
	}
}

// TestDeflateBrowser has Chromium agree on compression, and its messages come back.
func TestDeflateBrowser(t *testing.T) {
	t.Parallel()
	for _, keeping := range []bool{false, true} {
		w := deflating()
		w.Protocol.(*websocket.Protocol).Compression.ContextTakeover = keeping
		addr, _ := serve(t, w)
		p := open(t, browser(t), "http://"+addr+"/")
		eval[int](p,
			`window.said = []; window.ws = new WebSocket("ws://`+addr+`/"); ws.onmessage = e => said.push(e.data);
			ws.onopen = () => { for (let i = 0; i < 20; i++) ws.send(("message " + i + "; ").repeat(1 + i * i)) }; 0`)
		linemantest.Until(t, "the page has too few messages", func() bool { return eval[int](p, "said.length") == 20 })
		if !eval[bool](p, `said.every((m, i) => m === ("message " + i + "; ").repeat(1 + i * i))`) {
			t.Error("the messages are others")
		}
		if got := eval[string](p, "ws.extensions"); !strings.HasPrefix(got, "permessage-deflate") ||
			strings.Contains(got, "takeover") == keeping {
			t.Errorf("the page has agreed on %q", got)
		}
	}
}
