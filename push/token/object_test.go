package token_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/token"
)

// FuzzObject compares an object with what encoding/json finds token by token.
func FuzzObject(f *testing.F) {
	for _, text := range []string{
		`{"sub":"7","exp":1795400060,"channels":["a" , "b\u0000"], "info" : {"a":[1,{}]} }`, `{}`, ` {"a":null} `,
		`{"a":1,"\u0061":2}`, `{"\ud800":1,"\ud801":2}`, `{"a":1}{}`, `[]`, `"a"`, `7`, ``, `{`, "{\"\xff\":0}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := token.ObjectOf(text)
		want, wrong := objectByTokens(text)
		if (err != nil) != (wrong != nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, %v, want %q, %v", text, got, err, want, wrong)
		}
	})
}

func objectByTokens(text []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, errors.New("no JSON")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return nil, errors.New("no object")
	}
	o := make(map[string]json.RawMessage)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		if _, twice := o[name.(string)]; twice {
			return nil, errors.New("twice")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		o[name.(string)] = value
	}
	return o, nil
}

// TestHeaders has credentials with one header and another be told apart, whichever came before.
func TestHeaders(t *testing.T) {
	keys := map[string]token.Key{"HS256": signing(t, "HS256"), "HS512": signing(t, "HS512")}
	v := verifier(t, token.Options{Keys: []token.Key{keys["HS256"]}, Algorithms: []string{"HS256"}})
	good := sign(t, signer(t, keys["HS256"], "HS256"), token.Claims{UID: "7", Expires: now.Add(time.Hour)})
	other := sign(t, signer(t, keys["HS512"], "HS512"), token.Claims{UID: "7", Expires: now.Add(time.Hour)})
	for range 3 {
		if _, err := v.Verify(context.Background(), good); err != nil {
			t.Error(err)
		}
		if _, err := v.Verify(context.Background(), other); !errors.Is(err, token.ErrAlgorithm) {
			t.Errorf("by another algorithm: %v", err)
		}
		if _, err := v.Verify(context.Background(), "eyJhbGciOiJub25lIn0"+good[20:]); err == nil {
			t.Error("by another header")
		}
	}
}

// TestVerifyAllocations bounds those of a credential that is checked.
func TestVerifyAllocations(t *testing.T) {
	if linemantest.Raced() {
		t.Skip("the race detector allocates too")
	}
	key := signing(t, "HS256")
	v := verifier(t, token.Options{Keys: []token.Key{key}})
	credential := sign(t, signer(t, key, "HS256"), token.Claims{UID: "7", Issued: now, Expires: now.Add(time.Hour)})
	if n := testing.AllocsPerRun(200, func() {
		if _, err := v.Verify(context.Background(), credential); err != nil {
			t.Fatal(err)
		}
	}); n > 25 {
		t.Errorf("%v allocations", n)
	}
}
