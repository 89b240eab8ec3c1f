package server

import (
	"slices"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// keyless are the connections to a port that have not said a key, where one is wanted. Owned by the loop.
type keyless struct {
	room
	waiting []*newcomer // in the order in which they came
}

// newKeyless is for a port with so many places.
func newKeyless(l config.Limits, places int) keyless {
	most := half(l.Waiting, places)
	return keyless{room: room{"keyless", most, someOf(l.WaitingPerIP, most), true, counter{}}}
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

// awaitKey gives a back end some time to say its key. Where too many are waiting, one of an address goes that has more
// of them, or who has waited for long, else it itself.
func (s *Server) awaitKey(k *keyless, n *newcomer) {
	n.since = time.Now()
	ip := n.place.ip
	for why := k.full(ip); why != ""; why = k.full(ip) {
		goes := k.givesWay(n, why)
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

// givesWay is who goes for n: nobody who comes often enough keeps others out by it.
func (k *keyless) givesWay(n *newcomer, why string) *newcomer {
	ofIP := strings.HasSuffix(why, perIP)
	if busiest, more := k.busiest(n.place.ip); more && !ofIP {
		return busiest
	}
	for _, oldest := range k.waiting {
		if oldest.place.ip == n.place.ip || !ofIP {
			if n.since.Sub(oldest.since) >= keyTime {
				return oldest
			}
			break
		}
	}
	return n
}

// busiest is the oldest one of the address that most wait from, and more tells whether these stay more than those of ip
// when it goes for one of them. Those that are counted by no address are like those of one.
func (k *keyless) busiest(ip string) (oldest *newcomer, more bool) {
	from := make(map[string]int)
	most := ip
	for _, n := range k.waiting {
		if from[n.place.ip]++; from[n.place.ip] > from[most] {
			most = n.place.ip
		}
	}
	i := slices.IndexFunc(k.waiting, func(n *newcomer) bool { return n.place.ip == most })
	if i < 0 {
		return nil, false
	}
	return k.waiting[i], from[most] > from[ip]+1
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
