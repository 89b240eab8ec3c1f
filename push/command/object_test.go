package command

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/internal/jsontext"
)

// FuzzObject compares what is found in an object with what encoding/json finds.
func FuzzObject(f *testing.F) {
	for _, text := range []string{
		`{"uid":"x"}`, ` { "a" : [1,{"b":"]}\\\""}] , "u\u0069d":-1.5e3,"":null } `, `{}`, `{"a":{},"a":[]}`,
		`{"a":true}x`, "{\"a\":\"\xff\"}", `[{}]`, ``, `{"a":"\\"}`,
		`{"a":"\ud83d\ude00","b":"\ud83d","c":["\ude00\ud83d"]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want map[string]json.RawMessage
		valid := json.Unmarshal(text, &want) == nil && want != nil
		o, err := parseObject(text, &jsontext.Object{})
		if err != nil {
			return // TestLines has what is refused
		}
		if !valid {
			t.Fatalf("%q was taken", text)
		}
		got := map[string]json.RawMessage{}
		for name, value := range o.fields() {
			got[string(name)] = value
		}
		if !maps.EqualFunc(got, want, func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		for name, value := range want {
			var text string
			if json.Unmarshal(value, &text) == nil && !bytes.Contains(bytes.ToLower(value), []byte("fffd")) &&
				!bytes.ContainsRune(value, '\ufffd') &&
				hasHalfPair(value) != strings.ContainsRune(text, '\ufffd') { // encoding/json puts that in its place
				t.Errorf("%q: half of a pair: %v", value, hasHalfPair(value))
			}
			if string(o.get(name)) != string(value) {
				t.Errorf("%q: %s is %q", text, name, o.get(name))
			}
		}
	})
}

// BenchmarkParseObject is what a plain line costs before it is published.
func BenchmarkParseObject(b *testing.B) {
	line := []byte(`{"uid":"uid1","percent":"88%"}`)
	b.ReportAllocs()
	var memory jsontext.Object
	for range b.N {
		o, err := parseObject(line, &memory)
		if err != nil || o.get("uid") == nil {
			b.Fatal(err)
		}
	}
}
