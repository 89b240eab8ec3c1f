package lineman_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
)

const proxyHeader = "PROXY TCP4 203.0.113.7 192.0.2.1 1234 443\r\n"

// TestProxyProtocol has the address that a trusted proxy sends first, before TLS too, and none of anybody else.
func TestProxyProtocol(t *testing.T) {
	linemantest.NoLeaks(t)
	peer := func(c *lineman.Conn, msg []byte) { _ = c.Send(fmt.Appendf(nil, "%s %s", c.RemoteAddr(), msg)) }
	trusting := &lineman.Worker{
		Addr: "text://127.0.0.1:0", Proxies: []string{"127.0.0.0/8"}, ProxyProtocol: true, Logger: quiet,
	}
	trusting.OnMessage = peer
	wary := &lineman.Worker{
		Addr: "text://127.0.0.1:0", Proxies: []string{"10.0.0.0/8"}, ProxyProtocol: true, Logger: quiet,
	}
	wary.OnMessage = peer
	secure := &lineman.Worker{
		Addr: "text://127.0.0.1:0", Proxies: []string{"127.0.0.1"}, ProxyProtocol: true, Logger: quiet,
		TLS: linemantest.TLS(t),
	}
	secure.OnMessage = peer
	s := linemantest.Start(t, trusting, wary, secure)

	c := s.Connect(trusting)
	for _, b := range proxyHeader + "hello\n" {
		c.Write(string(b))
	}
	if got := c.Receive(); got != "203.0.113.7:1234 hello" {
		t.Errorf("byte by byte: %q", got)
	}
	at := s.Connect(trusting)
	at.Write(proxyHeader + "one\ntwo\n")
	if one, two := at.Receive(), at.Receive(); one != "203.0.113.7:1234 one" || two != "203.0.113.7:1234 two" {
		t.Errorf("at once: %q, %q", one, two)
	}
	local := s.Connect(trusting)
	local.Write("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00check\n")
	if got, want := local.Receive(), local.Conn.LocalAddr().String()+" check"; got != want {
		t.Errorf("the proxy itself: %q, want %q", got, want)
	}
	without := s.Connect(trusting)
	without.Write("hello\n")
	if rest, err := io.ReadAll(without.Reader); len(rest) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("without a header: %q, %v", rest, err)
	}
	forged := s.Connect(wary)
	forged.Write(proxyHeader)
	if got, want := forged.Receive(), forged.Conn.LocalAddr().String()+" "+strings.TrimSpace(proxyHeader); got != want {
		t.Errorf("from nobody: %q, want %q", got, want)
	}
	behind := s.Connect(secure)
	if _, err := io.WriteString(netConn(behind), proxyHeader); err != nil {
		t.Fatal(err)
	}
	behind.Send("hello")
	if got := behind.Receive(); got != "203.0.113.7:1234 hello" {
		t.Errorf("before TLS: %q", got)
	}
}

// TestProxyProtocolLate has a connection whose header does not come ended.
func TestProxyProtocolLate(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Proxies: []string{"127.0.0.1"}, ProxyProtocol: true, Logger: quiet}
	w.OnConnect = func(*lineman.Conn) { t.Error("OnConnect") }
	s, clock := startByClock(t, w)
	c := s.Connect(w)
	c.Write(proxyHeader[:20])
	waitForBytes(t, s, w, c)
	clock.jump(s, w, 10*time.Second+200*time.Millisecond)
	if rest, err := io.ReadAll(c.Reader); len(rest) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%q, %v", rest, err)
	}
}

