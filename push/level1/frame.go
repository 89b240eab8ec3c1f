package level1

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/lineman-go/lineman/internal/jsontext"
)

// Frame is what the server says: a Welcome, a Message, or another of the values that the package lists.
type Frame interface {
	Append(dst []byte) []byte
}

// maxFrames is how many frames of the server an array may have: as many as can be missed, and more.
const maxFrames = 100_000

// ErrFrame matches what Frames says of a text that is not as the protocol says.
var ErrFrame = errors.New("level1: the server does not speak level 1 as docs/protocol.md has it")

// Frames takes a text from the server apart. What has an op that is not known is left out. An error matches ErrFrame
// and ends it. What is told refers to the text: it is good as long as the text is not changed.
func Frames(text []byte) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		if err := checkBatch(text, maxFrames); err != nil {
			yield(nil, fmt.Errorf("%w: %w", ErrFrame, err))
			return
		}
		for frame := range batch(text) {
			switch f, err := parseFrame(frame); {
			case err != nil:
				yield(nil, fmt.Errorf("%w: %w", ErrFrame, err))
				return
			case f != nil && !yield(f, nil):
				return
			}
		}
	}
}

// batch are the frames of a text that was checked.
func batch(text []byte) iter.Seq[[]byte] {
	if jsontext.Begins(text) == '[' {
		return jsontext.Elements(text)
	}
	return func(yield func([]byte) bool) { yield(text) }
}

// parseFrame reads one frame; nil if its op is not known.
func parseFrame(frame []byte) (Frame, error) {
	if jsontext.Begins(frame) != '{' {
		return nil, errNoObject
	}
	f := readFields(frame)
	op := f.op()
	if op == "" {
		f.fail(errNoOp)
	}
	v := f.frame(op)
	if f.err != nil {
		return nil, fmt.Errorf("%.40s: %w", op, f.err)
	}
	return v, nil
}

// frame is the value of an op; nil if it is not known.
func (f *fields) frame(op Op) Frame {
	switch op {
	case OpMsg:
		return Message{f.target("ch"), f.position("pos"), f.data()}
	case OpPos:
		return Passed{f.target("ch"), f.position("pos")}
	case OpGap:
		return Missed{f.target("ch"), f.gap(), f.position("pos")}
	case OpSub:
		return Subscribed{f.id(), f.target("ch"), f.position("pos"), f.count("n"), f.gap()}
	case OpUnsub:
		return Unsubscribed{f.id(), f.target("ch"), f.text("why")}
	case OpHist:
		return History{f.id(), f.target("ch"), f.stored("messages"), f.position("pos"), f.flag("more"), f.gap()}
	case OpPresence:
		return Presence{f.id(), f.target("ch"), f.count("n"), f.users("users"), f.flag("more")}
	case OpJoin:
		return Joined{f.target("ch"), f.text("uid"), f.get("info"), f.count("n")}
	case OpLeave:
		return Left{f.target("ch"), f.text("uid"), f.count("n")}
	case OpPub:
		return Published{f.id(), f.target("ch"), f.position("pos")}
	case OpSay:
		return Said{f.id()}
	case OpRPC:
		return Replied{f.id(), f.dataIfAny()}
	}
	return f.ofConnection(op)
}

// ofConnection is the value of an op that is about the connection.
func (f *fields) ofConnection(op Op) Frame {
	switch op {
	case OpWelcome:
		return Welcome{f.id(), f.target("conn"), f.text("uid"), f.span("ping", time.Second), f.count("max"),
			f.unix("exp"), f.span("hb", time.Second)}
	case OpBye:
		return Bye{f.count("code"), f.span("retry", time.Millisecond), f.text("why")}
	case OpHB:
		return Heartbeat{}
	case OpAuth:
		return Authorized{f.id(), f.unix("exp")}
	case OpExpiring:
		return Expiring{f.span("in", time.Second)}
	case OpErr:
		r := Failure{ID: f.id(), Code: f.count("code"), Text: f.text("msg")}
		if f.get("ch") != nil {
			r.Channel = f.target("ch")
		}
		return r
	}
	return nil
}
