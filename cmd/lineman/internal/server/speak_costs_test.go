package server

import (
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
	"github.com/lineman-go/lineman/push/level1"
)

// sink takes all events.
type sink struct{ n uint64 }

func (k *sink) Send([]byte) bool {
	k.n++
	return true
}

// TestSpeakingCosts bounds the allocations of what pages say often, without an answer.
func TestSpeakingCosts(t *testing.T) {
	if linemantest.Raced() {
		t.Skip("the race detector allocates")
	}
	s := &Server{who: anybody{}}
	s.config = config.Default()
	s.config.Namespaces["chat"] = config.Namespace{Publish: "all"}
	if err := s.openApps(); err != nil {
		t.Fatal(err)
	}
	s.speaking.begin()
	s.hearing.dispatcher = events.New(events.Options{
		Do: func(f func()) bool { return true }, After: func(time.Duration, func()) {},
	})
	k := &sink{}
	l, err := s.hearing.dispatcher.Listen(events.Listen{
		Group: "chat", Events: []events.Kind{events.Message}, Window: events.MaxWindow, Sink: k,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.hub, err = push.New(push.Options[*lineman.Conn]{
		Fanout: func(iter.Seq[*lineman.Conn], []byte, *push.Forms) int { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &lineman.Conn{}
	m, err := s.hub.Add(c, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Subscribe("chat:7"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		most float64
		f    func()
	}{
		{"say", 2, func() { // the line, and where it waits
			s.sayToBackEnd(c, &level1.Request{Op: level1.OpSay, Data: []byte(`{"text":"hello"}`)})
			_ = l.Ack(k.n)
		}},
		{"pub", 3, func() { // the request, who is told of the outcome, and a target
			s.publish(c, &level1.Request{Op: level1.OpPub, Channel: "chat:7", Data: []byte(`{"text":"hello"}`)})
		}},
	} {
		if n := testing.AllocsPerRun(500, test.f); n > test.most {
			t.Errorf("%s: %v allocations, want %v", test.name, n, test.most)
		}
	}
	if k.n == 0 || s.hub.Stats().Published == 0 {
		t.Error("nothing was said")
	}
}

// TestDecidedInOrder has what a page publishes stay in order, in whichever order a hook decides it.
func TestDecidedInOrder(t *testing.T) {
	var got []string
	s := &Server{}
	var err error
	s.hub, err = push.New(push.Options[*lineman.Conn]{
		Fanout: func(_ iter.Seq[*lineman.Conn], msg []byte, _ *push.Forms) int {
			got = append(got, string(msg))
			return 0
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, up := &lineman.Conn{}, &upstream{unanswered: 4}
	if _, err := s.hub.Add(c, "ann"); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"1", "2", "3", "4"} {
		up.deciding = append(up.deciding, &publication{
			Request: level1.Request{Op: level1.OpPub, Channel: "chat:7", Data: []byte(data)},
			number:  up.published.expect(),
		})
	}
	all := up.deciding
	for _, step := range []struct {
		settled int
		want    []string
	}{{1, nil}, {0, []string{"1", "2"}}, {3, []string{"1", "2"}}, {2, []string{"1", "2", "4"}}} {
		all[step.settled].settled, all[step.settled].skip = true, step.settled == 2
		s.publishDecided(c, up)
		if !slices.Equal(got, step.want) {
			t.Errorf("when number %d was decided: %q, want %q", step.settled+1, got, step.want)
		}
	}
	if up.unanswered != 0 || len(up.deciding) != 0 {
		t.Errorf("%d are unanswered, %d undecided", up.unanswered, len(up.deciding))
	}
}
