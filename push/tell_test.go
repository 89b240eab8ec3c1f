package push_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// TestInquire has the program of a node ask those of all nodes something, the own one too.
func TestInquire(t *testing.T) {
	overBrokers(t, func(t *testing.T, o push.Options[*conn], cut, _ func()) {
		silent := sites(t, 1, o)[0] // its program has nothing to say
		o.Inquired = func(what json.RawMessage) json.RawMessage { return append([]byte("1"), what...) }
		first, second := sites(t, 1, o)[0], sites(t, 1, o)[0]
		for _, s := range []*site{silent, second} { // comes behind their subscriptions
			if _, err := s.ask(push.Question{Verb: push.ListNodes}); err != nil {
				t.Fatal(err)
			}
		}
		said := map[string]json.RawMessage{}
		inquire := func() error {
			answered := make(chan error, 1)
			first.loop.Await(func() {
				first.hub.Inquire(json.RawMessage(`23`), func(all map[string]json.RawMessage, err error) {
					said = all
					answered <- err
				})
			})
			return first.wait(answered)
		}
		if err := inquire(); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*site{first, second} {
			var id string
			s.loop.Await(func() { id = s.hub.ID() })
			if string(said[id]) != "123" {
				t.Errorf("%s says %s", id, said[id])
			}
		}
		if len(said) != 2 {
			t.Errorf("%d have something to say, want 2", len(said))
		}
		if cut == nil {
			return
		}
		cut()
		if err := inquire(); !errors.Is(err, push.ErrUnlinked) && !errors.Is(err, push.ErrUnanswered) {
			t.Errorf("while the link is down: %v", err)
		}
	})
}

// TestInquireAlone has the program of a node that is alone ask itself.
func TestInquireAlone(t *testing.T) {
	o := options()
	o.Inquired = func(what json.RawMessage) json.RawMessage { return append([]byte("1"), what...) }
	h, asked := newHub(t, o), false
	h.Inquire(json.RawMessage(`23`), func(said map[string]json.RawMessage, err error) {
		if asked = true; err != nil || len(said) != 1 || string(said[h.ID()]) != "123" {
			t.Errorf("it says %s, %v", said, err)
		}
	})
	if !asked {
		t.Error("it is not asked")
	}
}
