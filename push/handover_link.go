package push

import (
	"encoding/json"
	"slices"
)

// A HandoverLink is a Link that can be handed over: the link of a successor is then that of the same node, and other
// nodes notice nothing. It is an optional capability: without it there is no handover, and connections drain.
//
//	predecessor                                      successor
//	Settle, AppendState: nothing waits any more ──▶  Rename, RestoreState, Seat, Subscribe
//	   │ the connections are the successor's           │ its loop runs
//	Abandon: what comes late goes to the successor    Restored
//
// Who hands over owns all nodes of both processes, whose loops stand still, up to Abandon and Restored. Until Abandon
// is called nothing is given up: if the handover fails, the predecessor goes on.
type HandoverLink interface {
	Link

	// Settle does what waits, of all links of the Broker in this process: what was published and asked has its outcome
	// then, and what the node has said is known. Functions that the links were given are called for that, and those of
	// their Nodes. An error is why that cannot be done now.
	Settle() error

	// AppendState appends what the link of the successor has to know beside its name and what it is subscribed to;
	// perhaps nothing. Settle was called before.
	AppendState(dst []byte) []byte

	// Rename gives the node another name: that of a node of the predecessor. Whoever has subscribed to the name of the
	// node unsubscribes before, and subscribes to the new one.
	Rename(id string)

	// RestoreState takes what AppendState has said, after Rename, unless that was nothing or another Broker's. The link
	// is up then if that of the predecessor was: Linked is called before it returns. What it is asked is done after
	// Restored. The state is on loan until it returns. An error says that it cannot be understood.
	RestoreState(state []byte) error

	// Seated tells what is known of a uid that the node has said is present: nil if nothing is.
	Seated(in Target, uid string) json.RawMessage

	// Seat is Enter of one of whom the predecessor has said so: nobody is told.
	Seat(in Target, uid string, info json.RawMessage)

	// Restored says, on the loop, that the handover has succeeded. A link whose Node.Succeeds is true connects now,
	// with a state or without one.
	Restored()

	// Abandon closes the link of a node that the successor has now. Others are told nothing. What still comes for the
	// node, up to when the successor gets it, the link takes there: after Abandon, and without the loop. That ends in a
	// few seconds at most, and the program waits for it as after Close.
	Abandon()
}

// ringsLink is a HandoverLink whose history is in the memory of the process.
type ringsLink interface {
	// rings are the history, if it is in memory alone; else nil.
	rings() *rings
}

// What the Brokers of this package do as HandoverLinks, beside Settle: of them nothing crosses but the rings.

func (l *localLink) rings() *rings {
	if l.commits != nil {
		return nil
	}
	return l.history
}

func (l *localLink) AppendState(dst []byte) []byte { return dst }

func (l *localLink) RestoreState([]byte) error { return nil }

func (l *localLink) Rename(id string) { l.node.ID = id }

func (l *localLink) Seated(in Target, uid string) json.RawMessage {
	return l.roster.infoOf(seat{in, uid})
}

func (l *localLink) Seat(in Target, uid string, info json.RawMessage) {
	l.roster.seat(l.node.ID, seat{in, uid}, info)
}

// Restored has rings of the predecessor go as any other, now that those who follow are here.
func (l *localLink) Restored() { l.history.release() }

func (l *localLink) Abandon() { l.Close() }

func (l *memoryLink) rings() *rings {
	if l.broker.commits != nil {
		return nil
	}
	return l.broker.history
}

func (l *memoryLink) AppendState(dst []byte) []byte { return dst }

func (l *memoryLink) RestoreState([]byte) error { return nil }

func (l *memoryLink) Rename(id string) {
	l.broker.exclusively(func() { l.node.ID = id })
}

func (l *memoryLink) Seated(in Target, uid string) (info json.RawMessage) {
	l.broker.exclusively(func() { info = l.broker.roster.infoOf(seat{in, uid}) })
	return info
}

func (l *memoryLink) Seat(in Target, uid string, info json.RawMessage) {
	l.broker.exclusively(func() { l.broker.roster.seat(l.node.ID, seat{in, uid}, info) })
}

// Restored has rings of the predecessor go as any other, now that those who follow are here.
func (l *memoryLink) Restored() {
	l.broker.exclusively(func() { l.broker.history.release() })
}

func (l *memoryLink) Abandon() {
	l.broker.exclusively(func() {
		if l.broker.roster != nil {
			l.broker.roster.leaveAll(l.node.ID)
		}
	})
	l.Close()
}

// infoOf is what is known of a uid in a channel; nil if nothing is.
func (r *roster) infoOf(at seat) json.RawMessage {
	if r == nil {
		return nil
	}
	if p := r.channels[at.channel][at.uid]; p != nil {
		return p.info
	}
	return nil
}

// seat notes that a node has a uid in a channel, of which others know already.
func (r *roster) seat(node string, at seat, info json.RawMessage) {
	if r != nil {
		r.enter(node, at, slices.Clone(info))
	}
}
