package push

// maxParts is how many publications in parts are remembered at a time.
const maxParts = 1024

// parts remembers who has got publications that come in parts: a connection that is named by several parts gets the
// first only. Owned by the loop.
type parts[C Conn] struct {
	got   map[partsOf]map[*Member[C]]bool
	order []partsOf
}

// partsOf tells one publication from all others.
type partsOf struct {
	node   string
	number uint64
}

// of are the connections that have got a part of p. The oldest publication is forgotten for a new one.
func (p *parts[C]) of(one Publication) map[*Member[C]]bool {
	key := partsOf{one.Node, one.Number}
	if got := p.got[key]; got != nil {
		return got
	}
	if p.got == nil {
		p.got = make(map[partsOf]map[*Member[C]]bool)
	}
	if len(p.order) == maxParts {
		delete(p.got, p.order[0])
		p.order = p.order[1:]
	}
	got := make(map[*Member[C]]bool)
	p.got[key] = got
	p.order = append(p.order, key)
	return got
}
