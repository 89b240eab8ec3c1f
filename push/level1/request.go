package level1

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// Bounds of what a client asks.
const (
	MaxBatch = 200 // requests of an array
	MaxHist  = 300 // messages of an answer to hist
)

// Request is what a client says. What does not belong to its Op is zero.
type Request struct {
	Op      Op          // one of hello, sub, unsub, hist, auth, hb, presence, pub, say, rpc
	ID      int64       // the answer has the same; 0: none
	Channel push.Target // of sub, unsub, hist and presence: a channel, a uid or a group; of pub: a channel
	Since   push.Since  // of sub and hist
	N       int         // of hist: messages at most; 0: as the server likes
	Token   string      // of hello and auth

	Subs      []Start // of hello; nil if it has no "sub" at all
	Batch     bool    // of hello: the server may send arrays
	Heartbeat bool    // of hello: the server sends heartbeats

	Data   json.RawMessage // of pub, say and rpc, as it is written; on loan where Requests tells it; rpc may have none
	NoEcho bool            // of pub: who publishes does not get it
	Again  bool            // of say: it was said before, and may have been heard
	Method string          // of rpc
}

// Start is a target that a client wants to follow, and since when.
type Start struct {
	Target push.Target
	Since  push.Since
}

// Append appends the request. The targets must be right, and Data one line of JSON.
func (r *Request) Append(dst []byte) []byte {
	dst = begin(dst, r.Op)
	dst = appendInt(dst, "id", r.ID)
	dst = appendText(dst, "ch", string(r.Channel))
	dst = appendText(dst, "since", r.Since.String())
	dst = appendInt(dst, "n", int64(r.N))
	dst = appendText(dst, "token", r.Token)
	if r.Subs != nil {
		dst = append(appendName(dst, "sub"), '{')
		for i, s := range r.Subs {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, string(s.Target)), ':')
			dst = appendString(dst, s.Since.String())
		}
		dst = append(dst, '}')
	}
	dst = appendFlag(dst, "batch", r.Batch)
	dst = appendFlag(dst, "hb", r.Heartbeat)
	dst = appendText(dst, "method", r.Method)
	if r.Data != nil {
		dst = append(appendName(dst, "data"), r.Data...)
	}
	if r.NoEcho {
		dst = append(dst, `,"self":false`...)
	}
	dst = appendFlag(dst, "again", r.Again)
	return append(dst, '}')
}

// Requests takes a text from a client apart: an object, or an array of at most MaxBatch. It tells for each what it
// asks, or the Failure that is the answer to it. The text may be changed when that has ended.
func Requests(text []byte) iter.Seq2[Request, *Failure] {
	return func(yield func(Request, *Failure) bool) {
		if err := checkBatch(text, MaxBatch); err != nil {
			yield(Request{}, malformed(0, err))
			return
		}
		if jsontext.Begins(text) != '[' {
			yield(parseRequest(text))
			return
		}
		for frame := range jsontext.Elements(text) {
			if !yield(parseRequest(frame)) {
				return
			}
		}
	}
}

// malformed is the answer to what cannot be understood.
func malformed(id int64, err error) *Failure {
	return &Failure{ID: id, Code: CodeMalformed, Text: err.Error()}
}

// checkBatch says what is wrong with a text as a whole. most is how many frames it may have.
func checkBatch(text []byte, most int) error {
	if err := jsontext.Check(text); err != nil {
		return err
	}
	if jsontext.Begins(text) != '[' {
		return nil
	}
	n := 0
	for range jsontext.Elements(text) {
		if n++; n > most {
			return fmt.Errorf("an array of more than %d", most)
		}
	}
	return nil
}

var (
	errNoObject = errors.New("want a JSON object")
	errNoOp     = errors.New(`no "op"`)
)

// parseRequest reads one request.
func parseRequest(frame []byte) (r Request, wrong *Failure) {
	if jsontext.Begins(frame) != '{' {
		return r, malformed(0, errNoObject)
	}
	f := readFields(frame)
	r.ID = f.integer("id", 1, math.MaxInt64)
	r.Op = f.op()
	switch r.Op {
	case OpHello:
		r.Token = f.text("token")
		r.Subs = f.starts("sub")
		r.Batch, r.Heartbeat = f.flag("batch"), f.flag("hb")
	case OpSub:
		r.Channel, r.Since = f.place("ch"), f.since("since")
	case OpUnsub, OpPresence:
		r.Channel = f.place("ch")
	case OpHist:
		r.Channel, r.Since = f.place("ch"), f.since("since")
		r.N = int(f.integer("n", 1, MaxHist))
	case OpAuth:
		r.Token = f.text("token")
	case OpHB:
	default:
		f.speaks(&r)
	}
	if f.err != nil {
		wrong = malformed(r.ID, f.err)
		wrong.Channel = r.Channel
	}
	return r, wrong
}

// fail notes an error, if it is the first one.
func (f *fields) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// place is a target that can be followed. It must be there.
func (f *fields) place(name string) push.Target {
	t := push.Target(f.text(name))
	if f.err == nil {
		f.err = checkPlace(t)
	}
	if f.err != nil {
		return ""
	}
	return t
}

// checkPlace says why a target cannot be followed.
func checkPlace(t push.Target) error {
	switch kind, _ := t.Split(); kind {
	case push.ToEveryone, push.ToConn:
		return fmt.Errorf("nobody subscribes to %q: everybody concerned is in it", t)
	}
	return t.Check()
}

// starts is an object of targets and since when.
func (f *fields) starts(name string) []Start {
	value := f.get(name)
	if value == nil {
		return nil
	}
	if value[0] != '{' {
		f.wrong(name, "an object of channels and positions")
		return nil
	}
	all := []Start{}
	for name, value := range jsontext.Fields(value) {
		s, err := parseStart(name, value)
		if err == nil && len(all) == push.MaxTargets {
			err = fmt.Errorf("more than %d", push.MaxTargets)
		}
		if err != nil {
			f.err = fmt.Errorf(`"sub": %w`, err)
			return nil
		}
		all = append(all, s)
	}
	return all
}

// parseStart reads one of them.
func parseStart(name, value []byte) (s Start, err error) {
	s.Target = push.Target(name)
	if err := checkPlace(s.Target); err != nil {
		return s, err
	}
	text, ok := stringOf(value)
	if !ok && string(value) != "null" {
		return s, fmt.Errorf("%q: want a string", name)
	}
	if s.Since, err = push.ParseSince(text); err != nil {
		err = fmt.Errorf("%q: %w", name, err)
	}
	return s, err
}
