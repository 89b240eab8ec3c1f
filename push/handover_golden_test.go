package push_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/push"
)

// goldenStates are those of the broker, a Hub and a connection, by the names of their files.
func goldenStates(t *testing.T) map[string][]byte {
	h := newAside(t)
	setNode(t, h)
	c := &conn{id: 7}
	m, err := h.AddFollower(c, "ann")
	for _, name := range []string{"chat:1", "room:1"} {
		if err == nil {
			err = m.Subscribe(name)
		}
	}
	if err == nil {
		err = m.SetInfo(json.RawMessage(`{"n":1}`))
	}
	if err == nil {
		err = m.Join("all")
	}
	if err != nil {
		t.Fatal(err)
	}
	m.SetValue(json.RawMessage(`{"a":1}`))
	h.Roll(push.RollUIDs, true)
	if err := h.Publish(message{To: []push.Target{"chat:1", "u:ann"}, Data: []byte("hello"), Wait: 30 * time.Second},
		nil); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	x := save(t, []*hub{h.hub}, everybody)
	return map[string][]byte{"broker.state": x.broker[0], "hub.state": x.hubs[0], "member.state": x.members[0].is}
}

// setNode gives a Hub a name that is not of chance, and a history that is not.
func setNode(t *testing.T, h *aside) {
	if err := h.RestoreBrokerState([]byte("\x01" + "\x01\x05" + "\x01\x03abc")); err != nil {
		t.Fatal(err)
	}
	if err := h.RestoreState([]byte("\x01" + "\x01\x04node")); err != nil {
		t.Fatal(err)
	}
	h.Restored()
}

// TestGolden has version 1 be read for ever.
func TestGolden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := make(map[string][]byte)
		for name, got := range goldenStates(t) {
			want, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			if read[name] = want; !bytes.Equal(got, want) {
				t.Errorf("%s is %q, want %q: fields may come, none may change: write the file", name, got, want)
			}
		}
		h := newAside(t)
		x := handover{t: t, broker: [][]byte{read["broker.state"]}, hubs: [][]byte{read["hub.state"]}}
		x.members = []memberState{{0, &conn{id: 7}, read["member.state"]}}
		x.restore([]*hub{h.hub})
		h.Restored()
		if m := h.Member(7); m.Target() != "c:node.7" || !m.IsIn("chat:1") || !m.IsIn("g:all") || len(h.read(t)) != 1 {
			t.Errorf("it is not as it was: %s, %v, %v", m.Target(), m.Channels(), h.read(t))
		}
		newer := append([]byte{2}, read["hub.state"][1:]...)
		if err := newAside(t).RestoreState(newer); err == nil {
			t.Error("a newer version is read")
		}
	})
}

// FuzzRestore has no state make a Hub panic.
func FuzzRestore(f *testing.F) {
	var seeds [3][]byte
	for i, name := range []string{"broker.state", "hub.state", "member.state"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		seeds[i] = text
	}
	f.Add(seeds[0], seeds[1], seeds[2])
	f.Fuzz(func(t *testing.T, broker, state, is []byte) {
		synctest.Test(t, func(t *testing.T) {
			h := newAside(t)
			if h.RestoreBrokerState(broker) != nil || h.RestoreState(state) != nil {
				return
			}
			m, err := h.RestoreMember(&conn{id: 7}, is)
			h.Restored()
			for _, of := range []push.Target{"chat:1", "u:ann"} {
				_ = h.Publish(message{To: []push.Target{of}, Data: []byte("x")}, nil) // it must not panic
			}
			h.read(t)
			if err == nil {
				h.Remove(m)
			}
			h.pass(time.Hour)
			if _, err := h.AppendState(nil); err != nil {
				t.Error(err)
			}
		})
	})
}
