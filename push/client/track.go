package client

import "github.com/lineman-go/lineman/push"

// GapJump is the reason of a gap that the client itself has seen: positions did not go on by one, nor when the server
// was asked once more. A server that is as docs/protocol.md has it never causes it.
const GapJump push.Gap = "jump"

// track is how far a target has come for this client. It tells what is new of what the server sends, and what is
// missing. It is pure.
//
//	         begun              message, passed, missed
//	start ──────────▶ confirmed ───────────────────────▶ confirmed
//	                      ▲ begun, after a reconnect │
//	                      └──────────────────────────┘
type track struct {
	at        push.Position // of the newest that has come; zero if there is none, or no history
	last      int           // so many of the last messages are wanted at the beginning
	confirmed bool          // the server has begun it, on this connection or an earlier one
}

// newTrack begins with what the user wants.
func newTrack(since push.Since) track { return track{at: since.Position, last: since.Last} }

// since is where a connection has to begin.
func (t *track) since() push.Since {
	switch {
	case t.at != push.Position{}:
		return push.Since{Position: t.at}
	case !t.confirmed:
		return push.Since{Last: t.last}
	}
	return push.Since{}
}

// begun is told that the server has begun the target: n messages up to top follow, or not all because of gap. It says
// what is missed.
func (t *track) begun(top push.Position, n int, gap push.Gap) push.Gap {
	before, again := t.at, t.confirmed
	t.at, t.confirmed = top, true
	switch {
	case gap != "":
		return gap
	case before == push.Position{} && top == push.Position{}, top == push.Position{}:
		if again || before != (push.Position{}) {
			return push.GapOff
		}
		return ""
	case uint64(n) > top.Offset:
		return GapJump
	case before == push.Position{}:
		t.at.Offset -= uint64(n)
		if again {
			return push.GapOff // there was no history when it was begun before
		}
		return ""
	}
	return t.resumed(before, top, uint64(n))
}

// resumed is begun for what goes on from a Position.
func (t *track) resumed(before, top push.Position, n uint64) push.Gap {
	switch first := top.Offset - n; {
	case before.Epoch != top.Epoch:
		return push.GapEpoch
	case top.Offset < before.Offset:
		return push.GapAhead
	case first <= before.Offset:
		t.at = before // what comes twice of what follows is left out
		return ""
	case n == 1:
		t.at.Offset-- // of the class Latest the last one is enough
		return ""
	}
	return GapJump
}

// next is told the position of a message. It says whether that is new, and what was missed before it.
func (t *track) next(p push.Position) (fresh bool, missed push.Gap) {
	before := t.at
	switch {
	case p == push.Position{}:
		return true, ""
	case before == push.Position{}:
	case p.Epoch != before.Epoch:
		missed = push.GapEpoch
	case p.Offset <= before.Offset:
		return false, ""
	case p.Offset > before.Offset+1:
		missed = GapJump
	}
	t.at = p
	return true, missed
}
