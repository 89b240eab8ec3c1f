package linemantest

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/protocol"
)

// made is a protocol whose codecs f makes.
type made func() protocol.Codec

func (made) Name() string                  { return "made" }
func (f made) NewCodec(int) protocol.Codec { return f() }

// decoder is a codec by its Decode; its Append is that of lines.
type decoder func(data []byte) (int, []byte, error)

func (f decoder) Decode(data []byte) (int, []byte, error) { return f(data) }
func (decoder) Append(dst, msg []byte) ([]byte, error)    { return append(append(dst, msg...), '\n'), nil }

func lines(data []byte) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i:i], nil
	}
	return 0, nil, nil
}

func stateless(f decoder) made { return func() protocol.Codec { return f } }

var errBang = errors.New("bang")

// bang ends the stream with a "!" in a line that has not ended.
func bang(data []byte) (int, []byte, error) {
	n, msg, _ := lines(data)
	if n == 0 && bytes.IndexByte(data, '!') >= 0 {
		return 0, nil, errBang
	}
	return n, msg, nil
}

func TestVectorsHold(t *testing.T) {
	TestCodec(t, stateless(lines),
		Vector{Name: "nothing"},
		Vector{Name: "two lines and a half", Wire: "one\ntwo\nthr", Messages: []string{"one", "two"}},
		Vector{Name: "round trip", Wire: "one\n\n", Messages: []string{"one", ""}, RoundTrip: true},
		Vector{Name: "64 KiB", Wire: strings.Repeat("x", 1<<16-1) + "\n",
			Messages: []string{strings.Repeat("x", 1<<16-1)}},
	)
	TestCodec(t, stateless(bang),
		Vector{Name: "an end", Wire: "a\nb!c", Messages: []string{"a"}, Err: errBang, ErrAfter: 4})
}

// TestFaultsAreFound has each kind of fault of a codec, or of a vector, told by name.
func TestFaultsAreFound(t *testing.T) {
	good := Vector{Wire: "one\ntwo\n", Messages: []string{"one", "two"}}
	forgetful := func() protocol.Codec {
		looked := 0
		return decoder(func(data []byte) (int, []byte, error) {
			i := bytes.IndexByte(data[looked:], '\n')
			if looked = len(data); i < 0 {
				return 0, nil, nil
			}
			looked = 0
			return i + 1, data[:i:i], nil // as if nothing had been looked at before
		})
	}
	keeper := func() protocol.Codec {
		var kept []byte
		return decoder(func(data []byte) (int, []byte, error) {
			if len(kept) == 0 {
				kept = data
			}
			n, _, _ := lines(data)
			if n == 0 {
				return 0, nil, nil
			}
			msg := kept[: min(n, len(kept))-1 : min(n, len(kept))-1]
			kept = nil
			return n, msg, nil
		})
	}
	for name, tt := range map[string]struct {
		p    made
		v    Vector
		says string
	}{
		"another message": {stateless(lines), Vector{Wire: "one\n", Messages: []string{"two"}},
			`whole: got messages ["one"]`},
		"a message too many": {stateless(lines), Vector{Wire: "one\n"}, `got messages ["one"]`},

		"no error":       {stateless(lines), Vector{Wire: "one", Err: errBang}, "end: <nil>"},
		"an error":       {stateless(bang), Vector{Wire: "!"}, "end: bang"},
		"an early error": {stateless(bang), Vector{Wire: "a!b", Err: errBang, ErrAfter: 3}, "after 2 bytes, want 3"},
		"a late error":   {stateless(bang), Vector{Wire: "a!b", Err: errBang, ErrAfter: 1}, "after 2 bytes, want 1"},
		"no refusal":     {stateless(lines), Vector{Wire: "one", Refused: 1}, "refused []"},
		"another wire": {stateless(lines),
			Vector{Wire: "one\nt", Messages: []string{"one"}, RoundTrip: true}, "Append to"},
		"below zero": {stateless(func([]byte) (int, []byte, error) { return -1, nil, nil }), good, "used up -1 of"},
		"beyond the data": {stateless(func(d []byte) (int, []byte, error) { return len(d) + 1, nil, nil }), good,
			"used up 9 of 8"},
		"a message at 0": {stateless(func(d []byte) (int, []byte, error) { return 0, d, nil }), good,
			"without using up a byte"},
		"message and error": {stateless(func(d []byte) (int, []byte, error) { return 1, d[:1:1], errBang }),
			good, "gave both"},
		"too much capacity": {
			stateless(func(d []byte) (int, []byte, error) { n, _, _ := lines(d); return n, d[:max(n-1, 0)], nil }),
			good, "limit its capacity",
		},
		"not byte by byte":    {forgetful, good, "cut at"},
		"keeps former memory": {keeper, good, "cut at"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.v.check(tt.p); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q in it", err, tt.says)
			}
		})
	}
}

// TestFuzzFinds has the comparison of FuzzCodec find what depends on the cuts, breaks the contract or is too large.
func TestFuzzFinds(t *testing.T) {
	greedy := stateless(func(d []byte) (int, []byte, error) { return len(d), bytes.Clone(d), nil })
	beyond := stateless(func(d []byte) (int, []byte, error) { return len(d) + 1, nil, nil })
	for name, tt := range map[string]struct {
		p    made
		wire string
		says string
	}{
		"right":             {stateless(lines), "one\ntwo", ""},
		"depends on cuts":   {greedy, "one", "cut at 1"},
		"breaks a contract": {beyond, "one", "used up"},
		"too large":         {stateless(lines), strings.Repeat("x", 2000) + "\n", "the limit is 1024"},
	} {
		err := checkCuts(tt.p, tt.wire, nil, bytewise(len(tt.wire)))
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: got %v, want %q in it", name, err, tt.says)
		}
	}
}
