package lineman_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestHandoverDialedStays has what was dialed go on in the predecessor, be it there or not, when the successor does not
// take it, or the handover fails.
func TestHandoverDialedStays(t *testing.T) {
	needsNative(t)
	for name, tt := range map[string]struct {
		step   string // that fails
		change func(d *crossingDialed, to *lineman.Worker)
		reason string
	}{
		"not expected": {"", func(_ *crossingDialed, to *lineman.Worker) { to.OnStart = nil }, "does not expect"},
		"refused": {"", func(d *crossingDialed, _ *lineman.Worker) {
			d.Restore = func(*lineman.Conn, []byte) error { return errors.New("no room") }
		}, "no room"},
		"another protocol": {"", func(_ *crossingDialed, to *lineman.Worker) {
			to.OnStart = func(l *lineman.Loop) error {
				return l.ExpectDial("frame://127.0.0.1:1", newCrossingDialed().Dialer)
			}
		}, "has kind"},
		"committed": {"committed", func(*crossingDialed, *lineman.Worker) {}, ""},
		"commit":    {"commit", func(*crossingDialed, *lineman.Worker) {}, ""},
	} {
		for _, absent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, absent %v", name, absent), func(t *testing.T) {
				linemantest.NoLeaks(t)
				peer := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet}
				peer.OnMessage = echo
				far := linemantest.Start(t, peer)
				addr := "text://" + far.Addr(peer).String()
				before, after := newCrossingDialed(), newCrossingDialed()
				goOn := make(chan struct{})
				before.Connect = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if absent {
						<-goOn
					}
					return (&net.Dialer{}).DialContext(ctx, network, addr)
				}
				w := quietWorker()
				s := linemantest.Start(t, w)
				c := dialFrom(t, s, w, addr, before.Dialer)
				if !absent {
					next(t, before.connects, "OnConnect")
				}
				sendAll(t, c, "a")
				if !absent {
					next(t, before.messages, "the echo")
				}
				to := expecting(addr, after.Dialer)
				tt.change(after, to)
				if name == "refused" {
					to.OnStart = expecting(addr, after.Dialer).OnStart
				}
				_, h := handOver(t, s, w, to, func(step string) error {
					if step == tt.step {
						return errors.New("as the test wants it")
					}
					return nil
				})
				if h.Crossed != 0 || (h.Handed == nil) == (tt.step != "") {
					t.Errorf("%d crossed: %v, %v", h.Crossed, h.Handed, h.Received)
				}
				for reason := range h.Stayed {
					if !strings.Contains(reason, tt.reason) {
						t.Errorf("it stayed because %q, want %q", reason, tt.reason)
					}
				}
				close(goOn)
				if absent {
					next(t, before.connects, "OnConnect")
					next(t, before.messages, "the echo")
				}
				sendAll(t, c, "b")
				if got := next(t, before.messages, "the echo"); got != "b" {
					t.Errorf("%q", got)
				}
				before.quietly(t)
			})
		}
	}
}

// TestHandoverDialedKept has what happens to a dialed connection while it crosses keep it where it is. The successor is
// told, and does not dial.
func TestHandoverDialedKept(t *testing.T) {
	for _, absent := range []bool{false, true} {
		t.Run(fmt.Sprintf("absent %v", absent), func(t *testing.T) {
			linemantest.NoLeaks(t)
			peer := quietWorker()
			far := linemantest.Start(t, peer)
			addr := "text://" + far.Addr(peer).String()
			before, after := newCrossingDialed(), newCrossingDialed()
			after.Backoff.First = time.Millisecond
			if absent {
				before.Connect = func(ctx context.Context, _, _ string) (net.Conn, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}
			}
			w := quietWorker()
			s := linemantest.Start(t, w)
			c := dialFrom(t, s, w, addr, before.Dialer)
			if !absent {
				next(t, before.connects, "OnConnect")
			}
			to := expecting(addr, after.Dialer)
			second, h := handOver(t, s, w, to, func(step string) error {
				if step == "commit" {
					c.Close()
				}
				return nil
			})
			if h.Crossed != 0 || len(h.Stayed) != 1 {
				t.Errorf("%d crossed, %v stayed: %v, %v", h.Crossed, h.Stayed, h.Handed, h.Received)
			}
			next(t, before.closes, "OnClose in the predecessor")
			if err := next(t, after.closes, "OnClose in the successor"); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the successor has %v", err)
			}
			second.Do(to, func(l *lineman.Loop) {
				if n := l.Stats().Conns; n != 0 {
					t.Errorf("the successor has %d connections", n)
				}
			})
		})
	}
}

// TestExpectDial has what cannot be expected be an error.
func TestExpectDial(t *testing.T) {
	w := quietWorker()
	s := linemantest.Start(t, w)
	datagrams := newCrossingDialed().Dialer
	datagrams.OnInvalid = func(*lineman.Conn, error) {}
	half := newCrossingDialed().Dialer
	half.Save = nil
	for addr, d := range map[string]lineman.Dialer{
		"text://127.0.0.1:1": {}, "udp://127.0.0.1:1": datagrams, "nothing": newCrossingDialed().Dialer,
		"frame://127.0.0.1:1": half,
	} {
		s.Do(w, func(l *lineman.Loop) {
			if err := l.ExpectDial(addr, d); err == nil {
				t.Errorf("%s: no error", addr)
			}
		})
	}
}
