package push_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// timers are functions that run when a test says so.
type timers []func()

func (l *timers) after(_ time.Duration, f func()) { *l = append(*l, f) }

func (l *timers) run() {
	for _, f := range *l {
		f()
	}
	*l = nil
}

// returning is a Hub without a Broker, just after its start.
func returning(t *testing.T) (*hub, *timers) {
	t.Helper()
	o, l := options(), &timers{}
	o.After, o.Reconnect = l.after, time.Hour
	return newHub(t, o), l
}

// outcomeOf publishes something, and gives what becomes of it; nil while that is open.
func outcomeOf(t *testing.T, h *hub, data string, wait time.Duration, to ...push.Target) **push.Outcome {
	t.Helper()
	var got *push.Outcome
	m := message{To: to, Data: []byte(data), Wait: wait}
	if err := h.Publish(m, func(o push.Outcome) {
		if got != nil {
			t.Errorf("%s is done twice", data)
		}
		got = &o
	}); err != nil {
		t.Fatal(err)
	}
	return &got
}

// TestReplay has connections that come back get what was published for them meanwhile: each once, in order, whatever
// names it.
func TestReplay(t *testing.T) {
	h, l := returning(t)
	there, c := add(t, h, 1, "there")
	if err := there.Join("room"); err != nil {
		t.Fatal(err)
	}
	both := outcomeOf(t, h, "1", time.Second, "g:room", "u:back")
	own := outcomeOf(t, h, "2", time.Second, "u:back")
	plain := outcomeOf(t, h, "3", 0, "u:back")
	all := outcomeOf(t, h, "4", time.Second, "*")
	channel := outcomeOf(t, h, "5", time.Second, "news")
	nobody := outcomeOf(t, h, "6", time.Second, "u:nobody")
	if *both == nil || (*both).Reached != 1 || *all == nil || *plain == nil || (*plain).Reached != 0 || *own != nil ||
		*channel != nil || *nobody != nil {
		t.Errorf("at once: %v %v %v %v %v", *both, *own, *plain, *all, *nobody)
	}
	back, d := add(t, h, 2, "back")
	for _, err := range []error{back.Join("room"), back.Subscribe("news")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	h.Replay(back)
	outcomeOf(t, h, "7", 0, "*")
	if got := d.take(); !slices.Equal(got, []string{"1", "2", "4", "5", "7"}) {
		t.Errorf("who came back got %q", got)
	}
	if got := c.take(); !slices.Equal(got, []string{"1", "4", "7"}) {
		t.Errorf("who was there got %q", got)
	}
	if *own == nil || (*own).Reached != 1 || *channel == nil || (*channel).Reached != 1 {
		t.Errorf("what who came back got: %v %v", *own, *channel)
	}
	l.run()
	if *nobody == nil || (*nobody).Reached != 0 || (*nobody).Err != nil {
		t.Errorf("what nobody came for: %v", *nobody)
	}
	late, e := add(t, h, 3, "back")
	h.Replay(late)
	if got := e.take(); got != nil {
		t.Errorf("who came too late got %q", got)
	}
}

// TestReplayBounds keeps so much, and no more: what is beyond is published, and not kept.
func TestReplayBounds(t *testing.T) {
	h, l := returning(t)
	const most = 10_000
	for i := range most {
		if o := outcomeOf(t, h, fmt.Sprint(i), time.Second, "u:back"); *o != nil {
			t.Fatalf("%d is not kept", i)
		}
	}
	if o := outcomeOf(t, h, "more", time.Second, "u:back"); *o == nil || (*o).Err != nil {
		t.Errorf("one more: %v", *o)
	}
	back, c := add(t, h, 1, "back")
	h.Replay(back)
	if got := c.take(); len(got) != most || got[most-1] != fmt.Sprint(most-1) {
		t.Errorf("who came back got %d", len(got))
	}
	l.run()
	large := make([]byte, 64<<10)
	for i := range 256 {
		if o := outcomeOf(t, h, string(large), time.Second, "u:other"); *o != nil {
			t.Fatalf("%d is not kept", i)
		}
	}
	if o := outcomeOf(t, h, "more", time.Second, "u:other"); *o == nil {
		t.Error("more than 16 MiB are kept")
	}
}

// TestReplayLeaving sends what nobody has got to the successor, and what comes then.
func TestReplayLeaving(t *testing.T) {
	h, l := returning(t)
	_, c := add(t, h, 1, "there")
	kept := outcomeOf(t, h, "kept", time.Second, "u:back")
	had := outcomeOf(t, h, "had", time.Second, "u:there")
	h.Leaving()
	later := outcomeOf(t, h, "later", time.Second, "u:there")
	for _, o := range []*push.Outcome{*kept, *later} {
		if o == nil || !errors.Is(o.Err, push.ErrClosed) || o.Reached != 0 {
			t.Errorf("it became %v", o)
		}
	}
	if *had == nil || (*had).Reached != 1 {
		t.Errorf("what was got: %v", *had)
	}
	l.run()
	if o := outcomeOf(t, h, "plain", 0, "u:there"); *o == nil || (*o).Reached != 1 {
		t.Errorf("without waiting: %v", *o)
	}
	if got := c.take(); !slices.Equal(got, []string{"had", "plain"}) {
		t.Errorf("who is there got %q", got)
	}
}

// TestReplayOver keeps nothing where connections have had time, or there is no hurry.
func TestReplayOver(t *testing.T) {
	o, l := options(), &timers{}
	o.After = l.after
	h := newHub(t, o)
	if o := outcomeOf(t, h, "x", time.Second, "u:back"); *o == nil || (*o).Err != nil {
		t.Errorf("it became %v", *o)
	}
}
