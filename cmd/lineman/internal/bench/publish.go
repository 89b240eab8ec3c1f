package bench

import (
	"fmt"
	"time"
)

// publishAll publishes for the time that is wanted.
func (b *bench) publishAll() {
	b.phase, b.began = publishing, b.now()
	b.answer = b.confirm
	b.loop.After(b.options.For, b.drain)
	if b.options.Rate > 0 {
		b.loop.Every(time.Millisecond, b.proceed)
	}
	b.proceed()
}

// confirm takes the answer to one publication.
func (b *bench) confirm(line []byte) {
	b.unanswered--
	if s := string(line); s != "ok" && s != "fail" { // a page that is not reached misses it, and is asked
		b.fail(fmt.Errorf("bench: the port for lines answers %.200q", line))
		return
	}
	b.proceed()
}

// proceed publishes what is due, as far as there is room, or ends the run when all has come.
func (b *bench) proceed() {
	for b.phase == publishing {
		at, due := b.due()
		if !due || !b.hasRoom() || !b.publish(at) {
			return
		}
	}
	if b.phase == draining && b.unanswered == 0 && b.underWay == 0 {
		b.finish()
	}
}

// due is when the next publication is to be published, and whether that is now.
func (b *bench) due() (at time.Duration, due bool) {
	now := b.now()
	if b.options.Rate == 0 {
		return now, true
	}
	at = b.began + time.Duration(float64(b.published)/b.options.Rate*float64(time.Second))
	return at, at <= now
}

// hasRoom reports whether another publication keeps what is under way within its bounds.
func (b *bench) hasRoom() bool {
	return b.unanswered < window && b.underWay <= window+b.fanout()
}

// fanout is to how many pages a publication goes.
func (b *bench) fanout() int {
	if b.options.Mode == ModeAll {
		return b.opened
	}
	return 1
}

// publish publishes once.
func (b *bench) publish(at time.Duration) bool {
	if b.opened == 0 {
		b.finish() // the server has closed all
		return false
	}
	head, m := []byte(toAll), mark{b.published, at}
	if b.options.Mode == ModeUID {
		p := b.nextPage()
		head, m.number = p.head, p.sent
		p.sent++
	}
	b.line = b.marker.append(b.line[:0], head, m)
	if err := b.backend.Send(b.line); err != nil {
		b.fail(fmt.Errorf("bench: %w", err))
		return false
	}
	b.published++
	b.unanswered++
	b.underWay += b.fanout()
	b.lastSent = b.now()
	return true
}

// nextPage is the next of the pages that are there, of which there is one.
func (b *bench) nextPage() *page {
	for {
		p := b.pages[b.turn]
		b.turn = (b.turn + 1) % len(b.pages)
		if p.there {
			return p
		}
	}
}

// drain waits for what is under way.
func (b *bench) drain() {
	if b.phase != publishing {
		return
	}
	b.phase = draining
	b.loop.After(b.options.Patience, b.finish)
	b.proceed()
}

// finish counts what has not come as lost, and ends the run.
func (b *bench) finish() {
	if b.phase == over {
		return
	}
	for _, p := range b.pages {
		if p.there {
			b.lost += b.sentTo(p) - p.next
		}
	}
	b.phase = over
	b.end()
}
