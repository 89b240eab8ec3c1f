package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/client"
	"github.com/lineman-go/lineman/push/level1"
)

// TestTLS has a client speak TLS over a real socket, and leave nothing behind.
func TestTLS(t *testing.T) {
	linemantest.NoLeaks(t)
	known := httptest.NewTLSServer(nil) // for its certificate
	known.Close()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: known.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	served := make(chan *peer)
	go func() {
		defer close(served)
		conn, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		p, err := shake(t, conn, level1.Subprotocol)
		if err != nil {
			t.Error(err)
			return
		}
		p.welcome()
		r := p.next(level1.OpSub)
		p.say(level1.Subscribed{ID: r.ID, Channel: "a", Position: at(4)}, message("a", 5))
		served <- p
	}()
	roots := x509.NewCertPool()
	roots.AddCert(known.Certificate())
	c, err := client.Dial(t.Context(), "wss://"+ln.Addr().String()+"/", client.Options{
		TLS: &tls.Config{RootCAs: roots},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	_, err = c.Subscribe(t.Context(), "a", push.Since{}, client.Handler{
		Message: func(m level1.Message) { got <- string(m.Data) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if data := <-got; data != "5" {
		t.Error(data)
	}
	p := <-served
	closing(t, c)
	for range p.asked { // until the client has gone
	}
	p.conn.Close()
}

// TestAddress has the port be that of the scheme, unless the address says otherwise.
func TestAddress(t *testing.T) {
	for address, want := range map[string]string{
		"ws://a": "a:80", "wss://a/b": "a:443", "ws://[::1]:81/": "[::1]:81", "wss://a:1": "a:1",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		dialed := make(chan string, 10)
		_, err := client.Dial(ctx, address, client.Options{
			Dial: func(_ context.Context, network, address string) (net.Conn, error) {
				cancel()
				dialed <- network + " " + address
				return nil, context.Canceled
			},
		})
		if got := <-dialed; got != "tcp "+want || err == nil {
			t.Errorf("%s leads to %s, %v", address, got, err)
		}
	}
}

// TestFragments has texts come in any number of frames and pieces, and large ones be taken up to MaxMessage.
func TestFragments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		n := newNetwork(t)
		c, p := dialed(t, n, client.Options{MaxMessage: 300_000, Down: func(err error) { r.add("%v", err) }})
		defer closing(t, c)
		sizes := 0
		subscribed(t, c, p, "a", push.Since{}, client.Handler{Message: func(m level1.Message) { sizes += len(m.Data) }},
			level1.Subscribed{Channel: "a", Position: at(0)})
		wire := []byte{}
		for i, size := range []int{1, 200_000, 5_000, 10} {
			var err error
			if wire, err = p.codec.Append(wire, big(uint64(i+1), size).Append(nil)); err != nil {
				t.Fatal(err)
			}
		}
		for len(wire) > 0 {
			piece := min(len(wire), 1777)
			if _, err := p.conn.Write(wire[:piece]); err != nil {
				t.Fatal(err)
			}
			wire = wire[piece:]
		}
		synctest.Wait()
		if sizes != 205_011 {
			t.Errorf("%d bytes have come", sizes)
		}
		go func() { _, _ = p.conn.Write(append([]byte{0x81, 127, 0, 0, 0, 0, 0, 5}, make([]byte, 10)...)) }()
		n.accept().next(level1.OpHello)
		if got := r.take(); !strings.HasSuffix(got, "message too large]") {
			t.Error(got)
		}
	})
}

// FuzzServer has a server say anything. Whatever that is, no message comes twice or in a wrong order, and the client
// can be closed.
func FuzzServer(f *testing.F) {
	for _, texts := range []string{
		`{"op":"sub","id":2,"ch":"a","pos":"e.4"}` + "\n" + `{"op":"msg","ch":"a","pos":"e.5","data":1}` + "\n" +
			`{"op":"msg","ch":"a","pos":"e.7","data":1}`,
		`{"op":"sub","id":2,"ch":"a","pos":"e.4","n":2}` + "\n" + `{"op":"pos","ch":"a","pos":"e.3"}`,
		`[{"op":"bye","code":4101,"retry":1},{"op":"hb"},{"op":"gap","ch":"a","gap":"epoch","pos":"f.1"}]`,
		`{"op":"unsub","ch":"a","why":"auth"}` + "\n" + `{"op":"err","id":2,"ch":"a","code":503}`,
		`{"op":"sub","ch":"u:7","pos":"e.4"}` + "\n" + `{"op":"welcome","conn":"c:n.2"}` + "\n" + `{"op":"expiring"}`,
	} {
		f.Add(texts)
	}
	f.Fuzz(func(t *testing.T, texts string) {
		synctest.Test(t, func(t *testing.T) { played(t, texts) })
	})
}

// played has a server say texts, which are lines.
func played(t *testing.T, texts string) {
	n := newNetwork(t)
	var last push.Position
	h := client.Handler{
		Message: func(m level1.Message) {
			known := m.Position != (push.Position{}) && last != (push.Position{})
			if known && (m.Position.Epoch != last.Epoch || m.Position.Offset <= last.Offset) {
				t.Errorf("%v after %v", m.Position, last)
			}
			last = m.Position
		},
		Gap:   func(m level1.Missed) { last = m.Position },
		Ended: func(level1.Unsubscribed, error) { last = push.Position{} },
	}
	c, p := dialed(t, n, client.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	go func() { _, _ = c.Subscribe(ctx, "a", push.Since{Position: at(4)}, h) }()
	p.next(level1.OpSub)
	for text := range strings.Lines(texts) {
		wire, err := p.codec.Append(nil, []byte(strings.TrimSuffix(text, "\n")))
		if err != nil {
			break // it is no UTF-8
		}
		if _, err := p.conn.Write(wire); err != nil {
			break // the client has had enough
		}
	}
	synctest.Wait()
	p.conn.Close()
	closing(t, c)
}
