package redis

import (
	"context"
	"slices"
)

// renewal has a successor say what its predecessor has said, and take back what that has: a part at a time, so that
// what is published meanwhile does not wait for all of it.
type renewal struct {
	seats   []seat   // to be said
	listed  bool     // members are known
	members []string // whose sayings are to be taken back
}

// renewAtOnce is how many seats are renewed between other things.
const renewAtOnce = 5 * atATime

// renewPresence begins to do that, when the pair serves.
func (p *pair) renewPresence() error {
	if err := p.beginTerm(); err != nil {
		return err
	}
	o := p.shard.outbox
	r := &renewal{}
	for _, s := range o.present() {
		r.seats = append(r.seats, s.seat)
	}
	o.put(op{kind: renew, renewal: r})
	return nil
}

// renew does the next part, and puts the rest behind what waits.
func (p *pair) renew(r *renewal) error {
	left, err := p.renewSome(r)
	switch {
	case err != nil && p.shard.link.goesWithout(err):
		return nil
	case left:
		p.shard.outbox.put(op{kind: renew, renewal: r})
	}
	return err
}

func (p *pair) renewSome(r *renewal) (left bool, err error) {
	s, ctx := p.shard, context.Background()
	switch {
	case len(r.seats) > 0:
		n := min(len(r.seats), renewAtOnce)
		err = p.sayAgain(s.outbox.those(r.seats[:n]))
		r.seats = r.seats[n:]
		return true, err
	case !r.listed:
		r.listed = true
		r.members, err = s.members(ctx, p.out, p.isFormer)
	}
	for n := 0; n < renewAtOnce && len(r.members) > 0 && err == nil; n += atATime {
		var more bool
		if more, err = s.takeBackSome(ctx, p.out, r.members[0]); !more {
			r.members = r.members[1:]
		}
	}
	return len(r.members) > 0, err
}

// those are the sayings of some seats, as far as the node still has them.
func (o *outbox) those(seats []seat) []saying {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]saying, 0, len(seats))
	for _, at := range seats {
		if s, is := o.seats[at]; is {
			all = append(all, s)
		}
	}
	return slices.Clip(all)
}
