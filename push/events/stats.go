package events

// Counters are those of a group since it began.
type Counters struct {
	Emitted uint64 // events that it was to be told
	Dropped uint64 // that found no room, or no listener in time
	Late    uint64 // of these, those that found no listener
	Again   uint64 // that were handed over from a listener that had gone
}

func (c *Counters) add(other Counters) {
	c.Emitted += other.Emitted
	c.Dropped += other.Dropped
	c.Late += other.Late
	c.Again += other.Again
}

// Forgotten are the counters of groups that were forgotten, as they had no listener.
func (d *Dispatcher) Forgotten() Counters { return d.forgotten }

// GroupStats is how a group is.
type GroupStats struct {
	Counters
	Name      string
	Observes  bool // it is that of an observer
	Listeners int  // of this node
	Conns     int  // that are bound to one of them
	Events    int  // that were not acknowledged
	Bytes     int  // of these
	Held      int  // connections that are not read, as their listener has too much to do
}

// Stats tells of all groups, in the order of their names. What pages say that nobody wants yet is that of a group
// without a name.
func (d *Dispatcher) Stats() (all []GroupStats) {
	groups := d.groups
	if d.unclaimed != nil {
		groups = append([]*group{d.unclaimed}, groups...)
	}
	for _, g := range groups {
		size := g.size()
		all = append(all, GroupStats{
			Counters: g.counters, Name: g.name, Observes: g.observes,
			Listeners: g.listenersHere(), Conns: len(g.bindings),
			Events: size.events, Bytes: size.bytes, Held: len(g.holding),
		})
	}
	return all
}
