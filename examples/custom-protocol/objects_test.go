package main

import (
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
)

func TestObjects(t *testing.T) {
	linemantest.TestCodec(t, Objects{},
		linemantest.Vector{Name: "nothing", Wire: ""},
		linemantest.Vector{Name: "empty", Wire: "{}", Messages: []string{"{}"}},
		linemantest.Vector{Name: "nested", Wire: `{"a":{"b":[{}]}}`, Messages: []string{`{"a":{"b":[{}]}}`}},
		linemantest.Vector{Name: "two with space", Wire: " \r\n{\"a\":1}\n\t{} ", Messages: []string{`{"a":1}`, "{}"}},
		linemantest.Vector{Name: "braces in a string", Wire: `{"a":"}{"}`, Messages: []string{`{"a":"}{"}`}},
		linemantest.Vector{Name: "an escaped quote", Wire: `{"a":"\"}"}`, Messages: []string{`{"a":"\"}"}`}},
		linemantest.Vector{Name: "half", Wire: `{"a":`},
		linemantest.Vector{Name: "at the limit", Max: 4, Wire: "{  }", Messages: []string{"{  }"}},
		linemantest.Vector{Name: "above the limit", Max: 4, Wire: "{   }", Err: protocol.ErrTooLarge},
		linemantest.Vector{Name: "no object", Wire: "{}[]", Messages: []string{"{}"}, Err: errNoObject},
	)
}

func FuzzObjects(f *testing.F) {
	linemantest.FuzzCodec(f, Objects{}, `{"a":"}\""} {}`, "[]", `{{{{`)
}
