package push

// maxDeduplicated is how many publications in parts are remembered at a time.
const maxDeduplicated = 1024

// deduplicator is the deduplication of publications that come in parts: it remembers who has got one, as a connection
// that is named by several parts gets the first only. Owned by the loop.
type deduplicator[C Conn] struct {
	got   map[publicationID]map[*Member[C]]bool
	order []publicationID
}

// publicationID tells one publication from all others.
type publicationID struct {
	node   string
	number uint64
}

// of gives the connections that have got a part of p. The oldest publication is forgotten for a new one.
func (p *deduplicator[C]) of(one Publication) map[*Member[C]]bool {
	key := publicationID{one.Node, one.Number}
	if got := p.got[key]; got != nil {
		return got
	}
	if p.got == nil {
		p.got = make(map[publicationID]map[*Member[C]]bool)
	}
	if len(p.order) == maxDeduplicated {
		delete(p.got, p.order[0])
		p.order = p.order[1:]
	}
	got := make(map[*Member[C]]bool)
	p.got[key] = got
	p.order = append(p.order, key)
	return got
}
