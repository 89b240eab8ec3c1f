package level1

import (
	"encoding/json"
	"fmt"

	"github.com/lineman-go/lineman/push"
)

// What a client says that is for others: for those of a channel, and for the back end.

// speaks reads what belongs to pub, say and rpc. There is no other op that a client says.
func (f *fields) speaks(r *Request) {
	switch r.Op {
	case OpPub:
		r.Channel = f.channel("ch")
		r.Data = f.json("data")
		r.NoEcho = string(f.get("self")) == "false"
		f.flag("self")
	case OpSay:
		r.Data, r.Again = f.json("data"), f.flag("again")
	case OpRPC:
		r.Method, r.Data = f.method("method"), f.raw("data")
	case "":
		f.fail(errNoOp)
	default:
		f.fail(fmt.Errorf("%.40q is no op that a client says", r.Op))
	}
}

// MaxMethod is how many bytes the name of a method may have.
const MaxMethod = 255

// method is the name of a method. It must be there.
func (f *fields) method(name string) string {
	m := f.text(name)
	if f.err == nil && (m == "" || len(m) > MaxMethod) {
		f.wrong(name, fmt.Sprintf("a name of 1 to %d bytes", MaxMethod))
	}
	return m
}

// channel is a channel. It must be there.
func (f *fields) channel(name string) push.Target {
	t := f.target(name)
	if kind, _ := t.Split(); f.err == nil && kind != push.ToChannel {
		f.fail(fmt.Errorf("a client publishes to channels, not to %q", t))
	}
	if f.err != nil {
		return ""
	}
	return t
}

// json is raw for what must be there.
func (f *fields) json(name string) json.RawMessage {
	value := f.raw(name)
	if value == nil && f.err == nil {
		f.wrong(name, "any JSON")
	}
	return value
}

// Published is the answer to pub: it is published.
type Published struct {
	ID       int64
	Channel  push.Target
	Position push.Position // zero: no history is kept of Channel
}

// Append appends the frame.
func (p Published) Append(dst []byte) []byte {
	dst = begin(dst, OpPub)
	dst = appendInt(dst, "id", p.ID)
	dst = appendText(dst, "ch", string(p.Channel))
	dst = appendPosition(dst, "pos", p.Position)
	return append(dst, '}')
}

// Said is the answer to say: every back end that wants to know it has it.
type Said struct{ ID int64 }

// Append appends the frame.
func (s Said) Append(dst []byte) []byte { return append(appendInt(begin(dst, OpSay), "id", s.ID), '}') }

// Replied is the answer of a back end to rpc.
type Replied struct {
	ID   int64
	Data []byte // JSON; nil: the back end has said nothing
}

// Append appends the frame.
func (r Replied) Append(dst []byte) []byte {
	dst = appendInt(begin(dst, OpRPC), "id", r.ID)
	if r.Data != nil {
		dst = appendData(dst, r.Data)
	}
	return append(dst, '}')
}
