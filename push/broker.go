package push

import "errors"

// A Broker carries publications and questions between the nodes of a cluster. The memory broker joins the Hubs of one
// process. Others use a network, which is slow, breaks and comes back. So nothing in this contract happens at once, and
// a node's own publications come back to it in the same way as those of others.
//
// Package pushtest has its conformance suite.
type Broker interface {
	// Join makes a node part of the cluster. The first connection may be made later: an error is about the node or the
	// settings.
	Join(n Node) (Link, error)
}

// Node is what a Broker calls. All of it happens on the node's loop, to which Do leads.
type Node struct {
	ID string // told apart from those of other nodes by it

	// Do runs a function on the loop, in order. It returns false when the loop has ended.
	Do func(func()) bool

	// Deliver is given, once, what was published for targets some of which the node has subscribed to, and returns how
	// many connections it reached. Every node gets what is published for a target in the same order. to is all of the
	// targets, unless the Publication comes in parts.
	Deliver func(to []Target, p Publication) (reached int)

	// Answer is given, once, what a node asks about targets, in the same order as what is published for them. It calls
	// reply once, on the loop, perhaps before it returns. The question is on loan until then.
	Answer func(to []Target, question []byte, reply func(answer []byte))

	// Retain tells what is kept of what is published for a target, by a Broker that keeps history; nil: nothing is kept
	// of any. All nodes tell the same. It is called on the loop, and by a Memory with its lock held.
	Retain func(Target) Retention

	// HistoryBytes is how much memory the history of all targets may take, in a Broker that keeps it in memory. That of
	// the node that allows most holds.
	HistoryBytes int

	// Journal is where a Broker that keeps history in memory keeps it, too; nil: nowhere. Of the nodes of a Memory, the
	// first that has one says it.
	Journal Journal

	// Presence is told who comes to channels and goes, by a Broker that knows who is present: of those that the node
	// has subscribed to and PresenceEvents allows, in one order with what is published for them. nil: the node says of
	// nobody that he is present, and asks for nobody.
	Presence func(in Target, e PresenceEvent)

	// PresenceEvents reports whether the node wants to be told who comes to a channel and goes. All nodes tell the
	// same. It is called on the loop, and by a Memory with its lock held. Required with Presence.
	PresenceEvents func(in Target) bool

	// Attended is told that a uid has come to a channel, as the first of all nodes had it, or gone, as the last one
	// had, and so never for another info: of all nodes, that one alone by whose saying it is, or which has taken out
	// what a dead node had said. It may be lost when a link breaks. nil: the node need not know.
	Attended func(in Target, uid string, here bool)

	// OnlyRolls says that Presence is there for rolls alone: of channels the node says nothing. Such nodes and those
	// without Presence may be in one cluster.
	OnlyRolls bool

	// Succeeds says that the link may be that of a node of a predecessor: if it is a HandoverLink it connects when
	// Restored is called, and not before.
	Succeeds bool

	// Linked is told when the link to the cluster is up, with all targets subscribed, and when it has broken: until it
	// is up again, what others publish may be missed.
	Linked func(up bool)
}

// A Link is a node's part in a Broker. Its methods are called on the node's loop and return at once; the functions that
// they are given are called there once each, perhaps before the method returns, with ErrClosed after Close. What is
// asked of a link takes effect in order: who subscribes and then publishes, gets what it publishes.
type Link interface {
	// Subscribe has what is published for these targets be delivered, from the call of done on at the latest. A link
	// that is down remembers them, and subscribes when it is up. done's error says that nothing is delivered until
	// then. What is published for a Target is delivered to who has subscribed to its Topic.
	Subscribe(to []Target, done func(error))

	// Unsubscribe ends that. What is under way may still be delivered.
	Unsubscribe(from []Target)

	// Publish publishes for some targets. They and the Data are on loan until it returns. done is called when the nodes
	// have it, after the node's own Deliver, if it subscribed. ErrUnlinked says that it was not sent, ErrUnanswered
	// that it was, and that the Receipt is what is known of it. What is published while the link is down is not kept.
	Publish(to []Target, p Publication, done func(r Receipt, err error))

	// Ask asks every node that has subscribed to one of the targets, this one too, and perhaps others. What it is given
	// is on loan until it returns. done gets their answers, in no order, which are on loan until it returns. An error
	// is as that of Publish.
	Ask(to []Target, question []byte, done func(answers [][]byte, err error))

	// Close leaves the cluster. Nothing is delivered any more.
	Close()
}

// Errors of a Link.
var (
	ErrClosed     = errors.New("push: this server is stopping: ask again")   // the link was closed, or the Hub
	ErrUnlinked   = errors.New("push: other nodes cannot be reached now")    // nothing was sent
	ErrUnanswered = errors.New("push: some nodes have not answered in time") // or are missing, or the link broke
)

// Publication is what crosses.
type Publication struct {
	Node   string // who published it
	Number uint64 // counts the publications of that node
	Except Target // the connection that is not to get it; empty means none
	// it comes in parts, one for each partition of the Broker that its targets are in, and each with targets of its own
	Parts bool
	Data  []byte // on loan until Deliver or Publish returns

	// Of what is delivered: the Positions that it has in the histories of its targets, in the order of these. That of a
	// target without history is zero; nil if none has any. They never change.
	Positions []Position

	forms *Forms      // that the nodes of a Memory share; nil where no other gets it
	from  *Source     // nil if it came from another process, or is not told
	kept  *sharedKept // for a Memory; nil: it is not to be kept for connections that come back
}

// Receipt is what a node is told of what it has published.
type Receipt struct {
	Others    int        // connections of other nodes that it reached
	Positions []Position // in the order of all its targets; else as those of the Publication
}
