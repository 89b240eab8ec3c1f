package push

import (
	"encoding/json"
	"iter"
	"log/slog"
	"time"
)

// Options are what a Hub needs of the program, and what it allows. Fanout is required.
type Options[C Conn] struct {
	// Fanout sends a message to connections and returns how many have accepted it: a loop's Broadcast. forms are what
	// the Hubs of other loops share, which get the same message; nil: there are none. msg is on loan until it returns.
	Fanout func(to iter.Seq[C], msg []byte, forms *Forms) int

	// Close ends a connection with a code and a reason of the program's. nil: Kick only removes.
	Close func(c C, code int, reason string)

	// Do runs a function on the loop of the Hub, later and in order: a loop's Do. Required with a Broker.
	Do func(func()) bool

	// Broker carries publications between nodes; nil means none but this one.
	Broker Broker

	// Succeeds says that the process takes the place of a predecessor that may hand over: a loop's Succeeds. Over a
	// Broker of several processes the Hub then joins the others when Restored is called, which it has to be in any
	// case.
	Succeeds bool

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

	// Took is told how long it took until all nodes had confirmed a message, or were given up, where there are nodes in
	// other processes. nil: nobody is told.
	Took func(time.Duration)

	// Revoked is told on the loop of each node when the credentials of a uid that were issued up to an instant are no
	// longer good: see the Verb of this name. nil: nobody is.
	Revoked func(uid string, at time.Time)

	// Restored is told on the loop of each node when a node has put revocations back where all read them: see the Verb
	// of this name. nil: nobody is.
	Restored func()

	// Told is told on the loop what the program of another node tells this one by Hub.Tell. what is on loan until it
	// returns. nil: nobody is.
	Told func(node string, what json.RawMessage)

	// Inquired answers on the loop what the program of a node, perhaps of this one, asks by Hub.Inquire: by JSON, or by
	// nil if it has nothing to say. what is on loan until it returns. nil: nothing is ever said.
	Inquired func(what json.RawMessage) json.RawMessage

	// Log gets, at the level Debug, what a Trace tells; its level is asked when the Hub is made. nil: nobody is told.
	Log *slog.Logger

	// Remote tells where a connection comes from, for Log. nil: that is not told.
	Remote func(C) string

	// SingleLogin has a new connection of a uid replace the others, on all nodes, which are closed with CodeReplaced.
	SingleLogin bool

	// Namespaces are options of channels by the part of their names before the first ":", or by how they begin, with a
	// "*": see NewNamespaces. That of the others is called "".
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

	// Attended is told on the loop that a uid has come to a channel that has presence, or gone: of all nodes, one is.
	// Where a link breaks, it may be none; what different nodes are told has no order. Like PresenceChanged it must
	// not call the Hub. nil: nobody is told.
	Attended func(in Target, uid string, here bool)

	// SubscribersChanged tells connections that follow a channel whose Namespace has TellSubscribers how many
	// connections have subscribed to it, on all nodes, when that is another number: at most once a second, the last
	// number always, and never 0. It is called on each node that has a connection there; first says that of these nodes
	// this is the one to tell the program: each number is told there at least once, also when those who follow know it
	// already, and to is empty. Like PresenceChanged it must not call the Hub. With it, After is required, and a Broker
	// that knows who is present. nil: nothing is counted.
	SubscribersChanged func(to iter.Seq[C], in Target, n int, first bool)

	// RollChanged is told on the loop who comes to a Roll that is on, and who goes. It is called in the midst of the
	// work of the Hub, of which it must call nothing but ListRoll. With it, After is required, and a Broker that knows
	// who is present. All nodes have it, or none. nil: there are no rolls.
	RollChanged func(roll Roll, name string, here bool)

	// RollDelay is how long a name must have gone, from all nodes, until RollChanged is told so. 0 means 5 s; a
	// negative one that it is told at once.
	RollDelay time.Duration

	// MaxRecover and MaxRecoverBytes are how many messages, and bytes of them, a connection that comes back to a target
	// can get of its history; 0 means 300, and 512 KiB. Who has missed more is told so, and gets nothing of it.
	// A list of Presence has at most MaxRecoverBytes too.
	MaxRecover, MaxRecoverBytes int

	// Counted is told of each connection of a uid that becomes a member, by 1, and of each that no longer is, by -1.
	// nil: nobody is.
	Counted func(uid string, by int)

	// Tally is told of each target of a publication that something was published for it by this Hub, and how many of
	// its connections on this node were to get it: those that got it, where it is the only target. Like Fanout it must
	// not call the Hub. nil: nobody is.
	Tally func(to Target, published, delivered int)

	MaxPlaces  int // groups and channels of one connection; 0 means 128
	MaxMessage int // bytes of a publication; 0 means 64 KiB
}
