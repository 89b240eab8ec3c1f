package push

// compaction writes what rings keep into the Journal once more, a part with each batch, so that what is older there can
// go. What comes meanwhile is newer in the Journal anyway.
type compaction struct {
	rings []*ring // that were there at its beginning
	from  uint64  // up to there, the first of them is written
}

// compactedAtOnce is how many bytes are written with a batch, about.
const compactedAtOnce = 256 << 10

func newCompaction(s *rings) *compaction {
	c := &compaction{rings: make([]*ring, 0, len(s.byTarget))}
	for _, r := range s.byTarget {
		c.rings = append(c.rings, r)
	}
	return c
}

// part adds some records, and reports whether they are the last ones.
func (c *compaction) part(s *rings, to []Record) (records []Record, end bool) {
	for bytes := 0; len(c.rings) > 0; {
		r := c.rings[0]
		if s.byTarget[r.target] == r {
			to, bytes = c.messages(s, r, to, bytes)
		}
		if bytes > compactedAtOnce {
			return to, false
		}
		c.rings, c.from = c.rings[1:], 0
	}
	return append(to, Record{Kind: RecordTops, Of: []Place{{"", s.floor}}}), true
}

// messages adds those of a ring, as far as it is not too much, or how far it has come if it has none.
func (c *compaction) messages(s *rings, r *ring, to []Record, bytes int) ([]Record, int) {
	if len(r.messages) == 0 && r.top > 0 {
		return append(to, Record{Kind: RecordTops, Of: []Place{{r.target, r.top}}}), bytes + r.cost()
	}
	before := r.top - uint64(len(r.messages)) // the offset before the oldest one
	for c.from = max(c.from, before); c.from < r.top && bytes <= compactedAtOnce; {
		m := r.messages[c.from-before]
		c.from++
		to = append(to, Record{
			Kind: RecordMessage, Of: []Place{{r.target, c.from}},
			Number: m.number, At: s.began.Add(m.at), Data: m.data,
		})
		bytes += m.cost()
	}
	return to, bytes
}
