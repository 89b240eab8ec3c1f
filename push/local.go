package push

// localBroker is the Broker of a Hub that has none. It delivers what is published at once, and needs no subscriptions.
type localBroker struct{}

func (localBroker) Join(n Node) (Link, error) {
	n.Do(func() { n.Linked(true) })
	return &localLink{node: n}, nil
}

// isAlone reports whether there are no other nodes.
func (h *Hub[C]) isAlone() bool { return h.options.Broker == (localBroker{}) }

// localLink delivers at once. Owned by the loop.
type localLink struct {
	node   Node
	closed bool
}

func (l *localLink) Subscribe(_ []Target, done func(error)) { done(nil) }
func (l *localLink) Unsubscribe([]Target)                   {}

func (l *localLink) Publish(to []Target, p Publication, done func(others int, err error)) {
	if l.closed {
		done(0, ErrClosed)
		return
	}
	l.node.Deliver(to, p)
	done(0, nil)
}

func (l *localLink) Ask(to []Target, question []byte, done func(answers [][]byte, err error)) {
	if l.closed {
		done(nil, ErrClosed)
		return
	}
	l.node.Answer(to, question, func(answer []byte) { done([][]byte{answer}, nil) })
}

func (l *localLink) Close() { l.closed = true }
