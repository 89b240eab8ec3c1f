package push

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Errors of a Hub.
var (
	ErrRemoved  = errors.New("push: the connection is no member")
	ErrLimit    = errors.New("push: a limit was reached")
	ErrTooLarge = errors.New("push: the message is too large")
)

// Codes with which the Hub closes connections, beside those that Kick is given.
const (
	CodeUnauthorized = 4001 // its credential is not good, or no longer
	CodeReplaced     = 4009 // a newer login took the connection's place
	CodeKicked       = 4010
)

// Hub is the registry of subscriptions: it knows the connections of a node, and what each gets. Owned by a loop.
type Hub[C Conn] struct {
	options    Options[C]
	namespaces Namespaces[Namespace]
	node       string   // told apart from others by this
	former     []string // names of other Hubs of a predecessor, whose connections it has now
	everyone   *set[C]
	sets       [ToConn]map[string]*set[C] // none is empty
	members    map[uint64]*Member[C]      // by the connections' ids
	values     map[*Member[C]]any         // of those that have one

	link     Link
	history  HistoryLink         // that link; nil if nothing is kept
	presence PresenceLink        // likewise; nil if no channel has presence
	wanted   []Target            // to be subscribed
	dropped  []Target            // to be unsubscribed
	rollLink PresenceLink        // likewise; nil without rolls, or if there are no other nodes
	counting PresenceLink        // likewise; nil without headcounts
	pending  map[uint64]*pending // by the numbers of the publications
	free     []*pending
	last     uint64 // number of the last publication
	walk     uint32 // number of the last delivery to several targets
	dedup    deduplicator[C]
	spare    *audience[C] // for the next delivery; nil while there is none
	stats    Stats

	tails     map[*set[C]]*tail[C]
	followers int                 // members that follow
	behind    map[*Member[C]]bool // who catches up with the target that is delivered to
	allTails  []*tail[C]
	checked   int // index of the tail that CheckTails has looked at last

	trace   *Trace         // nil if nobody is told
	watches []*watching[C] // never changed in place, as one may end while all are told
	handed  int            // connections that the delivery at hand went to, while somebody watches

	closed      bool
	linked      bool
	links       int       // times that the link has come or gone
	unlinked    time.Time // when the link has broken last
	held        []*waiting[C]
	heldBytes   int
	unannounced map[*Member[C]]bool // whose logins other nodes have not been told
	replay      replayBuffer[C]
	attendance  attendance[C]
	rolls       [rolls]rollState
	headcounts  headcounts[C]
	arriving    *arriving // what a predecessor has said, until Restored; nil: there was none
}

// New makes a Hub and joins its Broker, if there is one.
func New[C Conn](o Options[C]) (*Hub[C], error) {
	if o.Fanout == nil {
		return nil, errors.New("push: Options.Fanout is required: give it a loop's Broadcast")
	}
	if o.Do == nil && o.Broker != nil {
		return nil, errors.New("push: Options.Do is required with a Broker: give it a loop's Do")
	}
	if (o.RollChanged != nil || o.SubscribersChanged != nil) && o.After == nil {
		return nil, errors.New(
			"push: Options.After is required with RollChanged and SubscribersChanged: give it a loop's After")
	}
	if o.Do == nil {
		o.Do = func(f func()) bool { f(); return true }
	}
	if o.Broker == nil {
		o.Broker = localBroker{}
	}
	if o.MaxPlaces == 0 {
		o.MaxPlaces = 128
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = 64 << 10
	}
	o.HistoryBytes = cmp.Or(o.HistoryBytes, defaultHistoryBytes)
	o.MaxRecover = cmp.Or(o.MaxRecover, defaultRecover)
	o.MaxRecoverBytes = cmp.Or(o.MaxRecoverBytes, defaultRecoverBytes)
	o.RollDelay = max(cmp.Or(o.RollDelay, defaultRollDelay), 0)
	spaces, err := NewNamespaces(o.Namespaces)
	if err != nil {
		return nil, err
	}
	h := &Hub[C]{
		options: o, namespaces: spaces, everyone: &set[C]{kind: ToEveryone}, members: make(map[uint64]*Member[C]),
		pending: make(map[uint64]*pending), unannounced: make(map[*Member[C]]bool),
		tails: make(map[*set[C]]*tail[C]), stats: Stats{Gaps: make(map[Gap]uint64)},
	}
	for k := range h.sets {
		h.sets[k] = make(map[string]*set[C])
	}
	h.replay.until = time.Now().Add(o.Reconnect)
	var id [8]byte
	_, _ = rand.Read(id[:]) // it never fails
	h.node = hex.EncodeToString(id[:])
	if err := h.join(); err != nil {
		return nil, err
	}
	h.traceTo(o.Log)
	// a link that is down subscribes when it is up
	h.link.Subscribe(append(h.rollTopics(), Everyone, nodeTopic(h.node)), func(error) {})
	return h, nil
}

