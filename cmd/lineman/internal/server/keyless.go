package server

import (
	"slices"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// keyless are the unauthenticated connections to a port: they have not said a key, where one is wanted. Owned by the
// loop.
type keyless struct {
	slots
	waiting []*admission // in the order in which they came
}

// newKeyless is for a port with so many slots.
func newKeyless(l config.Limits, places int) keyless {
	most := half(l.Waiting, places)
	return keyless{slots: slots{"keyless", most, someOf(l.WaitingPerIP, most), true, counter{}}}
}

// admission is what the guard keeps of a connection to a port for back ends: its slot, and whether it still has to say
// a key.
type admission struct {
	conn  *lineman.Conn
	slot  slot      // at the port
	waits bool      // it has not said a key
	since time.Time // it waits to say it
}

// keyTime is how long a back end has to say its key when others come: who has one says it at once.
const keyTime = time.Second

// awaitKey gives a back end some time to say its key. Where too many are waiting, one is evicted: one of an address
// that has more of them, or one that has waited for long, or else this one.
func (s *Server) awaitKey(k *keyless, a *admission) {
	a.since = time.Now()
	ip := a.slot.ip
	for why := k.full(ip); why != ""; why = k.full(ip) {
		goes := k.victim(a, why)
		s.guard.refuse(why, "a back end was turned away: too many have no key", "remote", goes.conn.RemoteAddr())
		k.remove(goes)
		goes.conn.Abort()
		if goes == a {
			return
		}
	}
	a.waits = true
	k.taken.add(ip, 1)
	k.waiting = append(k.waiting, a)
	s.awaitKeyInTime(a)
}

// awaitKeyInTime ends the connection of a back end that has not said its key when its time is over.
func (s *Server) awaitKeyInTime(a *admission) {
	a.conn.After(s.config.Limits.Login, func() {
		if a.waits {
			s.guard.refuse("late", "a back end was turned away: no key came in time", "remote", a.conn.RemoteAddr())
			a.dismiss()
		}
	})
}

// victim is the connection that is evicted for a. So nobody keeps others out by coming often.
func (k *keyless) victim(a *admission, why string) *admission {
	ofIP := strings.HasSuffix(why, perIP)
	if busiest, more := k.busiest(a.slot.ip); more && !ofIP {
		return busiest
	}
	for _, oldest := range k.waiting {
		if oldest.slot.ip == a.slot.ip || !ofIP {
			if a.since.Sub(oldest.since) >= keyTime {
				return oldest
			}
			break
		}
	}
	return a
}

// busiest is the oldest connection of the address that most wait from. more tells whether that address still has more
// of them than ip when this one goes. Connections that are counted by no address are taken together.
func (k *keyless) busiest(ip string) (oldest *admission, more bool) {
	from := make(map[string]int)
	most := ip
	for _, a := range k.waiting {
		if from[a.slot.ip]++; from[a.slot.ip] > from[most] {
			most = a.slot.ip
		}
	}
	i := slices.IndexFunc(k.waiting, func(a *admission) bool { return a.slot.ip == most })
	if i < 0 {
		return nil, false
	}
	return k.waiting[i], from[most] > from[ip]+1
}

// remove counts a connection out: it has said its key, or goes.
func (k *keyless) remove(a *admission) {
	if a.waits {
		a.waits = false
		k.taken.add(a.slot.ip, -1)
		k.waiting = slices.DeleteFunc(k.waiting, func(other *admission) bool { return other == a })
	}
}

// dismiss ends the connection of a back end that is refused, when it has got what was said to it.
func (a *admission) dismiss() {
	_ = a.conn.Close()
	a.conn.After(refusalTime, a.conn.Abort)
}
