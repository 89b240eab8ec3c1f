package e2e

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// onlineList is the list of who is online that a back end keeps: made of sync, join and leave alone. What is older than
// what it has of a user counts no more, so it does not matter that events may come over two connections at once.
type onlineList struct {
	users map[string]listed
	floor uint64 // seq of the last sync
}

// listed is what the list has of a user.
type listed struct {
	here bool
	seq  uint64
}

// presenceEvent is an event about who is there.
type presenceEvent struct {
	Type        string
	UID         string
	UIDs        []string
	Seq, N      uint64
	First, Last bool
}

func newOnlineList() *onlineList { return &onlineList{users: map[string]listed{}} }

// move is a user whom the list shows otherwise from now on.
type move struct {
	uid  string
	here bool
}

// take takes a join or a leave.
func (l *onlineList) take(e presenceEvent) []move {
	if e.Seq <= max(l.floor, l.users[e.UID].seq) {
		return nil
	}
	return l.set(e.UID, listed{e.Type == "join", e.Seq})
}

func (l *onlineList) set(uid string, now listed) (moves []move) {
	if l.users[uid].here != now.here {
		moves = []move{{uid, now.here}}
	}
	l.users[uid] = now
	return moves
}

// begin takes a whole sync: all other users are not there, unless there is something newer of them.
func (l *onlineList) begin(uids []string, seq uint64) (moves []move) {
	for uid, had := range l.users {
		if had.here && had.seq < seq && !slices.Contains(uids, uid) {
			moves = append(moves, l.set(uid, listed{false, seq})...)
		}
	}
	for _, uid := range uids {
		if l.users[uid].seq < seq {
			moves = append(moves, l.set(uid, listed{true, seq})...)
		}
	}
	l.floor = max(l.floor, seq)
	return moves
}

// online is whom the list shows, in order.
func (l *onlineList) online() (all []string) {
	for uid, is := range l.users {
		if is.here {
			all = append(all, uid)
		}
	}
	slices.Sort(all)
	return all
}

// attendance is who is connected, as the pages know it, beside whom a back end shows. All times are of one clock.
type attendance struct {
	debounce time.Duration

	mu         sync.Mutex // guards the following
	users      map[string]*attendant
	offline    time.Duration // that a user was shown while connected, at most
	online     time.Duration // that a user was shown while away, at most
	complaints []string
}

// attendant is a user, as it is and as it is shown.
//
//	away ── its first connection ──▶ connected ── its last one ends ──▶ away
type attendant struct {
	conns   int
	changed time.Time     // when it came, or went; zero: never
	came    time.Time     // when it came the last time
	away    time.Duration // before that
	shown   bool
	turned  time.Time // when it was shown so
	by      string    // the event that said so
}

func newAttendance(debounce time.Duration) *attendance {
	return &attendance{debounce: debounce, users: map[string]*attendant{}}
}

func (a *attendance) complainLocked(format string, args ...any) {
	if len(a.complaints) < 20 {
		a.complaints = append(a.complaints, fmt.Sprintf(format, args...))
	}
}

func (a *attendance) userLocked(uid string) *attendant {
	if a.users[uid] == nil {
		a.users[uid] = &attendant{}
	}
	return a.users[uid]
}

// came notes that a page of a user has been welcomed.
func (a *attendance) came(uid string, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.userLocked(uid)
	if u.conns == 0 {
		a.measureLocked(uid, u, at)
		u.away, u.changed, u.came = at.Sub(u.changed), at, at
	}
	u.conns++
}

// went notes that a connection of a user has ended, or is about to.
func (a *attendance) went(uid string, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.userLocked(uid)
	if u.conns == 1 {
		a.measureLocked(uid, u, at)
		u.changed = at
	}
	u.conns--
}

// show notes that a back end shows a user otherwise; by is the event that says so.
func (a *attendance) show(m move, by string, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.userLocked(m.uid)
	a.measureLocked(m.uid, u, at)
	if by == "leave" && !u.wasAway(at, a.debounce) {
		a.complainLocked("%s has left, and was away for %v, %v ago", m.uid, u.away, at.Sub(u.changed))
	}
	u.shown, u.turned, u.by = m.here, at, by
}

// inFlight is how long an event may be on its way.
const inFlight = time.Second

// wasAway reports whether it has been away for the debounce, now or just before.
func (u *attendant) wasAway(at time.Time, debounce time.Duration) bool {
	if u.conns == 0 && at.Sub(u.changed) >= debounce {
		return true
	}
	return u.away >= debounce && at.Sub(u.came) < inFlight
}

// measureLocked adds what has been until now.
func (a *attendance) measureLocked(uid string, u *attendant, at time.Time) {
	since := u.changed
	if u.turned.After(since) {
		since = u.turned
	}
	switch took := at.Sub(since); {
	case since.IsZero():
	case u.conns > 0 && !u.shown:
		a.offline = max(a.offline, took)
		if took > a.debounce {
			a.complainLocked("%s was connected, and shown offline for %v, by %q", uid, took, u.by)
		}
	case u.conns == 0 && u.shown:
		a.online = max(a.online, took)
	}
}

// connected is who is there, in order.
func (a *attendance) connected() (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for uid, u := range a.users {
		if u.conns > 0 {
			all = append(all, uid)
		}
	}
	slices.Sort(all)
	return all
}

// end measures what has been until the end.
func (a *attendance) end(at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, uid := range slices.Sorted(maps.Keys(a.users)) {
		a.measureLocked(uid, a.users[uid], at)
	}
}
