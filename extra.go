package lineman

import (
	"context"
	"net/netip"

	"github.com/lineman-go/lineman/internal/poll"
)

// extra is what few connections need. Guarded by the connection's lock.
type extra struct {
	cause  error // why the connection ends
	life   *life // nil until Context was called
	timers []*Timer
	piped  poll.Pipe  // bytes in the kernel that go before the output; nil when there are none
	client netip.Addr // whom a trusted proxy speaks for
	ping   *pinging   // nil until Ping was called
	pongs  *pongs     // nil but for a peer that pings and does not read
	origin *service   // whose OnGone is due; nil means that of the service that has the connection
}

// life is the context of a connection, and its end.
type life struct {
	context.Context
	end context.CancelFunc
}

func newLife() *life {
	ctx, end := context.WithCancel(context.Background())
	return &life{ctx, end}
}

// Context is cancelled when the connection has closed. A connection that is dialed again has another one then.
func (c *Conn) Context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.extrasLocked()
	if x.life == nil {
		x.life = newLife()
		if c.phase.get() == closed {
			x.life.end()
		}
	}
	return x.life.Context
}

func (c *Conn) extrasLocked() *extra {
	if c.extra == nil {
		c.extra = &extra{}
	}
	return c.extra
}
