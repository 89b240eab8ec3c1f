package server

import (
	"math/rand/v2"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
)

// gap are pages to close because they may have missed something while other nodes could not be reached. They are closed
// one by one, in random order, so that not all come back at once. Owned by the loop.
type gap struct {
	began time.Time
	pages []uint64 // ids of the connections
	told  int      // how many of them have been closed
}

// gapStep is how often some of them are closed, more or less.
const gapStep = 20 * time.Millisecond

// beginGap begins to close the pages that were there before other nodes were reached, for the first time or again.
// Those that an earlier gap has not closed yet are among them.
func (s *Server) beginGap() {
	over := s.config.Redis.Gap
	if s.options.Broker == nil || over == 0 || !s.ready {
		return
	}
	g := &gap{began: time.Now()}
	for m := range s.hub.Members(push.Everyone) {
		g.pages = append(g.pages, m.Conn().ID())
	}
	rand.Shuffle(len(g.pages), func(i, j int) { g.pages[i], g.pages[j] = g.pages[j], g.pages[i] })
	s.gap = g
	if len(g.pages) > 0 {
		s.log.Warn("lineman: pages may have missed something: closing them", "pages", len(g.pages), "over", over)
		s.closeDue(g)
	}
}

const (
	gapLasts = iota + 1 // for how long already, in milliseconds
	gapTold
	gapPage // once for each
)

func (g *gap) appendState(f *saved) {
	f.integer(gapLasts, time.Since(g.began).Milliseconds())
	f.integer(gapTold, int64(g.told))
	for _, id := range g.pages {
		f.integer(gapPage, int64(id))
	}
}

func (g *gap) restoreState(state []byte) error {
	err := readFields(state, gapPage, func(f *field) {
		switch f.number {
		case gapLasts:
			g.began = time.Now().Add(-time.Duration(f.integer()) * time.Millisecond)
		case gapTold:
			g.told = int(f.integer())
		case gapPage:
			g.pages = append(g.pages, uint64(f.integer()))
		}
	})
	if err == nil && (g.told < 0 || g.told > len(g.pages)) {
		err = fields.ErrMalformed
	}
	return err
}

// closeDue closes those whose time has come.
func (s *Server) closeDue(g *gap) {
	if g != s.gap || !s.ready {
		return // another one has begun, or all are sent away
	}
	due := len(g.pages)
	if share := float64(time.Since(g.began)) / float64(s.config.Redis.Gap); share < 1 {
		due = int(share * float64(due))
	}
	for ; g.told < due; g.told++ {
		if m := s.hub.Member(g.pages[g.told]); m != nil {
			s.hub.Kick(m, int(codeMissed), "messages may have been missed")
		}
	}
	if g.told < len(g.pages) {
		s.loop.After(gapStep/2+rand.N(gapStep), func() { s.closeDue(g) })
	}
}
