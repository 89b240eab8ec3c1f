package push

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"
)

// Errors of a Hub.
var (
	ErrRemoved  = errors.New("push: the connection is no member")
	ErrLimit    = errors.New("push: a limit was reached")
	ErrTooLarge = errors.New("push: the message is too large")
)

// Options are what a Hub needs of the program, and what it allows. Fanout is required.
type Options[C Conn] struct {
	// Fanout sends a message to connections and returns how many have accepted it: a loop's Broadcast.
	Fanout func(to iter.Seq[C], msg []byte) int

	// Close ends a connection with a code and a reason of the program's. nil: Kick only removes.
	Close func(c C, code int, reason string)

	// Do runs a function on the loop of the Hub, later and in order: a loop's Do. Required with a Broker.
	Do func(func()) bool

	// Broker carries publications between nodes; nil means none but this one.
	Broker Broker

	// After runs a function on the loop of the Hub after a time: a loop's After. nil: no message waits for the link,
	// and who leaves a channel is gone at once.
	After func(d time.Duration, f func())

	// Reconnect is for how long after New connections of an earlier process may still come back, on a node without a
	// Broker. What is published with Wait in this time is kept for them: they get it if they are given to Replay in
	// time. 0: nothing is kept.
	Reconnect time.Duration

	// Linked is told on the loop when other nodes can be reached, and when they no longer can: until they can again,
	// what they publish may be missed. nil: nobody is told.
	Linked func(up bool)

	// Took is told how long it took until all nodes had confirmed a message, or were given up. nil: nobody is told.
	Took func(time.Duration)

	// Revoked is told on the loop of each node when the credentials of a uid that were issued up to an instant are no
	// longer good: see the Verb of this name. nil: nobody is.
	Revoked func(uid string, at time.Time)

	// Restored is told on the loop of each node when a node has put revocations back where all read them: see the Verb
	// of this name. nil: nobody is.
	Restored func()

	// Log gets, at the level Debug, what a Trace tells; its level is asked when the Hub is made. nil: nobody is told.
	Log *slog.Logger

	// Remote tells where a connection comes from, for Log. nil: that is not told.
	Remote func(C) string

	// SingleLogin has a new connection of a uid replace the others, on all nodes, which are closed with CodeReplaced.
	SingleLogin bool

	// Namespaces are options of channels by the part of their names before the first ":"; that of the others is called
	// "".
	Namespaces map[string]Namespace

	// UIDHistory and GroupHistory are what is kept of what is published for uids, and for groups. The zero value keeps
	// nothing. What is kept of channels, their Namespaces say.
	UIDHistory, GroupHistory Retention

	// HistoryBytes is how much memory the history of all targets may take; 0 means 64 MiB. What is oldest goes first.
	// Of Hubs that share a Memory, that which allows most counts.
	HistoryBytes int

	// Journal is where the history is kept so that it outlives the process, in a Hub without a Broker or over a Memory;
	// nil: in memory alone. It is closed with the Hub, or when Leaving is called.
	Journal Journal

	// Followers is told what connections get that follow their targets: see AddFollower. nil: there are none.
	Followers Followers[C]

	// PresenceChanged tells connections that follow a channel whose Namespace has PresenceEvents who has come there, or
	// gone: whoever applies it to what Presence has told, has what Presence would tell. PresenceRenewed tells them who
	// is there in place of what they know, as the link was down; or that they are too many now, and PresenceChanged
	// goes on when they are less. Like the methods of Followers they must not call the Hub. Both are given, or neither:
	// then nobody is told.
	PresenceChanged func(to iter.Seq[C], in Target, e PresenceEvent)
	PresenceRenewed func(to iter.Seq[C], in Target, p Presence)

	// MaxRecover and MaxRecoverBytes are how many messages, and bytes of them, a connection that comes back to a target
	// can get of its history; 0 means 300, and 512 KiB. Who has missed more is told so, and gets nothing of it.
	// A list of Presence has at most MaxRecoverBytes too.
	MaxRecover, MaxRecoverBytes int

	MaxPlaces  int // groups and channels of one connection; 0 means 128
	MaxMessage int // bytes of a publication; 0 means 64 KiB
}

// Namespace is what the channels of a name allow. The zero value allows what Options do.
type Namespace struct {
	Closed         bool // nobody subscribes
	MaxSubscribers int  // of one channel; 0 means any number
	MaxMessage     int  // bytes; 0 means that of Options

	History Retention // what is kept of what is published on a channel; the zero value keeps nothing

	Presence   PresenceMode // what there is of who is in a channel
	MaxPresent int          // uids of a channel up to which they are told, beyond it is only how many; 0 means 1000
}

// Codes with which the Hub closes connections, beside those that Kick is given.
const (
	CodeUnauthorized = 4001 // its credential is not good, or no longer
	CodeReplaced     = 4009 // a newer login took the connection's place
	CodeKicked       = 4010
)

