package push

import "errors"

// A handover gives the connections of this process, the predecessor, to another one, its successor, with all that the
// Hubs know of them: nobody comes, nobody goes, and nothing is published meanwhile. The loops of the predecessor stand
// still, those of the successor do not run yet, so whoever hands over owns all Hubs of the process, and calls these
// methods for all of them.
//
//	predecessor                                successor
//	AppendBrokerState, by its first Hub ──▶ RestoreBrokerState, by its first Hub
//	AppendState, of each Hub            ──▶ RestoreState: by the Hub of its loop, of one or of several
//	AppendMember, of each connection    ──▶ RestoreMember, when the program has made its own state of it again
//	   │ the connections are the successor's      │ its loops run
//	HandedOver, by each Hub                  Restored, by each Hub, on its loop
//
// Until HandedOver is called, nothing is given up: if the handover fails, the predecessor goes on. The successor may
// have more Hubs, or less, a Broker where the predecessor had none, and other options. What it has no use for is left
// out.
//
// What does not cross: functions that the predecessor waits to call. So who publishes with Wait and was not answered is
// told ErrClosed by the predecessor, and nobody has got it; and a Watch ends with its process.

// errNotYet is that of a Hub that cannot be handed over.
var errNotYet = errors.New("push: this Hub cannot be handed over")

// AppendBrokerState appends what the Broker has in this process for all its Hubs: the history in memory, and what is
// kept for connections that come back. First all that waits for a Journal, or for another loop, is done, as far as that
// takes no longer than half a second: connections may be sent to, and functions that wait for outcomes are called. With
// a Journal the history does not cross: the successor reads it there. An error is why there can be no handover now.
func (h *Hub[C]) AppendBrokerState(dst []byte) ([]byte, error) { return dst, errNotYet }

// AppendState appends what the Hub knows beside its connections: its name among the nodes, who is present and for how
// long who is leaving stays, its rolls, and its Stats. AppendBrokerState was called before.
func (h *Hub[C]) AppendState(dst []byte) ([]byte, error) { return dst, errNotYet }

// AppendMember appends what the Hub knows of a connection: its uid, its groups and channels, where it stands in what it
// follows, its value, and its info. An error is why it cannot cross: its value is neither nil nor a json.RawMessage, or
// it is no member any more.
func (h *Hub[C]) AppendMember(dst []byte, m *Member[C]) ([]byte, error) { return dst, errNotYet }

// HandedOver notes that the successor has the connections for which crossed reports true, and all that is published
// from now on. The Hub forgets them, and tells nobody: Options.Counted alone is told. It closes the Journal, and does
// nothing for others any more: what is published or asked ends with ErrClosed. Those that it still knows may be closed,
// and removed, as always.
func (h *Hub[C]) HandedOver(crossed func(C) bool) {}

// RestoreBrokerState takes what AppendBrokerState of the predecessor has said. It is called once, by one Hub of the
// process, before any RestoreState. The state is on loan until it returns. An error says that it cannot be understood.
func (h *Hub[C]) RestoreBrokerState(state []byte) error { return errNotYet }

// RestoreState takes what AppendState of a Hub of the predecessor has said: from then on this Hub has its name. Another
// call, with the state of another Hub, has it have that name, too, for the connections that have it in theirs. The
// state is on loan until it returns. An error says that it cannot be understood.
func (h *Hub[C]) RestoreState(state []byte) error { return errNotYet }

// RestoreMember makes a connection a member as AppendMember has found it, in place of Add or AddFollower, and of what
// was called for it since. Its name is as it was. It may be called after Restored, too. Nobody is told that it has
// come, but for Options.Counted, and no limit is asked. Followers may be told before it returns what it has still to be
// told of what it follows; Followers.Since is not asked. The state is on loan until it returns. An error says that it
// cannot be understood, that the Hub does not have its name, or that the connection is a member already.
func (h *Hub[C]) RestoreMember(c C, state []byte) (*Member[C], error) { return nil, errNotYet }

// Restored notes that the connections which have crossed are members again, and that the loop runs. Who was present by
// connections that have not crossed goes now, as when its last connection has gone. The Hub that was not restored does
// nothing.
func (h *Hub[C]) Restored() {}
