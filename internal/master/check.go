//go:build unix

package master

import (
	"context"

	"github.com/lineman-go/lineman/internal/channel"
)

// Check tells what a Reload would do, and why it would fail, as far as that can be known without one: a process of each
// worker is started from the image, says what it is, and is ended. Nothing that runs changes, and no callback of the
// application runs. The Supervisor takes the image over. Check fails with ErrReloading while a start, a reload or
// another Check is under way.
func (s *Supervisor) Check(image *Image, how Manner) (r Report, err error) {
	defer image.Close()
	select {
	case s.reloading <- struct{}{}:
	default:
		return r, ErrReloading
	}
	defer func() { <-s.reloading }()
	tried := make([]channel.Description, len(s.groups))
	var firsts []*slot
	for _, g := range s.groups {
		firsts = append(firsts, g.slots[0])
	}
	err = s.together(s.ctx, firsts, func(ctx context.Context, i int) (err error) {
		tried[i], err = firsts[i].try(ctx, image)
		return err
	})
	if err != nil {
		return Report{}, err
	}
	replaced, kept := s.replaceable()
	for _, sl := range replaced {
		p, q := sl.serves(), &process{slot: sl, about: tried[sl.group.index]}
		if err := p.fits(q, how); err != nil {
			return Report{}, err
		}
		r.Slots = append(r.Slots, sl.succession(p, q, how))
	}
	r.Rest = names(kept)
	return r, nil
}

// try has a process of a program say what it is.
func (sl *slot) try(ctx context.Context, image *Image) (channel.Description, error) {
	p, err := sl.create(image, sl.group.User, true)
	if err != nil {
		return channel.Description{}, err
	}
	defer p.discard()
	err = p.hello(ctx)
	return p.about, err
}
