package push_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// TestSubscribeAs has connections be others in a channel than they are: each uid once, with its info. Nobody's
// connection is somebody there, and what is for that uid does not reach it.
func TestSubscribeAs(t *testing.T) {
	h := newHall(t, rooms())
	nobody, c := h.comes("")
	ann, _ := h.comes("ann")
	be := func(m *member, uid, info string) {
		t.Helper()
		if err := m.SubscribeAs("room:1", uid, json.RawMessage(info)); err != nil {
			t.Fatal(err)
		}
		if got := m.UIDIn("room:1"); got != uid {
			t.Errorf("it is %q in the channel, want %q", got, uid)
		}
	}
	be(nobody, "bob", `{ "n": 1 }`)
	be(ann, "eve", `2`)
	h.is("room:1", `2 bob{"n":1} eve2`)
	h.got(c, `room:1 +bob{"n":1} 1`, "room:1 +eve2 2")
	if ann.UID() != "ann" || ann.UIDIn("room:2") != "" || ann.UIDIn("u:ann") != "" {
		t.Error("it is another one elsewhere, too")
	}
	if err := ann.SetInfo(json.RawMessage("3")); err != nil {
		t.Error(err)
	}
	h.is("room:1", `2 bob{"n":1} eve2`)
	if n := publish(t, h.hub, message{To: []push.Target{"u:bob"}, Data: []byte("x")}); n != 0 {
		t.Errorf("%d have got what is for a uid in a channel", n)
	}

	be(nobody, "eve", "4")
	h.elapse()
	h.is("room:1", "1 eve4")
	h.Remove(ann)
	h.elapse()
	h.is("room:1", "1 eve4")
	nobody.Unsubscribe("room:1")
	if err := nobody.Subscribe("room:1"); err != nil || nobody.UIDIn("room:1") != "" {
		t.Errorf("%v: it is %q when it has come again", err, nobody.UIDIn("room:1"))
	}
	h.elapse()
	h.is("room:1", "0")
}

// TestSubscribeAsWrong has what cannot be change nothing.
func TestSubscribeAsWrong(t *testing.T) {
	h := newHall(t, rooms())
	m, _ := h.comes("ann")
	for uid, info := range map[string]string{
		"": "1", "b\nb": "1", "bob": "{", "eve": `"` + strings.Repeat("x", push.MaxInfo) + `"`,
	} {
		if err := m.SubscribeAs("room:1", uid, json.RawMessage(info)); err == nil || m.IsIn("room:1") {
			t.Errorf("%q, %.9s: %v", uid, info, err)
		}
	}
	if err := m.SubscribeAs("news", "bob", nil); err != nil || m.UIDIn("news") != "ann" {
		t.Errorf("%v: it is %q where there is no presence", err, m.UIDIn("news"))
	}
	h.Remove(m)
	if err := m.SubscribeAs("room:1", "bob", nil); !errors.Is(err, push.ErrRemoved) || m.UIDIn("room:1") != "" {
		t.Error(err)
	}
}
