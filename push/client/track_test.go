package client_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/client"
)

// TestTrackBegun has a client see for itself what a server leaves out, whatever that says.
func TestTrackBegun(t *testing.T) {
	other := push.Position{Epoch: "other", Offset: 9}
	for _, tt := range []struct {
		name   string
		since  push.Since
		top    push.Position
		n      int
		gap    push.Gap
		want   push.Gap
		wantAt push.Position
	}{
		{name: "from now on", top: at(9), wantAt: at(9)},
		{name: "no history", wantAt: push.Position{}},
		{name: "the last ones", since: push.Since{Last: 3}, top: at(9), n: 3, wantAt: at(6)},
		{name: "fewer than wanted", since: push.Since{Last: 3}, top: at(2), n: 2, wantAt: at(0)},
		{name: "nothing missed", since: push.Since{Position: at(9)}, top: at(9), wantAt: at(9)},
		{name: "all missed", since: push.Since{Position: at(6)}, top: at(9), n: 3, wantAt: at(6)},
		{name: "more than missed", since: push.Since{Position: at(6)}, top: at(9), n: 5, wantAt: at(6)},
		{name: "the latest alone", since: push.Since{Position: at(3)}, top: at(9), n: 1, wantAt: at(8)},
		{name: "a gap", since: push.Since{Position: at(3)}, top: at(9), gap: push.GapLimit,
			want: push.GapLimit, wantAt: at(9)},
		{name: "off", since: push.Since{Position: at(3)}, gap: push.GapOff, want: push.GapOff},
		{name: "silently off", since: push.Since{Position: at(3)}, want: push.GapOff},
		{name: "a silent gap", since: push.Since{Position: at(3)}, top: at(9), want: client.GapJump, wantAt: at(9)},
		{name: "some left out", since: push.Since{Position: at(3)}, top: at(9), n: 2,
			want: client.GapJump, wantAt: at(9)},
		{name: "back in time", since: push.Since{Position: at(10)}, top: at(9), want: push.GapAhead, wantAt: at(9)},
		{name: "another epoch", since: push.Since{Position: at(3)}, top: other, want: push.GapEpoch, wantAt: other},
		{name: "more than there are", top: at(2), n: 3, want: client.GapJump, wantAt: at(2)},
	} {
		k := client.NewTrack(tt.since)
		if k.Since() != tt.since {
			t.Errorf("%s: begins since %v", tt.name, k.Since())
		}
		gap, place := k.Begun(tt.top, tt.n, tt.gap)
		if gap != tt.want || gap == "" && place != tt.wantAt {
			t.Errorf("%s: gap %q at %v, want %q at %v", tt.name, gap, place, tt.want, tt.wantAt)
		}
		if gap == "" {
			for i := range tt.n { // all of these are taken, but for what has come before
				p := push.Position{Epoch: tt.top.Epoch, Offset: tt.top.Offset - uint64(tt.n-1-i)}
				if fresh, missed := k.Next(p); missed != "" || fresh != (p.Offset > tt.wantAt.Offset) {
					t.Errorf("%s: %v: %v, %q", tt.name, p, fresh, missed)
				}
			}
		}
		if tt.top != (push.Position{}) && k.Since().Position != tt.top {
			t.Errorf("%s: goes on since %v, want %v", tt.name, k.Since(), tt.top)
		}
	}
}

// TestTrackWithout has a target without history be told of a gap with each connection but the first.
func TestTrackWithout(t *testing.T) {
	k := client.NewTrack(push.Since{Last: 3})
	for i, want := range []push.Gap{"", push.GapOff, push.GapOff} {
		if gap, _ := k.Begun(push.Position{}, 0, ""); gap != want {
			t.Errorf("connection %d: gap %q, want %q", i, gap, want)
		}
		if fresh, missed := k.Next(push.Position{}); !fresh || missed != "" {
			t.Errorf("a message: %v, %q", fresh, missed)
		}
		if k.Since() != (push.Since{}) {
			t.Errorf("goes on since %v", k.Since())
		}
	}
	if gap, _ := k.Begun(at(4), 0, ""); gap != push.GapOff {
		t.Errorf("history from now on: gap %q", gap)
	}
	if gap, _ := k.Begun(at(5), 1, ""); gap != "" {
		t.Errorf("history: gap %q", gap)
	}
}

func TestTrackNext(t *testing.T) {
	k := client.NewTrack(push.Since{})
	k.Begun(at(4), 0, "")
	for _, tt := range []struct {
		at    push.Position
		fresh bool
		gap   push.Gap
	}{
		{at(5), true, ""}, {at(5), false, ""}, {at(4), false, ""}, {at(6), true, ""}, {at(8), true, client.GapJump},
		{at(9), true, ""}, {push.Position{}, true, ""}, {push.Position{Epoch: "f", Offset: 1}, true, push.GapEpoch},
		{push.Position{Epoch: "f", Offset: 2}, true, ""},
	} {
		if fresh, gap := k.Next(tt.at); fresh != tt.fresh || gap != tt.gap {
			t.Errorf("%v: %v, %q, want %v, %q", tt.at, fresh, gap, tt.fresh, tt.gap)
		}
	}
}

// TestBackoff has waits grow, up to half a minute, and begin anew after a connection that was steady.
func TestBackoff(t *testing.T) {
	lasted := []time.Duration{0, 0, 0, 0, 0, 0, 0, time.Minute, 0}
	most := []time.Duration{1, 2, 4, 8, 16, 30, 30, 1, 2}
	longest := make([]time.Duration, len(most))
	for range 200 {
		for i, wait := range client.Waits(errors.New("cut"), lasted...) {
			longest[i] = max(longest[i], wait)
			if wait < 0 || wait >= most[i]*time.Second {
				t.Fatalf("wait %d is %v", i, wait)
			}
		}
	}
	for i, wait := range longest {
		if wait < most[i]*time.Second*8/10 {
			t.Errorf("wait %d was never longer than %v", i, wait)
		}
	}
	if w := client.Waits(&client.EndError{Code: 4200}, 0, time.Minute); w[0] != 0 || w[1] != 0 {
		t.Errorf("after 4200: %v", w)
	}
	again := time.Duration(0)
	for range 50 {
		again = max(again, client.Waits(&client.EndError{Code: 4200}, 0, 0)[1])
	}
	if again == 0 {
		t.Error("after 4200 again and again the client comes at once")
	}
	if w := client.Waits(&client.EndError{Code: 4101, Retry: 7 * time.Second}, 0, 0); w[0] != 7*time.Second ||
		w[1] != 7*time.Second {
		t.Errorf("with a retry: %v", w)
	}
}
