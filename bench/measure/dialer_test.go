//go:build linux

package main

import (
	"net"
	"testing"
)

// TestDialer has connections beyond those that one address is for come from a further one, but not those that are known
// by their ports.
func TestDialer(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, c := range []struct {
		how    opening
		number int
		want   string
	}{
		{webSocket, 0, "127.0.0.1"}, {webSocket, perAddress - 1, "127.0.0.1"}, {webSocket, perAddress, "127.0.0.2"},
		{page, perAddress, "127.0.0.1"}, {follower, perAddress, "127.0.0.1"},
	} {
		conn, err := c.how.dialer(c.number).Dial("tcp", server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if from, _, _ := net.SplitHostPort(conn.LocalAddr().String()); from != c.want {
			t.Errorf("number %d comes from %s, want %s", c.number, from, c.want)
		}
	}
}
