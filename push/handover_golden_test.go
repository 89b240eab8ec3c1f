package push_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
)

// goldenStates are those of the broker, a Hub and a connection, by the names of their files, as this version writes
// them.
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
	if err == nil {
		err = m.SubscribeAs("plain:1", "bob", json.RawMessage(`{"n":2}`))
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
	return map[string][]byte{"broker": x.broker[0], "hub": x.hubs[0], "member": x.members[0].is}
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

// golden is a state as a version has written it.
func golden(t testing.TB, name string, version byte) []byte {
	state, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("%s.%d.state", name, version)))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// TestGolden has what each version has written be read for ever, and what a later one writes be refused, as it may have
// what would be lost. A version that writes more has another number, and files of its own.
func TestGolden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := goldenStates(t)
		current := states["hub"][0]
		for name, got := range states {
			if want := golden(t, name, current); !bytes.Equal(got, want) {
				t.Errorf("version %d of %s is %q, want %q: what is written otherwise is another version", current, name,
					got, want)
			}
		}
		for version := byte(1); version <= current; version++ {
			h := newAside(t)
			x := handover{t: t, hubs: [][]byte{golden(t, "hub", version)}}
			x.broker = [][]byte{golden(t, "broker", version)}
			x.members = []memberState{{0, &conn{id: 7}, golden(t, "member", version)}}
			x.restore([]*hub{h.hub})
			h.Restored()
			m := h.Member(7)
			if m.Target() != "c:node.7" || !m.IsIn("chat:1") || !m.IsIn("g:all") || len(h.read(t)) != 1 ||
				m.IsIn("plain:1") != (version > 1) {
				t.Errorf("it is not as version %d had it: %s, %v", version, m.Target(), m.Channels())
			}
		}
		for name, state := range states {
			newer := append([]byte{current + 1}, state[1:]...)
			for _, later := range [][]byte{newer, fields.Uint(slices.Clone(state), 100, 1)} {
				if err := newAside(t).restoreAny(name, later); !errors.Is(err, fields.ErrNewer) {
					t.Errorf("what a later version says of %s: %v", name, err)
				}
			}
		}
	})
}

// restoreAny reads one of the golden states.
func (a *aside) restoreAny(name string, state []byte) (err error) {
	switch name {
	case "broker":
		err = a.RestoreBrokerState(state)
	case "hub":
		err = a.RestoreState(state)
	case "member":
		_, err = a.RestoreMember(&conn{id: 7}, state)
	}
	return err
}

// FuzzRestore has no state make a Hub panic.
func FuzzRestore(f *testing.F) {
	var seeds [3][]byte
	for i, name := range []string{"broker", "hub", "member"} {
		seeds[i] = golden(f, name, 2)
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
