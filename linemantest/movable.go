package linemantest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/lineman-go/lineman/protocol"
)

// source makes codecs.
type source struct {
	p     protocol.Protocol
	limit int
	moves bool // a new one goes on at each cut
}

// both are the ways to go on at a cut: with the same codec, and, if it can be, with a new one.
func (s source) both() []source {
	if _, ok := s.p.NewCodec(s.limit).(protocol.Movable); !ok {
		return []source{s}
	}
	return []source{s, {s.p, s.limit, true}}
}

func (s source) describe(cuts []int) string {
	if s.moves {
		return describe(cuts) + ", and moved there"
	}
	return describe(cuts)
}

// move makes a new codec with what another one knows. The error is a breach of the contract of protocol.Movable.
func (s source) move(from protocol.Codec) (protocol.Codec, error) {
	const before = "before"
	m := from.(protocol.Movable)
	state := m.AppendState([]byte(before))
	if !bytes.HasPrefix(state, []byte(before)) {
		return nil, fmt.Errorf("AppendState to %q made %.200q", before, state)
	}
	state = state[len(before):]
	if again := m.AppendState(nil); !bytes.Equal(again, state) {
		return nil, fmt.Errorf("AppendState made %.200q, and then %.200q", state, again)
	}
	to := s.p.NewCodec(s.limit)
	if err := to.(protocol.Movable).RestoreState(state); err != nil {
		return nil, fmt.Errorf("RestoreState refuses %.200q: %w", state, err)
	}
	overwrite(state[:cap(state)])
	return to, nil
}

// A StateVector is what a codec must know after some bytes, and what a new one makes of the bytes after them. States of
// released programs are kept as such vectors, so that those programs can be replaced without a loss.
type StateVector struct {
	Name     string
	Before   string   // what comes first. What it has of messages does not count.
	State    string   // what AppendState makes then
	Old      bool     // it is an older version's: AppendState makes another one now
	After    string   // what comes to a codec that RestoreState has given State
	Messages []string // that After completes, in order
	Max      int      // the largest message, as in Limits.MaxMessage; 0 means 1 MiB
}

// TestState has fresh codecs of p, which must be protocol.Movable, agree with each vector.
func TestState(t *testing.T, p protocol.Protocol, vectors ...StateVector) {
	t.Helper()
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			if err := v.check(p); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func (v StateVector) check(p protocol.Protocol) error {
	if v.Max == 0 {
		v.Max = 1 << 20
	}
	state, rest := stateAt(p, v.Max, v.Before)
	if !v.Old && string(state) != v.State {
		return fmt.Errorf("AppendState made %q, want %q", state, v.State)
	}
	c := p.NewCodec(v.Max).(protocol.Movable)
	if err := c.RestoreState([]byte(v.State)); err != nil {
		return fmt.Errorf("RestoreState of %q: %w", v.State, err)
	}
	var o outcome
	o.decode(c, append(rest, v.After...))
	if o.err != nil || o.breach != nil || !slices.Equal(o.messages, v.Messages) {
		return fmt.Errorf("after RestoreState: %s, %v", o, o.breach)
	}
	return nil
}

// FuzzState is the body of a fuzz target for a protocol whose codecs are protocol.Movable: whatever RestoreState is
// given, and whatever comes after it, nothing panics, no codec keeps much more than the state had, and nothing above
// the limit of 1 KiB is delivered. The seeds are bytes as they come from a peer: what codecs know at each point of them
// is tried first.
func FuzzState(f *testing.F, p protocol.Protocol, seeds ...string) {
	for _, wire := range seeds {
		for at := range len(wire) {
			state, rest := stateAt(p, fuzzLimit, wire[:at])
			f.Add(state, append(rest, wire[at:]...))
		}
	}
	f.Fuzz(func(t *testing.T, state, wire []byte) {
		given := slices.Clone(state)
		c := p.NewCodec(fuzzLimit).(protocol.Movable)
		if err := c.RestoreState(state); err != nil {
			return
		}
		if kept := c.AppendState(nil); len(kept) > len(given)+64 {
			t.Errorf("of a state of %d bytes, the codec keeps %d", len(given), len(kept))
		}
		var o outcome
		o.decode(c, wire)
		if o.breach != nil {
			t.Error(o.breach)
		}
		for _, msg := range o.messages {
			if len(msg) > fuzzLimit {
				t.Errorf("a message of %d bytes, the limit is %d", len(msg), fuzzLimit)
			}
		}
	})
}

// stateAt is what a codec knows after some bytes, and which of them wait for more.
func stateAt(p protocol.Protocol, limit int, wire string) (state, rest []byte) {
	c := p.NewCodec(limit)
	var o outcome
	rest = slices.Clone(o.decode(c, []byte(wire)))
	return c.(protocol.Movable).AppendState(nil), rest
}
