package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestLineOf makes a line of a command line, with the target in it, and refuses what would be another one.
func TestLineOf(t *testing.T) {
	for _, c := range []struct {
		args  []string
		line  string
		error string
	}{
		{[]string{"uid", "uid1", `{"percent":"88%"}`}, `{"uid":"uid1","percent":"88%"}`, ""},
		{[]string{"uid", `a"b`, `{}`}, `{"uid":"a\"b"}`, ""},
		{[]string{"uid", "7", " {\n \"a\": 1\n} "}, `{"uid":"7",  "a": 1 }`, ""},
		{[]string{"all", `{"a":[1,{"uid":2}]}`}, `{"all":true,"a":[1,{"uid":2}]}`, ""},
		{[]string{"all", `{"uid":"x"}`}, "", `has a "uid" or an "all" already`},
		{[]string{"uid", "x", `{"all":true}`}, "", "already"},
		{[]string{"uid", "x", `[1]`}, "", "is no JSON object"},
		{[]string{"uid", "x", `null`}, "", "is no JSON object"},
		{[]string{"uid", "x", `{}{}`}, "", "is no JSON object"},
		{[]string{"uid", "x"}, "", "want: push uid UID JSON"},
		{[]string{"all", "x", "{}"}, "", "want"},
		{nil, "", "want"},
	} {
		line, err := lineOf(c.args)
		if c.error != "" {
			if err == nil || !strings.Contains(err.Error(), c.error) {
				t.Errorf("%q: %q, %v, want %s", c.args, line, err, c.error)
			}
			continue
		}
		if err != nil || line != c.line || !json.Valid([]byte(line)) || strings.Contains(line, "\n") {
			t.Errorf("%q: %q, %v, want %q", c.args, line, err, c.line)
		}
	}
}
