package events

import (
	"time"

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
