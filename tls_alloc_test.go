package lineman_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// newTLSExchanger is a client of a stepped loop after its handshake.
func newTLSExchanger(tb testing.TB) *exchanger {
	tb.Helper()
	w := &lineman.Worker{Addr: "tcp://127.0.0.1:0", TLS: linemantest.TLS(tb), Events: lineman.Events{OnMessage: echo}}
	l, err := lineman.Open(w)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Shut)
	addr := l.Listener(w).Addr()
	raw, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		tb.Fatal(err)
	}
	client := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
	tb.Cleanup(func() { client.Close() })
	x := &exchanger{loop: l, client: client, worker: w, request: make([]byte, 64), reply: make([]byte, 64)}
	done := make(chan error)
	go func() {
		_, err := client.Write(x.request)
		if err == nil {
			_, err = io.ReadFull(client, x.reply) // the tickets too
		}
		done <- err
	}()
	for {
		select {
		case err := <-done:
			if err != nil {
				tb.Fatal(err)
			}
			return x
		default:
			if err := l.Step(); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// TestTLSAllocations has an echo over TLS allocate nothing but what crypto/tls does: 24 bytes for each look for a
// record, the client's one and the loop's two, of which the second finds that there is no more.
func TestTLSAllocations(t *testing.T) {
	if portable() || linemantest.Raced() {
		t.Skip("the figure is for the native loop, without the race detector")
	}
	x := newTLSExchanger(t)
	n := allocations(500, 3, func() {
		x.send(t, x.request)
		x.receive(t, len(x.request))
	})
	if n > 3 {
		t.Errorf("%v allocations, want 3", n)
	}
}

func BenchmarkTLSExchange(b *testing.B) {
	x := newTLSExchanger(b)
	b.ReportAllocs()
	for range b.N {
		x.send(b, x.request)
		x.receive(b, len(x.request))
	}
}
