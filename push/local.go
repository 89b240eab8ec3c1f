package push

import "slices"

// localBroker is the Broker of a Hub that has none. It delivers what is published at once, and needs no subscriptions.
type localBroker struct{}

func (localBroker) Join(n Node) (Link, error) {
	n.Do(func() { n.Linked(true) })
	l := &localLink{node: n}
	if n.Retain != nil {
		l.history = newRings(n.HistoryBytes)
		if n.Journal != nil {
			l.returns = newReturns(n.Do)
			l.commits = newGroupCommit(l.history, n.Journal, n.Retain, l.returns.do, l.returns.do)
		}
	}
	if n.Presence != nil {
		l.roster = newRoster()
	}
	return l, nil
}

// isAlone reports whether there are no other nodes.
func (h *Hub[C]) isAlone() bool { return h.options.Broker == (localBroker{}) }

// isOneProcess reports whether all nodes are in this process.
func (h *Hub[C]) isOneProcess() bool {
	_, shared := h.link.(*memoryLink)
	return shared || h.isAlone()
}

// localLink delivers at once or, with a Journal, when it is written there. Owned by the loop.
type localLink struct {
	node    Node
	history *rings       // nil if nothing is kept
	commits *groupCommit // nil without a Journal
	returns *returns     // from that to the loop; likewise
	roster  *roster      // nil if the Hub does not ask who is present
	closed  bool
}

// Subscribe and Unsubscribe are told of targets that keep history: what somebody follows keeps its count.

func (l *localLink) Subscribe(to []Target, done func(error)) {
	l.pin(to, (*rings).pin)
	done(nil)
}

func (l *localLink) Unsubscribe(from []Target) { l.pin(from, (*rings).unpin) }

func (l *localLink) pin(targets []Target, change func(*rings, Target)) {
	for _, t := range targets {
		if l.history != nil && l.node.Retain(t).keeps() {
			change(l.history, t)
		}
	}
}

func (l *localLink) Publish(to []Target, p Publication, done func(r Receipt, err error)) {
	if l.closed {
		done(Receipt{}, ErrClosed)
		return
	}
	if !l.isDirect(to) {
		l.commit(slices.Clone(to), p, done)
		return
	}
	p.Positions = l.keep(to, p.Data)
	l.deliver(to, p, done)
}

// isDirect reports whether what is published now is delivered at once.
func (l *localLink) isDirect(to []Target) bool { return l.commits == nil || !l.commits.takes(to) }

// keep keeps what is delivered at once, and returns the Position that it has for each target; nil if none keeps
// history.
func (l *localLink) keep(to []Target, data []byte) []Position {
	if l.history == nil {
		return nil
	}
	return l.history.publish(to, data, l.node.Retain)
}

// commit delivers in its turn, when all that is kept before is in the Journal, and so is this.
func (l *localLink) commit(to []Target, p Publication, done func(r Receipt, err error)) {
	p.Data = slices.Clone(p.Data)
	l.commits.add(step{to: to, data: p.Data, turn: &localPublication{l, to, p, done}}, l.node.Do)
}

// localPublication is a publication that waits for its turn.
type localPublication struct {
	link *localLink
	to   []Target
	Publication
	done func(r Receipt, err error)
}

func (p *localPublication) take(at []Position, err error) {
	if err != nil {
		p.done(Receipt{}, err)
		return
	}
	p.Positions = at
	p.link.deliver(p.to, p.Publication, p.done)
}

func (l *localLink) deliver(to []Target, p Publication, done func(r Receipt, err error)) {
	l.node.Deliver(to, p)
	done(Receipt{Positions: p.Positions}, nil)
}

// inOrder does something when everything before it is done.
func (l *localLink) inOrder(do func(error)) {
	switch {
	case l.closed:
		do(ErrClosed)
	case l.commits == nil || !l.commits.busy:
		do(nil)
	default:
		l.commits.add(step{turn: turnFunc(do)}, l.node.Do)
	}
}

func (l *localLink) Ask(to []Target, question []byte, done func(answers [][]byte, err error)) {
	if l.commits != nil && l.commits.busy {
		to, question = slices.Clone(to), slices.Clone(question)
	}
	l.inOrder(func(err error) {
		if err != nil {
			done(nil, err)
			return
		}
		l.node.Answer(to, question, func(answer []byte) { done([][]byte{answer}, nil) })
	})
}

// History and Forget are those of a HistoryLink.

func (l *localLink) History(of Target, r Range, done func(History, error)) {
	l.inOrder(func(err error) {
		switch {
		case err != nil:
			done(History{}, err)
		case l.history == nil:
			done(History{}, ErrNoHistory)
		default:
			done(l.history.read(of, l.node.Retain(of), r), nil)
		}
	})
}

func (l *localLink) Forget(of []Target, done func(error)) {
	switch {
	case l.closed:
		done(ErrClosed)
	case l.history == nil:
		done(ErrNoHistory)
	case l.commits != nil:
		l.commits.add(step{forget: slices.Clone(of), turn: turnFunc(done)}, l.node.Do)
	default:
		l.history.forget(of)
		done(nil)
	}
}

// passOn has a successor have the Journal.
func (l *localLink) passOn() {
	if l.commits != nil {
		l.commits.leave()
	}
}

func (l *localLink) Close() {
	l.closed = true
	if l.commits != nil {
		l.commits.close()
	}
}
