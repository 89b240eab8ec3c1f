package server

// tally is a counter by reason, as metrics show it. Its reasons are there from the start, with 0, and there are never
// others: what is none of them counts as "other". Owned by the loop.
type tally map[string]uint64

func newTally(reasons []string) tally {
	t := tally{"other": 0}
	for _, r := range reasons {
		t[r] = 0
	}
	return t
}

func (t tally) add(reason string) {
	if _, known := t[reason]; !known {
		reason = "other"
	}
	t[reason]++
}
