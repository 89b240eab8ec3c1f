package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestAsk has an answer come through a proxy, and the proxy's refusal told.
func TestAsk(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, msg []byte) { _ = c.Send([]byte("heard " + string(msg))) }
	s := linemantest.Start(t, w)
	target := s.Addr(w).String()
	through := "socks5://" + socks(t, target)

	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	if answer, err := ask(ctx, through, "text://"+target, "hello"); err != nil || answer != "heard hello" {
		t.Errorf("%q, %v", answer, err)
	}
	if _, err := ask(ctx, through, "text://127.0.0.1:1", "hello"); err == nil ||
		!strings.Contains(err.Error(), "not allowed") {
		t.Errorf("another target: %v", err)
	}
}

// socks is a proxy that connects to one target only (RFC 1928).
func socks(t *testing.T, target string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { ln.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serve(c, target)
		}
	}()
	return ln.Addr().String()
}

func serve(c net.Conn, target string) {
	defer c.Close()
	request := make([]byte, 13)
	if _, err := io.ReadFull(c, request[:3]); err != nil { // version 5, one method: none
		return
	}
	_, _ = c.Write([]byte{5, 0})
	if _, err := io.ReadFull(c, request[:10]); err != nil { // CONNECT to an IPv4 address
		return
	}
	ip, _ := netip.AddrFromSlice(request[4:8])
	asked := netip.AddrPortFrom(ip, uint16(request[8])<<8|uint16(request[9]))
	if asked.String() != target {
		_, _ = c.Write([]byte{5, 2, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	to, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer to.Close()
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() {
		_, _ = io.Copy(to, c)
		_ = to.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(c, to)
}