// join joins the Broker, and asks it for history and presence if the options want them.
func (h *Hub[C]) join() (err error) {
	o := &h.options
	n := Node{
		ID: h.node, Do: o.Do, Deliver: h.deliver, Answer: h.asked, Linked: h.relink, Succeeds: o.Succeeds,
	}
	keeps := o.keepsHistory()
	if keeps {
		n.Retain, n.HistoryBytes, n.Journal = h.retention, o.HistoryBytes, o.Journal
	}
	attends, rolls, counts := o.hasPresence(), o.RollChanged != nil && !h.isAlone(), o.hasHeadcounts()
	if attends || rolls || counts {
		n.Presence, n.PresenceEvents, n.OnlyRolls = h.attended, h.tellsPresence, !attends
		n.Attended = o.Attended
	}
	if h.link, err = o.Broker.Join(n); err != nil {
		return fmt.Errorf("push: broker: %w", err)
	}
	if keeps {
		h.history, _ = h.link.(HistoryLink)
	}
	if attends {
		h.presence, _ = h.link.(PresenceLink)
	}
	if rolls {
		h.rollLink, _ = h.link.(PresenceLink)
	}
	if counts {
		h.counting, _ = h.link.(PresenceLink)
	}
	switch {
	case keeps && h.history == nil:
		err = errNoHistoryLink
	case attends && h.presence == nil:
		err = errNoPresenceLink
	case rolls && h.rollLink == nil:
		err = errNoRollLink
	case counts && h.counting == nil:
		err = errNoCountLink
	}
	if err != nil {
		h.link.Close()
	}
	return err
}

// Linked reports whether the Hub reaches the other nodes.
func (h *Hub[C]) Linked() bool { return h.linked }

// Close leaves the Broker. The Hub still knows its connections, and reaches none of them.
func (h *Hub[C]) Close() {
	h.closed = true
	h.link.Close()
}

// Add makes a connection a member. uid is whose it is; empty means nobody's: it gets what is for everyone, for its
// groups and channels.
func (h *Hub[C]) Add(c C, uid string) (*Member[C], error) { return h.add(c, uid, false) }

func (h *Hub[C]) add(c C, uid string, follows bool) (*Member[C], error) {
	if h.members[c.ID()] != nil {
		return nil, fmt.Errorf("push: connection %d is a member already", c.ID())
	}
	if uid != "" {
		if err := checkName(ToUID, uid); err != nil {
			return nil, err
		}
	}
	m := &Member[C]{conn: c, hub: h, follows: follows}
	h.members[c.ID()] = m
	h.everyone.enter(m)
	if follows {
		h.followers++
	}
	if uid != "" {
		if h.options.SingleLogin {
			h.KickUID(uid, CodeReplaced, replaced)
		}
		m.own = h.setOf(ToUID, uid)
		m.own.enter(m)
		h.count(uid, 1)
		if h.options.SingleLogin {
			h.single(m)
		}
	}
	if h.trace.On() {
		h.trace.login(m.recipient(), h.remote(m))
	}
	if uid != "" {
		h.begin(m, m.own, false)
	}
	return m, nil
}

