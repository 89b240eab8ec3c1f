package jsontext_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/internal/jsontext"
)

func TestCheck(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for text, want := range map[string]string{
		`{"a":1}`:                   "",
		` [1, "a"] `:                "",
		`null`:                      "",
		deep(jsontext.MaxDepth):     "",
		deep(jsontext.MaxDepth + 1): "nested deeper than 64",
		``:                          "not JSON",
		`{"a":1`:                    "not JSON",
		`{} {}`:                     "not JSON",
		"\"\xff\"":                  "not UTF-8",
	} {
		got := ""
		if err := jsontext.Check([]byte(text)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%.40q: %q, want %q", text, got, want)
		}
	}
}

// FuzzWalk compares what is found in a text with what encoding/json finds.
func FuzzWalk(f *testing.F) {
	for _, text := range []string{
		`{"uid":"x"}`, ` { "a" : [1,{"b":"]}\\\""}] , "u\u0069d":-1.5e3,"":null } `, `{}`, `{"a":{},"a":[]}`,
		`{"a":true}x`, "{\"a\":\"\xff\"}", `[{}]`, ``, `{"a":"\\"}`, `[1 , "]" ,[[]], {} ]`, `[]`, ` "a"`, `7`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := jsontext.Check(text); err != nil {
			if o := (jsontext.Object{}); o.Parse(text) == nil {
				t.Errorf("%q is an object, but %v", text, err)
			}
			return
		}
		switch jsontext.Begins(text) {
		case '{':
			want := map[string]json.RawMessage{}
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			got := map[string]string{}
			var o jsontext.Object
			if err := o.Parse(text); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			i := 0
			for name, value := range jsontext.Fields(text) {
				got[string(name)] = string(value)
				inside, plain := jsontext.Plain(value)
				if noted, is := o.Plain(i); is != plain || string(noted) != string(inside) {
					t.Errorf("%q: %q is noted as %q, %v", text, value, noted, is)
				}
				if string(o.Name(i)) != string(name) || string(o.Value(i)) != string(value) {
					t.Errorf("%q: %q, %q are noted as %q, %q", text, name, value, o.Name(i), o.Value(i))
				}
				i++
			}
			if o.Len() != i {
				t.Errorf("%q: %d members of %d are noted", text, o.Len(), i)
			}
			for name, value := range want {
				if got[name] != string(value) {
					t.Errorf("%q: %q is %q, want %q", text, name, got[name], value)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%q: %q, want %q", text, got, want)
			}
		case '[':
			var want []json.RawMessage
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			i := 0
			for value := range jsontext.Elements(text) {
				if i == len(want) || string(value) != string(want[i]) {
					t.Fatalf("%q: element %d is %q, want %q", text, i, value, want)
				}
				i++
			}
			if i != len(want) {
				t.Errorf("%q: %d elements, want %q", text, i, want)
			}
		}
	})
}
