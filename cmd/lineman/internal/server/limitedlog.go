package server

import (
	"context"
	"log/slog"
	"time"
)

// limitedLog is a log with a rate limit, for what others can cause: some lines a second of each message and reason. How
// many were left out is said with the next one, or by tell; the debug log has them all. Owned by the loop.
type limitedLog struct {
	log *slog.Logger
	by  map[logKey]*window
}

func newLimitedLog(log *slog.Logger) limitedLog { return limitedLog{log, map[logKey]*window{}} }

// logKey is what lines are counted by. There are few: a reason is a word of ours, never what a peer said.
type logKey struct{ message, reason string }

// window is the second at hand.
type window struct {
	began time.Time
	lines int
	left  int // lines that were left out, here and before
}

// linesPerSecond are those of one logKey.
const linesPerSecond = 5

func (p limitedLog) info(now time.Time, message, reason string, args ...any) {
	o := logKey{message, reason}
	w := p.by[o]
	if w == nil {
		w = &window{}
		p.by[o] = w
	}
	if now.Sub(w.began) >= time.Second {
		w.began, w.lines = now, 0
	}
	if w.lines == linesPerSecond {
		w.left++
		if p.log.Enabled(context.Background(), slog.LevelDebug) {
			p.log.Debug(message, append([]any{"reason", reason}, args...)...)
		}
		return
	}
	w.lines++
	args = append([]any{"reason", reason}, args...)
	if w.left > 0 {
		args = append(args, "left_out", w.left)
		w.left = 0
	}
	p.log.Info(message, args...)
}

// tell says how many lines were left out since the last one of their kind, once their second is over.
func (p limitedLog) tell(now time.Time) {
	for o, w := range p.by {
		if w.left > 0 && now.Sub(w.began) >= time.Second {
			p.log.Info(o.message, "reason", o.reason, "left_out", w.left)
			w.left = 0
		}
	}
}
