package events

import (
	"maps"
	"slices"

	"github.com/lineman-go/lineman/push"
)

// ward is what a node tells its guardian: the connections that it has. If the node dies, the guardian tells that they
// have closed. The guardian is the node with the next name.
type ward struct {
	All  bool                   `json:"all,omitempty"` // Came are all that there are
	Came map[push.Target]string `json:"came,omitempty"`
	Went []push.Target          `json:"went,omitempty"`

	guardian string
	unsaid   int                    // parts that it has not confirmed
	conns    map[push.Target]string // that are there, with their uids
}

// Came notes a connection of this node, and whose it is: if the node dies, others tell that it has closed.
func (d *Dispatcher) Came(conn push.Target, uid string) {
	c := d.cluster
	if c == nil {
		return
	}
	w := &c.ward
	if w.conns == nil {
		w.conns, w.Came = make(map[push.Target]string), make(map[push.Target]string)
	}
	w.conns[conn], w.Came[conn] = uid, uid
}

// Went notes that it has closed, and that back ends have been told.
func (d *Dispatcher) Went(conn push.Target) {
	c := d.cluster
	if c == nil {
		return
	}
	w := &c.ward
	if _, known := w.conns[conn]; !known {
		return
	}
	delete(w.conns, conn)
	if _, unsaid := w.Came[conn]; unsaid {
		delete(w.Came, conn)
	} else {
		w.Went = append(w.Went, conn)
	}
}

// sayWard tells the guardian which connections have come and gone, or all if it is another one.
func (c *cluster) sayWard() {
	w := &c.ward
	to := c.next()
	if to == "" {
		return
	}
	if c.dispatcher.wanted[Close] == 0 {
		w.guardian, w.Came, w.Went = "", make(map[push.Target]string), nil
		return
	}
	came, said := w.Came, ward{Went: w.Went}
	if to != w.guardian {
		came, said = w.conns, ward{All: true}
	}
	parts := slices.Collect(slices.Chunk(slices.Sorted(maps.Keys(came)), maxWards))
	if len(parts) == 0 && (said.All || len(said.Went) > 0) {
		parts = append(parts, nil)
	}
	w.guardian, w.Went = to, nil
	for _, names := range parts {
		said.Came = make(map[push.Target]string, len(names))
		for _, conn := range names {
			said.Came[conn] = came[conn]
		}
		w.unsaid++
		c.sayThen(to, note{Ward: &said}, func(err error) {
			if w.unsaid--; err != nil {
				w.guardian = "" // all is said again
			}
		})
		said = ward{}
	}
	w.Came = make(map[push.Target]string)
}

// guardian is the one that knows all connections of this node; empty while there may be none. Others forget what they
// were told: else they would tell it too.
func (c *cluster) guardian() string {
	if w := &c.ward; w.unsaid == 0 && w.guardian == c.next() {
		return w.guardian
	}
	return ""
}

// maxWards is how many connections a node tells at once.
const maxWards = 2000

// next is the node with the next name; empty if there is no other.
func (c *cluster) next() string {
	all := slices.Sorted(maps.Keys(c.peers))
	for _, id := range all {
		if id > c.id {
			return id
		}
	}
	if len(all) > 0 {
		return all[0]
	}
	return ""
}

// take notes what a node tells of its connections.
func (p *peer) take(w *ward) {
	if w.All || p.wards == nil {
		p.wards = make(map[push.Target]string)
	}
	maps.Copy(p.wards, w.Came)
	for _, conn := range w.Went {
		delete(p.wards, conn)
	}
}
