package push_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// TestPresenceInfo tells what the token or the session says of a uid, which of both is there, and what was said last.
func TestPresenceInfo(t *testing.T) {
	h := newHall(t, rooms())
	_, told := h.comes("eve", "room:1")
	m, _ := h.comes("ann")
	set := func(m *member, info string) {
		t.Helper()
		if err := m.SetInfo(json.RawMessage(info)); err != nil {
			t.Error(err)
		}
	}
	session := func(m *member, data string) {
		t.Helper()
		q := push.Question{Verb: push.SetSession, To: []push.Target{m.Target()}, Data: json.RawMessage(data)}
		if err := h.Ask(q, func(_ push.Answer, err error) {
			if err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Error(err)
		}
	}
	set(m, ` { "name" : "Ann" } `)
	if err := m.Subscribe("room:1"); err != nil {
		t.Fatal(err)
	}
	other, _ := h.comes("ann", "room:1") // has nothing to say
	h.got(told, "room:1 +eve 1", `room:1 +ann{"name":"Ann"} 2`)
	session(m, `{"cart":[1],"info": "away"}`)
	session(m, `{"cart":[2],"info":"away"}`)
	h.got(told, `room:1 +ann"away" 2`)
	set(m, `"hidden by the session"`)
	session(m, `{"Info":1}`)
	h.got(told, `room:1 +ann"hidden by the session" 2`)
	session(other, `{"info":7}`)
	session(other, `{"info":"`+strings.Repeat("x", push.MaxInfo)+`"}`) // too long
	h.got(told, "room:1 +ann7 2", "room:1 +ann 2")
	set(m, "null")
	h.got(told) // nothing is known already
	set(other, "1")
	h.Remove(other)
	h.got(told, "room:1 +ann1 2")
	h.is("room:1", "2 ann1 eve")
	for _, wrong := range []string{`{`, `"` + strings.Repeat("x", push.MaxInfo-1) + `"`} {
		if m.SetInfo(json.RawMessage(wrong)) == nil {
			t.Errorf("%.20s is taken", wrong)
		}
	}
	h.Remove(m)
	set(m, "1")
}

// TestPresenceLarge tells only how many there are beyond a bound, once, and goes on when they are less.
func TestPresenceLarge(t *testing.T) {
	h := newHall(t, rooms())
	_, told := h.comes("u1", "room:1")
	var last *member
	for i := range 5 {
		last, _ = h.comes(fmt.Sprint("u", i+2), "room:1")
	}
	h.got(told, "room:1 +u1 1", "room:1 +u2 2", "room:1 +u3 3", "room:1 is 4 more")
	h.is("room:1", "6 more")
	for range 3 {
		h.Remove(last)
		h.elapse()
		last = h.Member(last.Conn().id - 1)
	}
	h.got(told, "room:1 -u4 3")
	h.is("room:1", "3 u1 u2 u3")

	info := json.RawMessage(`"` + strings.Repeat("x", 1000) + `"`)
	for i := range 1000 {
		m, _ := h.comes(fmt.Sprint("u", i), "hall:1")
		if err := m.SetInfo(info); err != nil {
			t.Fatal(err)
		}
		if i == 10 {
			last = m
		}
	}
	h.is("hall:1", "1000 more") // a megabyte
	if n := numbers(t, h.hub, "hall:1", "room:1", "room:nobody"); n != "[1000 3 0]" {
		t.Errorf("the counts are %s", n)
	}
}

// numbers writes down how many are in some channels.
func numbers(t *testing.T, h *hub, in ...push.Target) (text string) {
	t.Helper()
	if err := h.CountPresent(in, func(n []int, err error) { text = fmt.Sprint(n) }); err != nil {
		t.Error(err)
	}
	return text
}
