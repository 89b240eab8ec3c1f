package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// maxOpening bounds how many pages connect at once.
const maxOpening = 128

// page is one connection of the port for pages.
type page struct {
	Identity
	head  []byte // of publications for it
	there bool
	sent  uint64 // publications for it
	next  uint64 // number of the one that is to come
}

// dialPages connects as many of those that are left as may connect at once.
func (b *bench) dialPages() {
	d := lineman.Dialer{Name: "page", Logger: silent()}
	d.Limits.Handshake = 3 * b.options.Patience // many wait for each other
	d.Connect = b.connect
	d.OnConnect = b.arrive
	d.OnMessage = b.receive
	d.OnClose = b.leave
	for ; b.opening < maxOpening && b.dialed < len(b.pages); b.dialed++ {
		c, err := b.loop.Dial(b.options.URL, d)
		if err != nil {
			b.fail(fmt.Errorf("bench: %w", err))
			return
		}
		c.SetValue(b.pages[b.dialed])
		b.opening++
	}
}

// connect comes from the address that is wanted.
func (b *bench) connect(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{}
	if b.options.From != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(b.options.From)}
	}
	return d.DialContext(ctx, network, address)
}

func (b *bench) arrive(c *lineman.Conn) {
	p := c.Value().(*page)
	p.there = true
	b.opening--
	b.opened++
	if err := c.Send([]byte(p.Credential)); err != nil {
		b.fail(fmt.Errorf("bench: %w", err))
		return
	}
	b.dialPages()
	if b.opened == len(b.pages) {
		b.phase = knowing
		b.askWhoIsKnown()
		b.within(b.options.Patience, func() int { return b.known },
			fmt.Errorf("bench: the server at %s does not know all pages of %s: are they of one server?", b.options.Text,
				b.options.URL))
	}
}

// receive compares a message with the one that was to come.
func (b *bench) receive(c *lineman.Conn, msg []byte) {
	m, ours := b.marker.find(msg)
	if !ours || b.phase == over {
		return
	}
	p := c.Value().(*page)
	if m.number < p.next || m.number >= b.sentTo(p) {
		b.doubled++
		return
	}
	b.lost += m.number - p.next
	b.underWay -= int(m.number - p.next + 1)
	p.next = m.number + 1
	b.delivered++
	b.lastCame = b.now()
	b.latency.add(b.lastCame - m.at)
	b.proceed()
}

// sentTo is how many publications a page is to have got.
func (b *bench) sentTo(p *page) uint64 {
	if b.options.Mode == ModeAll {
		return b.published
	}
	return p.sent
}

// leave fails the run if a page goes before it was published, and counts it afterwards.
func (b *bench) leave(c *lineman.Conn, err error) {
	p := c.Value().(*page)
	p.there = false
	switch {
	case b.phase == over:
	case b.phase < publishing:
		b.fail(b.refusal(err))
	default:
		b.closed[why(err)]++
		b.underWay -= int(b.sentTo(p) - p.next)
		b.opened--
		b.proceed()
	}
}

// why is what the server said when it closed a page.
func why(err error) string {
	var said *websocket.CloseError
	if errors.As(err, &said) {
		return fmt.Sprintf("%d %s", said.Code, cmp.Or(said.Reason, "without a reason"))
	}
	if err == nil {
		return "closed"
	}
	return err.Error()
}
