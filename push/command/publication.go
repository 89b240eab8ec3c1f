package command

import (
	"errors"

	"github.com/lineman-go/lineman/push"
)

// publication is one of pub that is under way. Its memory is used for another one when it has ended.
type publication[C push.Conn] struct {
	table  *Table[C]
	to     []push.Target
	done   func(Reply)
	finish func(push.Outcome) // finished; made once
}

const (
	keptPublications = 1024 // that are not used
	keptTargets      = 16   // for which one of these has room
)

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
	p.to, p.done = append(p.to, to...), done
	return p
}

// end leaves a publication to another one.
func (p *publication[C]) end() {
	clear(p.to)
	if p.to, p.done = p.to[:0], nil; cap(p.to) <= keptTargets && len(p.table.free) < keptPublications {
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
