package push

// alone is the Broker of a Hub that has none: what it publishes, it delivers, and it need not be told what for.
type alone struct{}

func (alone) Join(n Node) (Link, error) {
	n.Do(func() { n.Linked(true) })
	return &aloneLink{node: n}, nil
}

// alone reports whether there are no other nodes.
func (h *Hub[C]) alone() bool { return h.options.Broker == (alone{}) }

// aloneLink delivers at once. Owned by the loop.
type aloneLink struct {
	node   Node
	closed bool
}

func (l *aloneLink) Subscribe(_ []Target, done func(error)) { done(nil) }
func (l *aloneLink) Unsubscribe([]Target)                   {}

func (l *aloneLink) Publish(to []Target, p Publication, done func(others int, err error)) {
	if l.closed {
		done(0, ErrClosed)
		return
	}
	l.node.Deliver(to, p)
	done(0, nil)
}

func (l *aloneLink) Ask(to []Target, question []byte, done func(answers [][]byte, err error)) {
	if l.closed {
		done(nil, ErrClosed)
		return
	}
	l.node.Answer(to, question, func(answer []byte) { done([][]byte{answer}, nil) })
}

func (l *aloneLink) Close() { l.closed = true }
