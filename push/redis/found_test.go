package redis

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// TestFound reads what a script answers.
func TestFound(t *testing.T) {
	got, err := parseFound([]string{"e1", "t2", "300", "7", "1000", "6 900 3 ab c", "7 950 0 "})
	want := found{
		mark: mark{"e1", "t2", 300}, top: 7, now: time.UnixMilli(1000),
		messages: []keptMessage{{6, time.UnixMilli(900), "ab c"}, {7, time.UnixMilli(950), ""}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("it is %+v, %v", got, err)
	}
	for _, text := range []string{
		"", "e1", "e1,t2,1,1", ",t2,1,1,1", "e1,,1,1,1", "E,t,1,1,1", "e,t,-1,1,1", "e,t,1,x,1", "e,t,1,1,",
		"e,t,1,9007199254740992,1", "e,t,1,1,1,", "e,t,1,1,1,1 2 3", "e,t,1,1,1,x 2 3 a", "e,t,1,1,1,1 -2 3 a",
		"e,t,1,1,1,1 2 +3 a",
	} {
		if f, err := parseFound(strings.Split(text, ",")); err == nil {
			t.Errorf("%q is %+v", text, f)
		}
	}
}

// TestFoundBroken tells nothing that does not follow on what it should, whatever a server has.
func TestFoundBroken(t *testing.T) {
	for _, c := range []struct {
		name, words string
		class       push.Class
		since       uint64
		want        string
	}{
		{"the newest is not that of the top", "e,t,9,9,0,8 0 0 b,7 0 0 a", push.Stream, 0, ""},
		{"a hole before the last ones", "e,t,9,9,0,9 0 0 d,8 0 0 c,6 0 0 b", push.Stream, 0, "c d"},
		{"not the next one", "e,t,9,9,0,8 0 0 c,9 0 0 d", push.Stream, 5, "gap:expired"},
		{"a hole behind the next one", "e,t,9,9,0,6 0 0 a,8 0 0 c", push.Stream, 5, "a"},
		{"another last one", "e,t,9,9,0,7 0 0 a", push.Latest, 5, "gap:expired"},
		{"nothing", "e,t,9,9,0", push.Stream, 5, "gap:expired"},
	} {
		f, err := parseFound(strings.Split(c.words, ","))
		if err != nil {
			t.Fatal(err)
		}
		r := push.Range{Limit: 10}
		if c.since > 0 {
			r.Since = push.Position{Epoch: "e", Offset: c.since}
		}
		w := newWanted("x", r, push.Retention{Size: 10, Class: c.class})
		h := w.tell(f)
		var words []string
		for _, m := range h.Messages {
			words = append(words, string(m.Data))
		}
		if h.Gap != "" {
			words = append(words, "gap:"+string(h.Gap))
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzFound tells messages without a hole, whatever a server answers.
func FuzzFound(f *testing.F) {
	f.Add("e1,t2,300,7,1000,6 900 3 ab,7 950 0 x", uint64(5), int64(100), false, 3, 10)
	f.Add("e,t,9,9,0,9 0 0 d,8 0 0 c,6 0 0 b", uint64(0), int64(0), true, 1, 0)
	f.Fuzz(func(t *testing.T, text string, since uint64, ttl int64, latest bool, limit, bytes int) {
		read, err := parseFound(strings.Split(text, ","))
		if err != nil {
			return
		}
		r, keep := push.Range{Limit: limit, Bytes: bytes}, push.Retention{Size: 10, TTL: time.Duration(ttl)}
		if since > 0 {
			r.Since = push.Position{Epoch: read.mark.epoch, Offset: since}
		}
		if latest {
			keep.Class = push.Latest
		}
		w := newWanted("x", r, keep)
		h := w.tell(read)
		switch {
		case len(h.Messages) > max(limit, 0) || h.Gap != "" && len(h.Messages) > 0:
			t.Fatalf("%d messages with the gap %q", len(h.Messages), h.Gap)
		case len(h.Messages) > 0 && !w.last() && h.Messages[0].Position.Offset != since+1:
			t.Fatalf("since %d it begins with %v", since, h.Messages[0].Position)
		case len(h.Messages) > 0 && w.last() && h.Messages[len(h.Messages)-1].Position != h.Top:
			t.Fatal("the last one is not that of the top")
		}
		for i, m := range h.Messages[min(len(h.Messages), 1):] {
			if m.Position.Offset != h.Messages[i].Position.Offset+1 {
				t.Fatalf("%v comes after %v", m.Position, h.Messages[i].Position)
			}
		}
	})
}

// TestListing adds to a list what has changed since it was made, and nothing that is in it.
func TestListing(t *testing.T) {
	p, version, err := parseListing([]string{"7", "3", "ann", "1 ", "bob", `2 {"n":1}`, "dan", "1 null"}, 3)
	want := map[string]json.RawMessage{"ann": nil, "bob": []byte(`{"n":1}`), "dan": nil}
	if err != nil || version != 7 || p.N != 3 || !reflect.DeepEqual(p.Users, want) {
		t.Fatalf("it is %+v of %d, %v", p, version, err)
	}
	change := func(version uint64, uid string, here bool, n int) message {
		return message{version: version, present: push.PresenceEvent{UID: uid, Here: here, N: n}}
	}
	r := &listing{most: 3, ahead: []message{
		change(6, "bob", false, 9), change(7, "ann", false, 9), change(8, "dan", false, 2), change(9, "eve", true, 3),
	}}
	p = r.with(p, version)
	delete(want, "dan")
	want["eve"] = nil
	if p.N != 3 || p.More || !reflect.DeepEqual(p.Users, want) {
		t.Errorf("with what came it is %+v", p)
	}
	r.ahead = []message{change(10, "fay", true, 4)}
	if p = r.with(p, version); p.N != 4 || !p.More || p.Users != nil {
		t.Errorf("with one more it is %+v", p)
	}
	if p, _, err := parseListing([]string{"7", "4"}, 3); err != nil || p.N != 4 || !p.More {
		t.Errorf("too many are %+v, %v", p, err)
	}
	for _, text := range []string{
		"", "7", "x,1,ann,1 ", "7,-1", "7,1", "7,1,ann", "7,2,ann,1 ,ann,1 ", "7,1,ann,1", "7,1,ann,1 {",
	} {
		if p, _, err := parseListing(strings.Split(text, ","), 3); err == nil {
			t.Errorf("%q is %+v", text, p)
		}
	}
}

// FuzzMember has the seats that are read be those that are written.
func FuzzMember(f *testing.F) {
	f.Add("14:roomann")
	f.Add("00:")
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := parseMember(text)
		if !ok {
			return
		}
		if again, ok := parseMember(s.member()); !ok || again.seat != s.seat || again.events != s.events {
			t.Fatalf("%q is %+v, and then %+v", text, s, again)
		}
	})
}

// FuzzListing tells as many as there are, whatever a server answers.
func FuzzListing(f *testing.F) {
	f.Add(`7,2,ann,1 ,bob,2 {"n":1}`, 3)
	f.Fuzz(func(t *testing.T, text string, most int) {
		p, _, err := parseListing(strings.Split(text, ","), most)
		if err == nil && (p.More != (p.N > most) || !p.More && p.N != len(p.Users)) {
			t.Fatalf("%q is %+v", text, p)
		}
	})
}
