//go:build unix

package server_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// publisher publishes to a page again and again by HTTP, over one connection, without an allocation of its own.
type publisher struct {
	conn    net.Conn
	request []byte
	answer  []byte
}

func newPublisher(tb testing.TB) *publisher {
	c := devMode()
	c.Loops = 1 // several hand what is published to each other
	r := start(tb, c, server.Options{})
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(r.api, "http://"), "/v1/"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	p := &publisher{conn: conn, answer: make([]byte, 4096), request: []byte(
		"POST /v1/pub HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n" +
			`{"to":"u:nobody","data":{"percent":100}}`)}
	if _, err := conn.Write(p.request); err != nil {
		tb.Fatal(err)
	}
	n, err := conn.Read(p.answer)
	if err != nil {
		tb.Fatal(err)
	}
	p.answer = p.answer[:n] // each has this length
	return p
}

func (p *publisher) publish(tb testing.TB) {
	if _, err := p.conn.Write(p.request); err != nil {
		tb.Fatal(err)
	}
	if _, err := io.ReadFull(p.conn, p.answer); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkAPI is a publication by HTTP, one after the other.
func BenchmarkAPI(b *testing.B) {
	p := newPublisher(b)
	b.ReportAllocs()
	for b.Loop() {
		p.publish(b)
	}
}

// TestAPIAllocations bounds those of a publication by HTTP, which makes none.
func TestAPIAllocations(t *testing.T) {
	if linemantest.Raced() {
		t.Skip("the race detector allocates too")
	}
	p := newPublisher(t)
	n := testing.AllocsPerRun(500, func() { p.publish(t) })
	for tries := 4; n > 1 && tries > 0; tries-- { // what the server does beside allocates, too: figures each second
		n = min(n, testing.AllocsPerRun(500, func() { p.publish(t) }))
	}
	if n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkAPIAtOnce is a publication by HTTP to a page: each of 16 back ends has one under way.
func BenchmarkAPIAtOnce(b *testing.B) {
	const backEnds = 16
	c := devMode()
	c.Loops = 1
	r := start(b, c, server.Options{})
	page := r.visit("token=ann&sub=news")
	go func() { _, _ = io.Copy(io.Discard, page.Reader) }()
	r.counts(r.backend(), "news", 1)
	body := `{"to":"news","text":"` + strings.Repeat("x", 64) + `"}`
	request := fmt.Appendf(nil, "POST /v1/pub HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n\r\n%s", len(body), body)
	answer := make([]byte, 4096)
	var conns []net.Conn
	for range backEnds {
		conns = append(conns, dial(b, strings.TrimSuffix(strings.TrimPrefix(r.api, "http://"), "/v1/")))
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += backEnds {
		for _, one := range conns {
			if _, err := one.Write(request); err != nil {
				b.Fatal(err)
			}
		}
		for _, one := range conns {
			if _, err := one.Read(answer); err != nil {
				b.Fatal(err)
			}
		}
	}
}
