package jsontext_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lineman-go/lineman/internal/jsontext"
)

// FuzzCheck compares with encoding/json.
func FuzzCheck(f *testing.F) {
	for _, text := range []string{
		`{"to":"u:1","data":{"a":[1,-0.5e+10,true,false,null,"\u00e9\n"]}}`, ` [ ] `, `{ }`, `[1,]`, `{"a" 1}`,
		`{"a":}`, `{a:1}`, `{"a":1,}`, `[1}`, `01`, `-`, `1.`, `1e`, `+1`, `.5`, `"\x"`, `"\u12g4"`, `"\u12`,
		"\"\x01\"", `"`, `tru`, `nulll`, `1 2`, "\ufeff1", `{"a":1}}`, "1\x00", "\x00", "\"\x00\"", "[\x00]",
		strings.Repeat("[", jsontext.MaxDepth+1) + strings.Repeat("]", jsontext.MaxDepth+1),
		strings.Repeat("[", jsontext.MaxDepth+1) + "}", `{"more than eight bytes":"and an \n escape \\\" in them"}`,
		"\"more than eight bytes, and \x1f in them\"", `"more than eight bytes, and no end`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := jsontext.Check(text)
		switch valid := json.Valid(text); {
		case !utf8.Valid(text):
			if err == nil {
				t.Errorf("%q is not UTF-8", text)
			}
		case !valid:
			if !errors.Is(err, jsontext.ErrInvalid) {
				t.Errorf("%q is not JSON: %v", text, err)
			}
		case jsontext.Depth(text) > jsontext.MaxDepth:
			if err == nil || errors.Is(err, jsontext.ErrInvalid) {
				t.Errorf("%q is too deep: %v", text, err)
			}
		case err != nil:
			t.Errorf("%q is right: %v", text, err)
		}
	})
}
