package simulation

import (
	"fmt"
	"strings"
	"time"

	"github.com/lineman-go/lineman/push"
)

// conn is the connection of a client, as a Hub sees it.
type conn struct {
	id     uint64
	client *client
	wire   *wire // to the client
	since  map[push.Target]push.Position
}

func (c *conn) ID() uint64 { return c.id }

// client is one that follows some channels, loses its connection, and comes back with its positions.
type client struct {
	name     string
	group    *cluster
	channels []push.Target
	at       map[push.Target]push.Position // that it has processed
	began    map[push.Target]bool
	conn     *conn // nil while it is away
	gaps     int
	got      int

	// Who is in channels, as far as it has asked for that on this connection.
	sees map[push.Target]map[string]bool
}

// ledger is what was published, by position: no position is ever of two messages.
type ledger map[push.Target]map[push.Position]string

// is notes that a position is that of a message, and reports whether it was another one's.
func (l ledger) is(of push.Target, at push.Position, data string) bool {
	if l[of] == nil {
		l[of] = make(map[push.Position]string)
	}
	known, found := l[of][at]
	l[of][at] = data
	return !found || known == data
}

// get takes a message.
func (c *client) get(of push.Target, s push.Stored) {
	w, before := c.group.world, c.at[of]
	data := string(s.Data)
	if !strings.Contains(data, string(of)) {
		w.fail("%s got %q of %s", c.name, data, of)
	}
	if !c.group.ledger.is(of, s.Position, data) {
		w.fail("%s: %v of %s is %q, and was another message", c.name, s.Position, of, data)
	}
	if s.Position.Epoch != before.Epoch || s.Position.Offset != before.Offset+1 {
		w.fail("%s got %v of %s after %v", c.name, s.Position.Offset, of, before.Offset)
	}
	c.at[of] = s.Position
	c.got++
}

// pass takes that the position goes on without a message.
func (c *client) pass(of push.Target, at push.Position) {
	if before := c.at[of]; at.Epoch != before.Epoch || at.Offset != before.Offset+1 {
		c.group.world.fail("%s is told to pass %v of %s after %v", c.name, at.Offset, of, before.Offset)
	}
	c.at[of] = at
}

// begin takes the answer to a subscription.
func (c *client) begin(of push.Target, r push.Recovery, since push.Position) {
	w := c.group.world
	switch before := c.at[of]; {
	case r.Gap != "":
		if len(r.Messages) > 0 {
			w.fail("%s got a part of %s beside the gap %s", c.name, of, r.Gap)
		}
		c.gap(of, r.Gap, r.Top)
	case !c.began[of]:
		c.at[of] = r.Top
	case since != before:
		w.fail("%s is answered since %v, and stands at %v of %s", c.name, since, before, of)
	default:
		for _, m := range r.Messages {
			c.get(of, m)
		}
		if c.at[of] != r.Top {
			w.fail("%s was told all of %s up to %v, and stands at %v", c.name, of, r.Top, c.at[of])
		}
	}
	c.began[of] = true
	c.ask(of)
}

// gap takes that something was missed: the client loads its state, which is as old as the top or newer.
func (c *client) gap(of push.Target, why push.Gap, top push.Position) {
	if wrong := c.group.unfounded(of, why, c.at[of]); wrong != "" {
		c.group.world.fail("%s is told the gap %s of %s at %v: %s", c.name, why, of, c.at[of], wrong)
	}
	c.gaps++
	c.group.gaps[why]++
	c.at[of] = top
}

// ask asks who is in a channel, as a page does that has begun with it.
func (c *client) ask(in push.Target) {
	to := c.conn
	n := c.group.nodeOf(to)
	if n == nil {
		return
	}
	n.later(func() {
		if n.hub.Member(to.id) == nil {
			return
		}
		err := n.hub.Presence(in, func(p push.Presence, err error) {
			if err == nil {
				to.say(func(c *client) { c.renew(in, p) })
				return
			}
			c.group.world.after(time.Second, func() {
				if c.conn == to {
					c.ask(in)
				}
			})
		})
		if err != nil {
			c.group.world.fail("who is in %s: %v", in, err)
		}
	})
}

// renew takes who is there.
func (c *client) renew(in push.Target, p push.Presence) {
	c.sees[in] = make(map[string]bool)
	for uid := range p.Users {
		c.sees[in][uid] = true
	}
}

// see takes who has come or gone.
func (c *client) see(in push.Target, e push.PresenceEvent) {
	all := c.sees[in]
	if all == nil {
		return // it has not asked yet
	}
	if e.Here {
		all[e.UID] = true
	} else {
		delete(all, e.UID)
	}
	if len(all) != e.N && c.group.server == nil { // over a link that was down it is renewed a while later
		c.group.world.fail("%s sees %d in %s, and is told that there are %d", c.name, len(all), in, e.N)
	}
}

// leave cuts the connection, from either side.
func (c *client) leave() {
	if c.conn == nil {
		return
	}
	gone := c.conn
	c.conn = nil
	gone.wire.lose()
	w := c.group.world
	w.note("%s is away", c.name)
	if n := c.group.nodeOf(gone); n != nil {
		n.later(func() { // the node notices a while later
			if m := n.hub.Member(gone.id); m != nil {
				n.hub.Remove(m)
				n.note(c.name)
			}
		})
	}
}

// come connects to a node. It stays away if there is none.
func (c *client) come() {
	if c.conn != nil {
		return
	}
	n := c.group.someNode()
	w := c.group.world
	if n == nil {
		w.after(w.between(100*time.Millisecond, time.Second), c.come)
		return
	}
	c.group.conns++
	to := &conn{
		id: c.group.conns, client: c, wire: newWire(w, 50*time.Millisecond), since: make(map[push.Target]push.Position),
	}
	for _, of := range c.channels {
		if c.began[of] {
			to.since[of] = c.at[of]
		}
	}
	c.conn, c.sees = to, make(map[push.Target]map[string]bool)
	w.note("%s comes to %s", c.name, n.name)
	n.conns[to.id] = to
	n.later(func() {
		if c.conn != to {
			return // it has gone again
		}
		m, err := n.hub.AddFollower(to, c.name)
		for _, of := range c.channels {
			if err == nil {
				err = m.Subscribe(string(of))
			}
		}
		if err != nil {
			w.fail("%s: %v", c.name, err)
		}
		n.note(c.name)
	})
}

// say sends something to the client.
func (c *conn) say(f func(*client)) {
	client := c.client
	c.wire.carry(func() {
		if client.conn == c {
			f(client)
		}
	})
}

func (c *client) String() string { return fmt.Sprintf("%s at %v", c.name, c.at) }
