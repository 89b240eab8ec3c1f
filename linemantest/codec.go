package linemantest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/lineman-go/lineman/protocol"
)

// A Vector is bytes as they come from a peer, and what a codec must make of them.
type Vector struct {
	Name     string
	Wire     string
	Max      int      // the largest message, as in Limits.MaxMessage; 0 means 1 MiB
	Messages []string // in order
	Refused  int      // how many messages are refused with the stream still in step
	Err      error    // matches what ends the stream, in the sense of errors.Is; nil means that nothing does

	// ErrAfter is how many bytes of Wire must have come for the stream to end: with one less it has not, with these it
	// has. 0 means that any number will do.
	ErrAfter int

	// RoundTrip has Append make exactly Wire of Messages again.
	RoundTrip bool
}

// TestCodec feeds each vector to fresh codecs of p: whole, byte by byte, and cut in two at every point (at some
// hundreds if the wire is longer). Each time there must be the same messages, the same errors of those refused, and the
// same end; errors are the same if their texts are. It does so as a loop does: data grows from the same byte until
// Decode advances, and what is left moves in memory. What a codec keeps of the former memory is overwritten, and so is
// the room behind a message, as an append to it would.
//
// If the codecs are protocol.Movable, each way is tried a second time, and at each cut a new codec goes on with what
// AppendState says, as in another process.
func TestCodec(t *testing.T, p protocol.Protocol, vectors ...Vector) {
	t.Helper()
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			if err := v.check(p); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// FuzzCodec is the body of a fuzz target: it checks that whatever comes, however it is cut, gives the same messages,
// refusals and end, as in TestCodec, and that nothing above the limit of 1 KiB is delivered. Those that are
// protocol.Movable go on in new ones there too.
func FuzzCodec(f *testing.F, p protocol.Protocol, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s), uint16(1), uint16(3))
	}
	f.Fuzz(func(t *testing.T, wire []byte, first, every uint16) {
		cuts := []int{}
		for at := int(first); at < len(wire); at += int(every%64) + 1 {
			cuts = append(cuts, at)
		}
		if err := checkCuts(p, string(wire), nil, bytewise(len(wire)), cuts); err != nil {
			t.Error(err)
		}
	})
}

// fuzzLimit is the largest message of FuzzCodec.
const fuzzLimit = 1 << 10

// checkCuts compares what comes of the wire whole with what comes of it in other ways.
func checkCuts(p protocol.Protocol, wire string, ways ...[]int) error {
	source := source{p: p, limit: fuzzLimit}
	whole := source.feed(wire, nil)
	for _, cuts := range ways {
		for _, s := range source.both() {
			got := s.feed(wire, cuts)
			if got.breach != nil {
				return fmt.Errorf("%s: %w", s.describe(cuts), got.breach)
			}
			if !got.same(whole) {
				return fmt.Errorf("whole: %s\n%s: %s", whole, s.describe(cuts), got)
			}
		}
	}
	for _, msg := range whole.messages {
		if len(msg) > fuzzLimit {
			return fmt.Errorf("a message of %d bytes, the limit is %d", len(msg), fuzzLimit)
		}
	}
	return nil
}

// check tries one vector in every way.
func (v Vector) check(p protocol.Protocol) error {
	if v.Max == 0 {
		v.Max = 1 << 20
	}
	source := source{p: p, limit: v.Max}
	whole := source.feed(v.Wire, nil)
	for _, cuts := range waysToCut(len(v.Wire)) {
		for _, s := range source.both() {
			got := s.feed(v.Wire, cuts)
			switch {
			case got.breach != nil:
				return fmt.Errorf("%s: %w", s.describe(cuts), got.breach)
			case !got.is(v):
				return fmt.Errorf("%s: got %s", s.describe(cuts), got)
			case !got.same(whole):
				return fmt.Errorf("whole: %s\n%s: %s", whole, s.describe(cuts), got)
			}
		}
	}
	if err := v.checkEnd(p); err != nil || !v.RoundTrip {
		return err
	}
	return v.checkAppend(p.NewCodec(v.Max))
}

// checkEnd looks for the byte that ends the stream.
func (v Vector) checkEnd(p protocol.Protocol) error {
	if v.ErrAfter == 0 {
		return nil
	}
	got := source{p: p, limit: v.Max}.feed(v.Wire, bytewise(len(v.Wire)))
	if got.fed != v.ErrAfter {
		return fmt.Errorf("the stream ended after %d bytes, want %d", got.fed, v.ErrAfter)
	}
	return nil
}

