package push_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// TestPosition has positions be written in one way, and nothing else be taken for one.
func TestPosition(t *testing.T) {
	for text, want := range map[string]push.Position{
		"k3f9.12c":                     {Epoch: "k3f9", Offset: 1380},
		"0.0":                          {Epoch: "0"},
		"00.1":                         {Epoch: "00", Offset: 1},
		"a.3w5e11264sgsf":              {Epoch: "a", Offset: math.MaxUint64},
		strings.Repeat("z", 32) + ".1": {Epoch: strings.Repeat("z", 32), Offset: 1},
	} {
		if p, err := push.ParsePosition(text); err != nil || p != want || p.String() != text {
			t.Errorf("%s is %+v, written %s, %v", text, p, p, err)
		}
	}
	for _, text := range []string{
		"", ".", "a", "a.", ".1", "a.01", "a.+1", "a.-1", "a.1A", "A.1", "a.1.1", "a b.1", "a.1 ", "a._1", "é.1",
		"a.3w5e11264sgsg", "a.1\x00", strings.Repeat("z", 33) + ".1", "a." + strings.Repeat("1", 1<<16),
	} {
		if p, err := push.ParsePosition(text); !errors.Is(err, push.ErrPosition) || p != (push.Position{}) {
			t.Errorf("%.40q is %v, %v", text, p, err)
		}
	}
	if text := (push.Position{}).String(); text != "" {
		t.Errorf("no position is written %q", text)
	}
	if text, err := json.Marshal(push.Position{Epoch: "a", Offset: 36}); err != nil || string(text) != `"a.10"` {
		t.Errorf("in JSON it is %s, %v", text, err)
	}
}

// TestGapSince has each position be judged by what is kept.
func TestGapSince(t *testing.T) {
	oldest, top := push.Position{Epoch: "a", Offset: 3}, push.Position{Epoch: "a", Offset: 7}
	for since, want := range map[push.Position]push.Gap{
		{Epoch: "a", Offset: 2}: push.GapExpired, {Epoch: "a", Offset: 3}: "", {Epoch: "a", Offset: 7}: "",
		{Epoch: "a", Offset: 8}: push.GapAhead, {Epoch: "b", Offset: 5}: push.GapEpoch, {}: push.GapEpoch,
	} {
		if got := push.GapSince(since, oldest, top); got != want {
			t.Errorf("%q gives %q, want %q", since, got, want)
		}
	}
}

// FuzzPosition reads any text, and reads whatever it says of the history of a target: a lie gets an error, or a gap.
func FuzzPosition(f *testing.F) {
	for _, text := range []string{"", "k3f9.12c", "a.0", "a.3w5e11264sgsf", "a.01", "A.1", "a.1.1"} {
		f.Add(text)
	}
	h, at := fuzzedHub(f)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := push.ParsePosition(text)
		if err != nil {
			return
		}
		if p.String() != text {
			t.Fatalf("%q is written %q", text, p)
		}
		err = h.History("u:ann", push.Range{Since: p, Limit: 10}, func(got push.History, err error) {
			if honest := p.Epoch == at.Epoch && p.Offset <= at.Offset; err != nil || honest != (got.Gap == "") ||
				!honest && len(got.Messages) > 0 || honest && len(got.Messages) != int(at.Offset-p.Offset) {
				t.Fatalf("since %q: %+v, %v", text, got, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		p.Epoch = at.Epoch // whatever its offset
		_ = h.History("u:ann", push.Range{Since: p, Limit: 10}, func(got push.History, err error) {
			if err != nil || (p.Offset > at.Offset) != (got.Gap == push.GapAhead) {
				t.Fatalf("since %q: %+v, %v", p, got, err)
			}
		})
	})
}

// fuzzedHub is a Hub that keeps three messages of ann's, and the position of the last.
func fuzzedHub(f *testing.F) (*hub, push.Position) {
	o := options()
	o.UIDHistory = push.Retention{Size: 10}
	h, err := push.New(o)
	if err != nil {
		f.Fatal(err)
	}
	var at push.Position
	for range 3 {
		err := h.Publish(message{To: []push.Target{"u:ann"}, Data: []byte("x")}, func(o push.Outcome) {
			at = o.Positions[0]
		})
		if err != nil {
			f.Fatal(err)
		}
	}
	return h, at
}
