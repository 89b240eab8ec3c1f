package server

import (
	"log/slog"
	"time"
)

// paced logs what others can cause, some lines a second for each message, and says how many were left out. Owned by the loop.
type paced struct {
	log *slog.Logger
	by  map[string]*window
}

// window is the second at hand.
type window struct {
	began time.Time
	lines int
	left  int // lines that were left out, here and before
}

// linesPerSecond are those of one message.
const linesPerSecond = 5

func (p *paced) warn(now time.Time, message string, args ...any) {
	w := p.by[message]
	if w == nil {
		w = &window{}
		p.by[message] = w
	}
	if now.Sub(w.began) >= time.Second {
		w.began, w.lines = now, 0
	}
	if w.lines == linesPerSecond {
		w.left++
		return
	}
	w.lines++
	if w.left > 0 {
		args = append(args, "left_out", w.left)
		w.left = 0
	}
	p.log.Warn(message, args...)
}
