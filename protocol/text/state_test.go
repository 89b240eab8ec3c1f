package text_test

import (
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/text"
)

// TestState has the states of released versions: rows are added, and none is changed.
func TestState(t *testing.T) {
	strict := text.Protocol{RefuseHTTP: true, WantObject: true}
	linemantest.TestState(t, text.Protocol{},
		linemantest.StateVector{Name: "between two lines", Before: "one\n", After: "two\n", Messages: []string{"two"}},
		linemantest.StateVector{Name: "half a line", Before: "one\ntw", After: "o\n", Messages: []string{"two"}},
		linemantest.StateVector{Name: "half a refused line", Max: 3, Before: "four", State: "\x01",
			After: "four\ntwo\n", Messages: []string{"two"}})
	linemantest.TestState(t, strict,
		linemantest.StateVector{Name: "nothing yet", State: "\x06", After: "{}\ntwo\n",
			Messages: []string{"{}", "two"}},
		linemantest.StateVector{Name: "half a method", Before: "PUT", State: "\x06"},
		linemantest.StateVector{Name: "white space", Before: " ", State: "\x04", After: "{}\n",
			Messages: []string{" {}"}},
		linemantest.StateVector{Name: "half an object", Before: "{", State: "\x08", After: "}\n",
			Messages: []string{"{}"}},
		linemantest.StateVector{Name: "no object", Before: "!", State: "\x0c", After: "}\n{}\n"},
		linemantest.StateVector{Name: "the second line", Before: "{}\ntw", After: "o\n", Messages: []string{"two"}})
}

func TestStateRefused(t *testing.T) {
	for _, state := range []string{"\x00\x00", "\x10", "\xff", "\x01\x01"} {
		if err := (text.Protocol{}).NewCodec(9).(protocol.Movable).RestoreState([]byte(state)); err == nil {
			t.Errorf("%q is a state", state)
		}
	}
}

func FuzzState(f *testing.F) {
	strict := text.Protocol{RefuseHTTP: true, WantObject: true}
	linemantest.FuzzState(f, strict, "{\"a\": 1}\r\ntwo\n", "GET / HTTP/1.1\n")
}
