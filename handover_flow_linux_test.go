package lineman_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// flow is bytes that tell where they stand.
type flow struct{ at int }

const flowPeriod = 251

var flowBytes = func() (b [128<<10 + flowPeriod]byte) {
	for i := range b {
		b[i] = byte(i % flowPeriod)
	}
	return b
}()

// next are the next n bytes.
func (f *flow) next(n int) []byte { return flowBytes[f.at%flowPeriod:][:n] }

// check reports whether b are the next ones, and goes on behind them.
func (f *flow) check(b []byte) bool {
	same := bytes.Equal(b, f.next(len(b)))
	f.at += len(b)
	return same
}

// flowing is a worker that sends without an end, and checks what comes; how far both are is the value that crosses.
func flowing(t *testing.T, came func(at int)) *lineman.Worker {
	type flows struct{ in, out flow }
	w := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Name: "service", Logger: quiet, TLS: linemantest.TLS(t)}
	w.Limits.MaxPending = 256 << 10
	pump := func(c *lineman.Conn) {
		f := c.Value().(*flows)
		for i := range 8 { // so that others have their turn
			n := 1 + (f.out.at+i*9_000)%50_000
			if c.Send(f.out.next(n)) != nil {
				return
			}
			f.out.at += n
		}
	}
	w.OnStart = func(l *lineman.Loop) error {
		l.Every(time.Millisecond, func() {
			for c := range l.Conns(w) {
				if c.Pending() < 64<<10 && c.Value() != nil {
					pump(c)
				}
			}
		})
		return nil
	}
	w.OnConnect = func(c *lineman.Conn) { c.SetValue(&flows{}) }
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		f := c.Value().(*flows)
		if at := f.in.at; !f.in.check(msg) {
			t.Errorf("what has come behind byte %d is not what was sent", at)
		}
		came(f.in.at)
	}
	w.Save = func(c *lineman.Conn) ([]byte, error) {
		f := c.Value().(*flows)
		return fmt.Appendf(nil, "%d %d", f.in.at, f.out.at), nil
	}
	w.Restore = func(c *lineman.Conn, value []byte) error {
		f := &flows{}
		c.SetValue(f)
		_, err := fmt.Sscan(string(value), &f.in.at, &f.out.at)
		return err
	}
	return w
}

// TestRelayFlow has bytes go both ways under TLS, as fast as they can, while the connections cross twice: none is lost,
// doubled, or out of order.
func TestRelayFlow(t *testing.T) {
	linemantest.NoLeaks(t)
	var came atomic.Int64
	note := func(at int) { came.Store(int64(at)) }
	w, to, last := flowing(t, note), flowing(t, note), flowing(t, note)
	s := linemantest.Start(t, w)
	client := s.Dial(w)
	conn := client.Conn
	_ = conn.SetDeadline(time.Now().Add(patience)) // else the tests ends by its own
	var got, sent flow
	over, read := make(chan struct{}), make(chan error, 1)
	wrote := make(chan error, 1)
	go func() {
		b := make([]byte, 40_000)
		for {
			n, err := conn.Read(b)
			if at := got.at; !got.check(b[:n]) {
				t.Errorf("the client got something else behind byte %d", at)
			}
			if err != nil {
				read <- err
				return
			}
		}
	}()
	go func() {
		for n := 1; ; n = n*5%30_000 + 1 {
			select {
			case <-over:
				wrote <- conn.(*tls.Conn).CloseWrite()
				return
			default:
			}
			if _, err := conn.Write(sent.next(n)); err != nil {
				wrote <- err
				return
			}
			sent.at += n
		}
	}()
	goesOn := func() {
		t.Helper()
		from := came.Load()
		linemantest.Until(t, "nothing comes any more", func() bool { return came.Load() > from+1_000_000 })
	}
	goesOn()
	second := allCross(t, s, w, to)
	goesOn()
	allCross(t, second, to, last)
	goesOn()
	close(over)
	if err := next(t, wrote, "the end of writing"); err != nil {
		t.Fatal(err)
	}
	if err := next(t, read, "the end of reading"); err != io.EOF {
		t.Errorf("the client ends with %v", err)
	}
	if int(came.Load()) != sent.at || got.at < 1_000_000 {
		t.Errorf("%d bytes came of %d, and the client got %d", came.Load(), sent.at, got.at)
	}
	client.Close()
	linemantest.Until(t, "the relay does not end", func() bool { return relaying(s, w) == 0 })
}