// Hub is the registry of subscriptions: it knows the connections of a node, and what each gets. Owned by a loop.
type Hub[C Conn] struct {
	options  Options[C]
	node     string // told apart from others by this
	everyone *set[C]
	sets     [ToConn]map[string]*set[C] // none is empty
	members  map[uint64]*Member[C]      // by the connections' ids

	link     Link
	history  HistoryLink         // that link; nil if nothing is kept
	presence PresenceLink        // likewise; nil if no channel has presence
	wanted   []Target            // to be subscribed
	dropped  []Target            // to be unsubscribed
	pending  map[uint64]*pending // by the numbers of the publications
	free     []*pending
	last     uint64 // number of the last publication
	walk     uint32 // number of the last delivery to several targets
	dedup    deduplicator[C]
	stats    Stats

	tails     map[*set[C]]*tail[C]
	followers int    // members that follow
	holding   uint64 // number of the last marking of those who catch up
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
}

// New makes a Hub and joins its Broker, if there is one.
func New[C Conn](o Options[C]) (*Hub[C], error) {
	if o.Fanout == nil {
		return nil, errors.New("push: Options.Fanout is required: give it a loop's Broadcast")
	}
	if o.Do == nil && o.Broker != nil {
		return nil, errors.New("push: Options.Do is required with a Broker: give it a loop's Do")
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
	for name := range o.Namespaces {
		if strings.Contains(name, ":") || isOther(name+":") {
			return nil, fmt.Errorf("push: no namespace can be called %q", name)
		}
	}
	h := &Hub[C]{
		options: o, everyone: &set[C]{kind: ToEveryone}, members: make(map[uint64]*Member[C]),
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
	h.link.Subscribe([]Target{Everyone, nodeTopic(h.node)}, func(error) {})
	return h, nil
}

// join joins the Broker, and asks it for history and presence if the options want them.
func (h *Hub[C]) join() (err error) {
	o := &h.options
	n := Node{ID: h.node, Do: o.Do, Deliver: h.deliver, Answer: h.asked, Linked: h.relink}
	keeps := o.keepsHistory()
	if keeps {
		n.Retain, n.HistoryBytes, n.Journal = h.retention, o.HistoryBytes, o.Journal
	}
	attends := o.hasPresence()
	if attends {
		n.Presence, n.PresenceEvents = h.attended, h.tellsPresence
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
	switch {
	case keeps && h.history == nil:
		err = errNoHistoryLink
	case attends && h.presence == nil:
		err = errNoPresenceLink
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
	m := &Member[C]{conn: c, hub: h, uid: uid, follows: follows}
	h.members[c.ID()] = m
	h.everyone.enter(m)
	if follows {
		h.followers++
	}
	if uid != "" {
		if h.options.SingleLogin {
			h.KickUID(uid, CodeReplaced, replaced)
		}
		h.setOf(ToUID, uid).enter(m)
		if h.options.SingleLogin {
			h.single(m)
		}
	}
	if h.trace.On() {
		h.trace.login(m.recipient(), h.remote(m))
	}
	if uid != "" {
		h.begin(m, h.sets[ToUID][uid], false)
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
	if m.uid != "" {
		h.depart(m, h.sets[ToUID][m.uid])
	}
	if m.follows {
		h.followers--
	}
	delete(h.members, m.conn.ID())
	delete(h.unannounced, m)
	delete(h.attendance.infos, m)
	m.hub = nil
}

// setOf finds or makes the set of a name, and subscribes to what is published for it.
func (h *Hub[C]) setOf(k Kind, name string) *set[C] {
	s := h.sets[k][name]
	if s == nil {
		s = &set[C]{kind: k, name: name}
		h.sets[k][name] = s
		h.want(s)
	}
	return s
}

// depart takes a connection out of a set.
func (h *Hub[C]) depart(m *Member[C], s *set[C]) {
	h.cancelCatchUp(m, s)
	s.leave(m)
	h.unattend(m, s)
	h.tidy(s)
}

// tidy forgets a set that has nobody left.
func (h *Hub[C]) tidy(s *set[C]) {
	if len(s.members) == 0 && s != h.everyone {
		delete(h.sets[s.kind], s.name)
		h.drop(s)
	}
}

// namespace is that of a channel.
func (h *Hub[C]) namespace(channel string) Namespace {
	name, _, ok := strings.Cut(channel, ":")
	if n, known := h.options.Namespaces[name]; ok && known {
		return n
	}
	return h.options.Namespaces[""]
}

// admit tells whether one more may be in a set; s is nil if nobody is.
func (h *Hub[C]) admit(k Kind, name string, s *set[C]) error {
	if k != ToChannel {
		return nil
	}
	n := h.namespace(name)
	if n.Closed {
		return fmt.Errorf("push: the namespace of channel %q is closed", name)
	}
	if n.MaxSubscribers > 0 && s != nil && len(s.members) >= n.MaxSubscribers {
		return fmt.Errorf("%w: channel %q has %d subscribers", ErrLimit, name, len(s.members))
	}
	return nil
}

// Kick closes one connection with a code and a reason, and forgets it.
func (h *Hub[C]) Kick(m *Member[C], code int, reason string) {
	if m.hub == nil {
		return
	}
	h.Remove(m)
	if h.options.Close != nil {
		h.options.Close(m.conn, code, reason)
	}
}

// KickUID closes the connections of a uid on this node, and returns how many there were.
func (h *Hub[C]) KickUID(uid string, code int, reason string) (n int) {
	for s := h.sets[ToUID][uid]; s != nil && len(s.members) > 0; n++ {
		h.Kick(s.members[len(s.members)-1], code, reason)
	}
	return n
}
