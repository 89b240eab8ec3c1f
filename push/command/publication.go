package command

import (
	"errors"
	"slices"

	"github.com/lineman-go/lineman/push"
)

// publication is one of pub that is under way. Its memory is used for another one when it has ended.
type publication[C push.Conn] struct {
	table  *Table[C]
	to     []push.Target      // on loan as long as Publish has not returned
	done   func(Reply)        // nil: it has ended
	finish func(push.Outcome) // finished; made once
}

// keptPublications is how many are kept that are not used.
const keptPublications = 1024

// beginPublication takes one that has ended, if there is one. to is on loan.
func (t *Table[C]) beginPublication(to []push.Target, done func(Reply)) *publication[C] {
	var p *publication[C]
	if last := len(t.free) - 1; last >= 0 {
		p = t.free[last]
		t.free = t.free[:last]
	} else {
		p = &publication[C]{table: t}
		p.finish = p.finished
	}
	p.to, p.done = to, done
	return p
}

// goOn keeps what a publication needs that is still under way when the Hub has it.
func (p *publication[C]) goOn() {
	if p.done != nil {
		p.to = slices.Clone(p.to)
	}
}

// end leaves a publication to another one.
func (p *publication[C]) end() {
	if p.to, p.done = nil, nil; len(p.table.free) < keptPublications {
		p.table.free = append(p.table.free, p)
	}
}

// finished answers what became of it.
func (p *publication[C]) finished(o push.Outcome) {
	done, at := p.done, placed(p.to, o.Positions)
	p.end()
	switch {
	case o.Err == nil && at == nil: // the usual one
		done(reached(o.Reached))
	case o.Err != nil && !errors.Is(o.Err, push.ErrUnanswered):
		done(Failed(o.Err))
	default:
		r := reached(o.Reached)
		if r.Incomplete = o.Err != nil; at != nil {
			r = r.withPositions(at)
		}
		done(r)
	}
}
