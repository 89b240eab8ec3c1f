package lineman_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestTLSUnread has a peer that asks for new keys again and again, and does not read the answers, closed before they
// pile up.
func TestTLSUnread(t *testing.T) {
	if portable() {
		t.Skip("it is the kernel's buffer that is made small here")
	}
	w := secured(t, "text")
	w.Limits.Close = 100 * time.Millisecond // it does not read the alert either
	closed := make(chan error, 1)
	w.OnConnect = func(c *lineman.Conn) { lineman.SetSendBuffer(t, c, 4<<10) }
	w.OnClose = func(_ *lineman.Conn, err error) { closed <- err }
	s := linemantest.Start(t, w)
	p := dialPeer(t, s, w)
	for most := 1 << 20; most > 0; most-- {
		if _, err := p.raw.Write(append(p.keyUpdate(), p.seal(ofApplication, "\n")...)); err != nil {
			break
		}
	}
	if err := next(t, closed, "OnClose"); err == nil || !strings.Contains(err.Error(), "not read") {
		t.Errorf("OnClose: %v", err)
	}
}
