package jsontext

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a", "\"\\/\b\f\n\r\t", "\x00\x1f\x7f", "é\u2028😀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			t.Skip()
		}
		text := AppendString([]byte("x"), s)
		var back string
		if err := json.Unmarshal(text[1:], &back); err != nil || back != s || text[0] != 'x' {
			t.Errorf("%q became %q: %q, %v", s, text, back, err)
		}
		if again := AppendString([]byte("x"), []byte(s)); string(again) != string(text) {
			t.Errorf("bytes: %q, a string: %q", again, text)
		}
	})
}
