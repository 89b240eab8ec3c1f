package push

// localBroker is the Broker of a Hub that has none. It delivers what is published at once, and needs no subscriptions.
type localBroker struct{}

func (localBroker) Join(n Node) (Link, error) {
	n.Do(func() { n.Linked(true) })
	l := &localLink{node: n}
	if n.Retain != nil {
		l.history = newRings(n.HistoryBytes)
	}
	return l, nil
}

// isAlone reports whether there are no other nodes.
func (h *Hub[C]) isAlone() bool { return h.options.Broker == (localBroker{}) }

// localLink delivers at once. Owned by the loop.
type localLink struct {
	node    Node
	history *rings // nil if nothing is kept
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
	if l.history != nil {
		p.Positions = l.history.publish(to, p.Data, l.node.Retain)
	}
	l.node.Deliver(to, p)
	done(Receipt{Positions: p.Positions}, nil)
}

func (l *localLink) Ask(to []Target, question []byte, done func(answers [][]byte, err error)) {
	if l.closed {
		done(nil, ErrClosed)
		return
	}
	l.node.Answer(to, question, func(answer []byte) { done([][]byte{answer}, nil) })
}

// History and Forget are those of a HistoryLink.

func (l *localLink) History(of Target, r Range, done func(History, error)) {
	switch {
	case l.closed:
		done(History{}, ErrClosed)
	case l.history == nil:
		done(History{}, ErrNoHistory)
	default:
		done(l.history.read(of, l.node.Retain(of), r), nil)
	}
}

func (l *localLink) Forget(of []Target, done func(error)) {
	switch {
	case l.closed:
		done(ErrClosed)
	case l.history == nil:
		done(ErrNoHistory)
	default:
		l.history.forget(of)
		done(nil)
	}
}

func (l *localLink) Close() { l.closed = true }
