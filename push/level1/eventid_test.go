package level1_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

func TestEventID(t *testing.T) {
	for text, want := range map[string][]level1.Place{
		"":               nil,
		"chat:42=k3f9.z": {{Target: "chat:42", Position: at(35)}},
		"u:7=k3f9.1;a%3B%3D%25%20%2F%C3%A9=k3f9.0;A-z_0.~=k3f9.2": {
			{Target: "u:7", Position: at(1)}, {Target: "a;=% /é", Position: at(0)},
			{Target: "A-z_0.~", Position: at(2)},
		},
	} {
		got, err := level1.ParseEventID(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if got := string(level1.AppendEventID([]byte("before"), want)); got != "before"+text {
			t.Errorf("%v: %q, want %q", want, got, text)
		}
	}
	live := []level1.Place{{Target: "a"}, {Target: "b", Position: at(1)}, {Target: "c"}, {Target: "d", Position: at(2)}}
	if got := string(level1.AppendEventID(nil, live)); got != "b=k3f9.1;d=k3f9.2" {
		t.Errorf("with some that have no position: %q", got)
	}
	for _, text := range []string{
		";", "a", "a=", "=k3f9.1", "a=k3f9.1;", "a=x", "a%=k3f9.1", "a%zz=k3f9.1", "*=k3f9.1", "c:n.1=k3f9.1",
		"%0A=k3f9.1", "%FF=k3f9.1", strings.Repeat("a=k3f9.1;", push.MaxTargets) + "a=k3f9.1",
	} {
		if got, err := level1.ParseEventID(text); !errors.Is(err, level1.ErrEventID) || got != nil {
			t.Errorf("%.40q: %v, %v, want ErrEventID", text, got, err)
		}
	}
}

func TestAppendEventIDAllocates(t *testing.T) {
	places := []level1.Place{{Target: "chat:42", Position: at(35)}, {Target: "é", Position: at(1)}}
	room := make([]byte, 0, 256)
	linemantest.NoAllocations(t, func() { room = level1.AppendEventID(room[:0], places) })
}

// FuzzEventID has what a browser hands back be understood, or refused; and what was understood is one line of ASCII
// when it is written anew.
func FuzzEventID(f *testing.F) {
	f.Add("u:7=k3f9.1;a%3B%3D%25%20%2F%C3%A9=k3f9.0")
	f.Add("a=b.c;;=")
	f.Fuzz(func(t *testing.T, text string) {
		places, err := level1.ParseEventID(text)
		if err != nil {
			return
		}
		wire := string(level1.AppendEventID(nil, places))
		for _, c := range wire {
			if c <= ' ' || c >= 0x7f {
				t.Fatalf("%q: %q has %q", text, wire, c)
			}
		}
		if again, err := level1.ParseEventID(wire); err != nil || !reflect.DeepEqual(again, places) {
			t.Errorf("%q: %q, and again %v, %v", text, wire, again, err)
		}
	})
}
