package server

import (
	"slices"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
)

// keyless are the connections to a port that have not said a key, where one is wanted. Owned by the loop.
type keyless struct {
	room
	waiting []*newcomer // in the order in which they came
}

// newcomer is a connection to a port for back ends, until it has said a key.
type newcomer struct {
	conn  *lineman.Conn
	place place     // at the port
	waits bool      // it has not said a key
	since time.Time // it waits to say it
}

// keyTime is how long a back end has to say its key when others come: who has one says it at once.
const keyTime = time.Second

// awaitKey gives a back end some time to say its key. Where too many are waiting, those go that have waited for long,
// else it itself.
func (s *Server) awaitKey(k *keyless, n *newcomer) {
	n.since = time.Now()
	ip := n.place.ip
	for why := k.full(ip); why != ""; why = k.full(ip) {
		goes := k.oldest(ip, why)
		if goes == nil || n.since.Sub(goes.since) < keyTime {
			goes = n
		}
		s.guard.refuse(why, "a back end was turned away: too many have no key", "remote", goes.conn.RemoteAddr())
		k.settle(goes)
		goes.conn.Abort()
		if goes == n {
			return
		}
	}
	n.waits = true
	k.taken.add(ip, 1)
	k.waiting = append(k.waiting, n)
	n.conn.After(s.config.Limits.Login, func() {
		if n.waits {
			s.guard.refuse("late", "a back end was turned away: no key came in time", "remote", n.conn.RemoteAddr())
			n.dismiss()
		}
	})
}

// oldest is the one that has waited longest, of an address if those of that are too many; nil if there is none.
func (k *keyless) oldest(ip, why string) *newcomer {
	for _, n := range k.waiting {
		if n.place.ip == ip || !strings.HasSuffix(why, perIP) {
			return n
		}
	}
	return nil
}

// settle ends the time in which a back end is nobody.
func (k *keyless) settle(n *newcomer) {
	if n.waits {
		n.waits = false
		k.taken.add(n.place.ip, -1)
		k.waiting = slices.DeleteFunc(k.waiting, func(other *newcomer) bool { return other == n })
	}
}

// dismiss ends the connection of a back end that is none. It flushes what was said to it.
func (n *newcomer) dismiss() {
	_ = n.conn.Close()
	n.conn.After(partTime, n.conn.Abort)
}
