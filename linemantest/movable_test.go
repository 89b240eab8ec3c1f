package linemantest

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/protocol"
)

// looking is lines of a codec that remembers how far it has looked, and says so or not.
type looking struct {
	decoder
	looked *int
	state  func(c looking, dst []byte) []byte
}

func newLooking(state func(c looking, dst []byte) []byte) made {
	return func() protocol.Codec {
		c := looking{looked: new(int), state: state}
		c.decoder = func(data []byte) (int, []byte, error) {
			n, msg, err := lines(data[*c.looked:])
			if n == 0 {
				*c.looked = len(data)
				return 0, nil, nil
			}
			if msg == nil {
				msg = []byte{}
			}
			msg = data[: *c.looked+len(msg) : *c.looked+len(msg)]
			n, *c.looked = n+*c.looked, 0
			return n, msg, err
		}
		return c
	}
}

func (c looking) AppendState(dst []byte) []byte { return c.state(c, dst) }

func (c looking) RestoreState(state []byte) error {
	if len(state) > 1 {
		return errors.New("too long")
	}
	if len(state) == 1 {
		*c.looked = int(state[0])
	}
	return nil
}

// TestMoves has codecs go on in new ones, and finds those that do not tell all, or not in the way they should.
func TestMoves(t *testing.T) {
	good := Vector{Wire: "one\ntwo\n", Messages: []string{"one", "two"}}
	tells := func(c looking, dst []byte) []byte { return append(dst, byte(*c.looked)) }
	wrong := func(c looking, dst []byte) []byte { return append(dst, byte(*c.looked+9)) }
	for name, tt := range map[string]struct {
		state func(c looking, dst []byte) []byte
		says  string
	}{
		"right":           {tells, ""},
		"looks again":     {func(_ looking, dst []byte) []byte { return dst }, ""},
		"another number":  {wrong, "moved there"},
		"refused":         {func(c looking, dst []byte) []byte { return append(dst, "long"...) }, "refuses"},
		"not behind dst":  {func(c looking, _ []byte) []byte { return []byte{byte(*c.looked)} }, "AppendState to"},
		"not twice alike": {func(c looking, dst []byte) []byte { *c.looked++; return tells(c, dst) }, "and then"},
	} {
		t.Run(name, func(t *testing.T) {
			err := panics(func() error { return good.check(newLooking(tt.state)) })
			switch {
			case tt.says == "" && err == nil:
			case tt.says == "" || err == nil || !strings.Contains(err.Error(), tt.says):
				t.Errorf("got %v, want %q in it", err, tt.says)
			}
		})
	}
}

// panics has a panic, such as one of a codec that looks where nothing is, be an error.
func panics(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.New("moved there, it panicked")
		}
	}()
	return f()
}

func TestStateVectors(t *testing.T) {
	p := newLooking(func(c looking, dst []byte) []byte { return append(dst, byte(*c.looked)) })
	TestState(t, p,
		StateVector{Name: "half", Before: "one\ntw", State: "\x02", After: "o\n", Messages: []string{"two"}},
		StateVector{Name: "older", Before: "one\ntw", State: "", Old: true, After: "o\n", Messages: []string{"two"}})
	for name, v := range map[string]StateVector{
		"AppendState made": {Before: "a", State: ""},
		"refuses too much": {Before: "a", State: "long", Old: true},
		"messages":         {Before: "a", State: "\x01", After: "\n"},
	} {
		if v.check(p) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if state, rest := stateAt(p, 9, "one\ntw"); !bytes.Equal(state, []byte{2}) || string(rest) != "tw" {
		t.Errorf("state %q, rest %q", state, rest)
	}
}