// TestForwardedFor has the client's address from a trusted proxy's request, by either way of serving, and after a
// handshake.
func TestForwardedFor(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		list := []string{"10.0.0.1"}
		if trusted {
			list = append(list, "127.0.0.1")
		}
		byRequest := &lineman.Worker{Addr: "http://127.0.0.1:0", Proxies: list}
		byRequest.OnRequest = func(c *lineman.Conn, _ *http1.Request) { _ = c.Send([]byte(c.RemoteAddr().String())) }
		byHandler := &lineman.Worker{Addr: "http://127.0.0.1:0", Proxies: list}
		byHandler.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.RemoteAddr)
		})
		s := linemantest.Start(t, byRequest, byHandler)
		for _, w := range []*lineman.Worker{byRequest, byHandler} {
			c := s.Dial(w)
			own := c.Conn.LocalAddr().String()
			for fields, want := range map[string]string{
				"":                                 own,
				"X-Forwarded-For: 203.0.113.7\r\n": "203.0.113.7:0",
				"X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.0.0.1\r\n": "203.0.113.7:0",
			} {
				if !trusted {
					want = own
				}
				c.Write("GET / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n")
				_, got := c.Response("")
				if got != want {
					t.Errorf("trusted %v, %q: %s, want %s", trusted, fields, got, want)
				}
			}
		}
	}
}

// TestForwardedForWebSocket has a WebSocket be its client's, whom its handshake named, and pay nothing for the proxy.
func TestForwardedForWebSocket(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Proxies: []string{"127.0.0.1"}}
	w.OnMessage = func(c *lineman.Conn, _ []byte) {
		_ = c.Send(fmt.Append(nil, c.RemoteAddr(), " ", c.IsBare()))
	}
	s := linemantest.Start(t, w)
	for client, want := range map[string]string{
		"203.0.113.7": "203.0.113.7:0 true", "2001:db8::7": "[2001:db8::7]:0 true",
	} {
		c := s.Connect(w)
		c.Upgrade("/", http.Header{"X-Forwarded-For": {client}})
		c.Send("who")
		if got := c.Receive(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestProxiesArguments(t *testing.T) {
	for want, w := range map[string]*lineman.Worker{
		"10.0.0.0/8":    {Addr: "text://127.0.0.1:0", Proxies: []string{"10.0.0.1/8"}},
		"needs Proxies": {Addr: "text://127.0.0.1:0", ProxyProtocol: true},
	} {
		if err := lineman.Run(context.Background(), w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// netConn is the connection below TLS.
func netConn(c *linemantest.Client) net.Conn { return c.Conn.(*tls.Conn).NetConn() }

// TestOriginBySecurity wants pages of https where the client speaks TLS, with the worker or with a proxy that it
// trusts, and heeds nobody else's word.
func TestOriginBySecurity(t *testing.T) {
	linemantest.NoLeaks(t)
	worker := func(proxies ...string) *lineman.Worker {
		return &lineman.Worker{Addr: "websocket://127.0.0.1:0", Proxies: proxies, Logger: quiet}
	}
	plain, behind, secure := worker(), worker("127.0.0.1"), worker()
	secure.TLS = linemantest.TLS(t)
	s := linemantest.Start(t, plain, behind, secure)
	for _, w := range []struct {
		worker  *lineman.Worker
		origin  string
		forward []string
		status  int
	}{
		{plain, "http://localhost", nil, 101}, {plain, "https://localhost", nil, 101},
		{plain, "http://localhost", []string{"https"}, 101},
		{behind, "http://localhost", nil, 101}, {behind, "https://localhost", nil, 101},
		{behind, "http://localhost", []string{"http"}, 101},
		{behind, "http://localhost", []string{"https"}, 403}, {behind, "https://localhost", []string{"https"}, 101},
		{behind, "http://localhost", []string{"HTTPS , http"}, 403},
		{behind, "http://localhost", []string{"http", "wss"}, 403},
		{secure, "http://localhost", nil, 403}, {secure, "http://localhost", []string{"http"}, 403},
		{secure, "https://localhost", nil, 101},
	} {
		header := http.Header{"Origin": {w.origin}, "X-Forwarded-Proto": w.forward}
		if answer, why := s.Connect(w.worker).Handshake("/", header); answer.StatusCode != w.status {
			t.Errorf("%s, forwarded %q: %d %s, want %d", w.origin, w.forward, answer.StatusCode, why, w.status)
		}
	}
}
