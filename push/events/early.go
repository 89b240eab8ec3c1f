package events

import (
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
)

// early keeps what pages say just after the start for groups that begin later. Those of the process before this one are
// not known until their listeners come back, and others may have taken it by then.
type early struct {
	until time.Time // zero: nothing is kept any more
	said  []earlySaying
	bytes int
	gone  map[push.Target]bool // connections that have closed
}

// earlySaying is a Message.
type earlySaying struct {
	text      []byte
	conn      push.Target
	about     []push.Target
	again     bool
	unclaimed bool // it waits for the first group anyway
}

// keepEarly keeps a Message, as far as there is room. unclaimed says that no group has taken it.
func (d *Dispatcher) keepEarly(e *Event, text []byte, unclaimed bool) {
	k := &d.early
	if k.until.IsZero() || e.Kind != Message {
		return
	}
	now := d.options.Now()
	switch {
	case !now.Before(k.until):
		*k = early{}
		return
	case len(k.said) >= d.options.Waiting || k.bytes+len(text) > d.options.Bytes:
		return
	case len(k.said) == 0:
		k.gone = make(map[push.Target]bool)
		d.options.After(k.until.Sub(now), func() { *k = early{} })
	}
	k.said = append(k.said, earlySaying{text, e.Conn, e.targets(), e.Again, unclaimed})
	k.bytes += len(text)
}

// catchUp gives a group that has just begun what pages have said before. Nobody waits for that any more.
func (g *group) catchUp() {
	k := &g.dispatcher.early
	for i := range k.said {
		if s := &k.said[i]; !s.unclaimed && g.isAbout(s.about) && g.hasRoom(len(s.text)) {
			g.counters.Emitted++
			g.add(s.text, string(s.conn), nil, s.again)
		}
	}
	for conn := range k.gone {
		g.closed(conn)
	}
}

// claimed notes that what was unclaimed has gone to a group.
func (k *early) claimed() {
	for i := range k.said {
		k.said[i].unclaimed = false
	}
}

// The fields of what a page has said.
const (
	fieldSaidText      = 1
	fieldSaidConn      = 2
	fieldSaidAbout     = 3 // once for each target
	fieldSaidAgain     = 4
	fieldSaidUnclaimed = 5
)

func (k *early) appendState(dst []byte, now time.Time) []byte {
	if k.until.IsZero() {
		return dst
	}
	dst = fields.Uint(dst, fieldEarlyLeft, milliseconds(k.until.Sub(now)))
	for i := range k.said {
		s := &k.said[i]
		dst = fields.Nested(dst, fieldEarlySaid, func(dst []byte) []byte {
			dst = fields.Bytes(dst, fieldSaidText, s.text)
			dst = fields.Bytes(dst, fieldSaidConn, s.conn)
			for _, t := range s.about {
				dst = fields.Item(dst, fieldSaidAbout, t)
			}
			dst = fields.Bool(dst, fieldSaidAgain, s.again)
			return fields.Bool(dst, fieldSaidUnclaimed, s.unclaimed)
		})
	}
	for conn := range k.gone {
		dst = fields.Item(dst, fieldEarlyGone, conn)
	}
	return dst
}

// takeSaid takes what a page has said to a predecessor.
func (k *early) takeSaid(state []byte) error {
	var s earlySaying
	var again, unclaimed uint8
	err := fields.Each(state, fieldSaidUnclaimed, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldSaidText:
			s.text = slices.Clone(value)
		case fieldSaidConn:
			s.conn = push.Target(value)
		case fieldSaidAbout:
			s.about = append(s.about, push.Target(value))
		case fieldSaidAgain:
			err = fields.Put(&again, value)
		case fieldSaidUnclaimed:
			err = fields.Put(&unclaimed, value)
		}
		return err
	})
	s.again, s.unclaimed = again != 0, unclaimed != 0
	k.said = append(k.said, s)
	k.bytes += len(s.text)
	return err
}

// restored has what a predecessor kept be kept for the rest of its time, if this process keeps such things. left is 0
// if the predecessor kept nothing any more: its listeners are known.
func (k *early) restored(d *Dispatcher, left time.Duration) {
	if left == 0 || k.until.IsZero() {
		*k = early{}
		return
	}
	k.until = d.options.Now().Add(min(left, d.options.Early))
	if k.gone == nil {
		k.gone = make(map[push.Target]bool)
	}
	d.options.After(k.until.Sub(d.options.Now()), func() { *k = early{} })
}