// checkAppend encodes the messages behind bytes that must stay.
func (v Vector) checkAppend(c protocol.Codec) error {
	const before = "before"
	wire := []byte(before)
	for _, msg := range v.Messages {
		var err error
		if wire, err = c.Append(wire, []byte(msg)); err != nil {
			return fmt.Errorf("Append of %.200q: %w", msg, err)
		}
	}
	if string(wire) != before+v.Wire {
		return fmt.Errorf("Append to %q made %.200q, want %.200q", before, wire, before+v.Wire)
	}
	return nil
}

// waysToCut are lists of points at which n bytes are cut.
func waysToCut(n int) [][]int {
	ways := [][]int{nil, bytewise(n)}
	for at := 1; at < n; at += 1 + n/500 {
		ways = append(ways, []int{at})
	}
	return ways
}

func bytewise(n int) []int {
	cuts := make([]int, max(n-1, 0))
	for i := range cuts {
		cuts[i] = i + 1
	}
	return cuts
}

func describe(cuts []int) string {
	switch len(cuts) {
	case 0:
		return "whole"
	case 1:
		return fmt.Sprintf("cut at %d", cuts[0])
	}
	return fmt.Sprintf("cut at %d and %d points more", cuts[0], len(cuts)-1)
}

// outcome is what a codec made of bytes.
type outcome struct {
	messages []string
	refused  []string
	err      error
	breach   error // of the contract of protocol.Codec: nothing else counts then
	fed      int   // bytes that had come at the end
}

func (o outcome) is(v Vector) bool {
	return slices.Equal(o.messages, v.Messages) && len(o.refused) == v.Refused && (o.err == nil) == (v.Err == nil) &&
		errors.Is(o.err, v.Err)
}

func (o outcome) same(p outcome) bool {
	return slices.Equal(o.messages, p.messages) && slices.Equal(o.refused, p.refused) &&
		fmt.Sprint(o.err) == fmt.Sprint(p.err)
}

func (o outcome) String() string {
	return fmt.Sprintf("messages %.200q, refused %.200q, end: %v", o.messages, o.refused, o.err)
}

// feed gives a codec the wire in pieces.
func (s source) feed(wire string, cuts []int) (o outcome) {
	c := s.p.NewCodec(s.limit)
	var waiting []byte
	for i := range len(cuts) + 1 {
		end := len(wire)
		if i < len(cuts) {
			end = cuts[i]
		}
		if s.moves && i > 0 {
			if c, o.breach = s.move(c); o.breach != nil {
				return o
			}
		}
		waiting = join(waiting, wire[o.fed:end])
		o.fed = end
		rest := o.decode(c, waiting)
		if o.err != nil || o.breach != nil {
			return o
		}
		if len(rest) < len(waiting) {
			rest = slices.Clone(rest)
			overwrite(waiting)
			waiting = rest
		}
	}
	return o
}

// join appends a piece. What waits moves when its memory is full, so that it does so for every piece at first, and
// seldom enough later for a long wire to come byte by byte.
func join(waiting []byte, piece string) []byte {
	if len(waiting)+len(piece) <= cap(waiting) {
		return append(waiting, piece...)
	}
	room := len(waiting) + len(piece)
	if len(waiting) > 1<<10 {
		room *= 2
	}
	moved := append(append(make([]byte, 0, room), waiting...), piece...)
	overwrite(waiting)
	return moved
}

// spoiled is what overwritten memory holds.
var spoiled = bytes.Repeat([]byte{0xa5}, 4<<10)

func overwrite(b []byte) {
	for len(b) > 0 {
		b = b[copy(b, spoiled):]
	}
}

// decode notes every message in data and returns what is left.
func (o *outcome) decode(c protocol.Codec, data []byte) (rest []byte) {
	for len(data) > 0 {
		n, msg, err := c.Decode(data)
		switch {
		case n < 0 || n > len(data):
			o.breach = fmt.Errorf("Decode used up %d of %d bytes", n, len(data))
			return nil
		case msg != nil && n == 0:
			o.breach = fmt.Errorf("Decode gave the message %.200q without using up a byte", msg)
			return nil
		case msg != nil && err != nil:
			o.breach = fmt.Errorf("Decode gave both the message %.200q and the error %q", msg, err)
			return nil
		case n == 0:
			o.err = err
			return data
		case err != nil:
			o.refused = append(o.refused, err.Error())
		case msg != nil:
			o.messages = append(o.messages, string(msg))
		}
		if data = data[n:]; !spares(msg, data) {
			o.breach = fmt.Errorf("an append to the message %.200q changes what follows it: limit its capacity", msg)
			return nil
		}
	}
	return data
}

// spares overwrites the room behind a message and reports whether the rest of the data is as it was.
func spares(msg, rest []byte) bool {
	room := msg[len(msg):cap(msg)]
	near := rest[:min(len(rest), len(room))] // more of it the room cannot reach
	before := slices.Clone(near)
	overwrite(room)
	return slices.Equal(near, before)
}