// Remove forgets a connection, when it has closed. The second Remove does nothing.
func (h *Hub[C]) Remove(m *Member[C]) {
	if m.hub == nil {
		return
	}
	if h.trace.On() {
		h.trace.logout(m.recipient())
	}
	for len(m.positions) > 0 {
		h.depart(m, m.positions[len(m.positions)-1].set)
	}
	h.everyone.leave(m)
	if m.own != nil {
		uid := m.own.name
		h.depart(m, m.own)
		h.count(uid, -1)
	}
	if m.follows {
		h.followers--
	}
	delete(h.members, m.conn.ID())
	delete(h.values, m)
	delete(h.behind, m)
	delete(h.unannounced, m)
	delete(h.attendance.infos, m)
	m.hub = nil
}

func (h *Hub[C]) count(uid string, by int) {
	if f := h.options.Counted; f != nil {
		f(uid, by)
	}
}

// setOf finds or makes the set of a name, and subscribes to what is published for it.
func (h *Hub[C]) setOf(k Kind, name string) *set[C] {
	s := h.sets[k][name]
	if s == nil {
		s = &set[C]{kind: k, name: name}
		h.sets[k][name] = s
		h.want(s)
		h.enroll(s, true)
	}
	return s
}

// depart takes a connection out of a set.
func (h *Hub[C]) depart(m *Member[C], s *set[C]) {
	h.cancelCatchUp(m, s)
	s.leave(m)
	h.vacate(s)
	h.unattend(m, s)
	h.recount(s, false)
	h.tidy(s)
}

// tidy forgets a set that has nobody left.
func (h *Hub[C]) tidy(s *set[C]) {
	if len(s.members) == 0 && s != h.everyone {
		delete(h.sets[s.kind], s.name)
		h.drop(s)
		h.enroll(s, false)
	}
}

// admit tells whether one more may be in a set; s is nil if nobody is. Who may enters it next: see vacate.
func (h *Hub[C]) admit(k Kind, name string, s *set[C]) error {
	if k != ToChannel {
		return nil
	}
	n := h.namespace(name)
	if n.Closed {
		return fmt.Errorf("push: the namespace of channel %q is closed", name)
	}
	if n.MaxSubscribers <= 0 {
		return nil
	}
	taken := 0
	if l, shared := h.link.(*memoryLink); shared {
		taken, shared = l.takeSeat(Channel(name), n.MaxSubscribers)
		if shared {
			return nil
		}
	} else if s != nil {
		taken = len(s.members)
	}
	if taken >= n.MaxSubscribers {
		return fmt.Errorf("%w: channel %q has %d subscribers", ErrLimit, name, taken)
	}
	return nil
}

// vacate gives back what admit has given.
func (h *Hub[C]) vacate(s *set[C]) {
	if l, shared := h.link.(*memoryLink); shared && s.kind == ToChannel && h.namespace(s.name).MaxSubscribers > 0 {
		l.leaveSeat(Channel(s.name))
	}
}

// Kick closes one connection with a code and a reason, and forgets it.
func (h *Hub[C]) Kick(m *Member[C], code int, reason string) {
	if m.hub == nil {
		return
	}
	if h.options.Close != nil {
		h.options.Close(m.conn, code, reason)
	}
	h.Remove(m)
}

// KickUID closes the connections of a uid on this node, and returns how many there were.
func (h *Hub[C]) KickUID(uid string, code int, reason string) (n int) {
	for s := h.sets[ToUID][uid]; s != nil && len(s.members) > 0; n++ {
		h.Kick(s.members[len(s.members)-1], code, reason)
	}
	return n
}
