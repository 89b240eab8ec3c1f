package linemantest_test

import (
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestClientPatience has a client outlive the time that one of its methods may take.
func TestClientPatience(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, msg []byte) { _ = c.Send(msg) }
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	_ = c.Conn.SetDeadline(time.Now().Add(-time.Second)) // as if its first method were that long ago
	c.Send("hello")
	if got := c.Receive(); got != "hello" {
		t.Errorf("got %q", got)
	}
}
