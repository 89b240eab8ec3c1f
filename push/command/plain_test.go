package command_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// plainRequests are read without encoding/json.
var plainRequests = []string{
	`{"to":"u:ann","data":{"a":[1,"\u00e9",{"to":"x"}]}}`,
	`{"cmd":"pub","to":"u:ann","data":null}`,
	` { "to" : [ "u:ann" , "g:x" ] , "text" : "" } `,
	`{"to":["u:ann"],"text":"é","wait":0,"except":"c:1","id":"7"}`,
	`{"cmd":"join","to":"*","group":"all"}`, `{"cmd":"subscribe","to":"*","channel":"chat:a"}`,
	`{"cmd":"kick","to":"u:nobody","reason":"go"}`, `{"cmd":"revoke","uid":"ann"}`,
	`{"cmd":"session","to":"u:ann","data":{"a":1}}`, `{"t\u006f":"u:ann","data":1}`, `{"to":"","data":1}`,
	`{"to":"u:ann","data":1,"wait":40000}`, `{"to":"u:ann"}`, `{"to":"u:ann","data":1,"text":"x"}`,
}

// otherRequests are as right, or wrong, but not plain.
var otherRequests = []string{
	`{"to":"u:\u0061nn","text":"\n"}`, `{"to":"u:ann","text":"\ud800"}`,
	`{"To":"u:ann","data":1}`, `{"CMD":"pub","to":"u:ann","data":1}`, `{"to":"u:ann","to":"u:bob","data":1}`,
	`{"to":"u:ann","data":1,"data":2}`, `{"to":[],"data":1}`, `{"to":[""],"data":1}`,
	`{"to":7,"data":1}`, `{"to":null,"data":1}`, `{"to":[["u:ann"]],"data":1}`, `{"to":"u:ann","text":null}`,
	`{"to":"u:ann","text":1}`, `{"to":"u:ann","data":1,"wait":-1}`, `{"to":"u:ann","data":1,"wait":1.5}`,
	`{"to":"u:ann","data":1,"wait":"1"}`, `{"to":"u:ann","data":1,"wait":1e3}`,
	`{"to":"u:ann","data":1,"wait":12345678901234567890}`, `{"data":1}`, `{}`,
	`{"to":"u:ann","data":1,"group":"x"}`, `{"to":"u:ann","data":1,"x":1}`,
	`{"cmd":"join","to":"u:ann","data":1}`, `{"cmd":"no","to":"u:ann"}`, `{"cmd":"revoke","uid":7}`,
	`{"to":"u:ann","data":1,"id":"` + strings.Repeat("x", 300) + `"}`,
	`{"to":[` + strings.Repeat(`"u:a",`, push.MaxTargets) + `"u:b"],"data":1}`, `[]`, `"to"`, `{`, ``,
}

// TestPlain has a request that is written plainly be read as encoding/json reads it.
func TestPlain(t *testing.T) {
	for i, text := range slices.Concat(plainRequests, otherRequests) {
		_, cmd, _ := strings.Cut(text, `"cmd":`) // by its path, if it does not say
		if cmd == "" {
			cmd = "pub"
		} else {
			cmd = ""
		}
		if plain := samePlain(t, text, cmd); plain != (i < len(plainRequests)) {
			t.Errorf("%.60s: plain is %v", text, plain)
		}
	}
	if samePlain(t, plainRequests[1], "join") {
		t.Error("the path says something else")
	}
}

// FuzzPlain compares the two on any text.
func FuzzPlain(f *testing.F) {
	for _, text := range slices.Concat(plainRequests, otherRequests) {
		f.Add(text, "")
		f.Add(text, "pub")
	}
	f.Fuzz(func(t *testing.T, text, cmd string) { samePlain(t, text, cmd) })
}

// samePlain reports whether a request is read plainly, which must not differ then.
func samePlain(t *testing.T, text, cmd string) bool {
	t.Helper()
	plain, other, err := command.Parses([]byte(text), cmd)
	if plain != nil && (err != nil || !reflect.DeepEqual(plain, other)) {
		t.Errorf("%.60q as %q: %+v, want %+v, %v", text, cmd, plain, other, err)
	}
	return plain != nil
}

// TestSessionKept has what a session keeps be its own.
func TestSessionKept(t *testing.T) {
	b := newBench(t)
	_, ann := b.add("ann")
	text := []byte(`{"cmd":"session","to":"u:ann","data":{"a":1}}`)
	b.Do(text, "", command.Caller{}, func(command.Reply) {})
	clear(text)
	if got := b.ask(`{"cmd":"sessions","to":"*"}`, nil); !strings.Contains(got, `"`+string(ann)+`":{"a":1}`) {
		t.Error(got)
	}
}

// TestReplyJSON has each field of a reply be written, also where encoding/json is left out.
func TestReplyJSON(t *testing.T) {
	n := -7
	typ := reflect.TypeOf(command.Reply{})
	for i := range typ.NumField() {
		field := typ.Field(i)
		r := command.Reply{OK: true, N: &n}
		if !field.IsExported() {
			continue
		}
		v := reflect.ValueOf(&r).Elem().Field(i)
		switch v.Kind() {
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.String:
			v.SetString("x")
		case reflect.Map:
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.Zero(v.Type().Key()), reflect.Zero(v.Type().Elem()))
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
		case reflect.Struct:
			v.Set(reflect.ValueOf(push.Position{Offset: 1}))
		default:
			t.Fatalf("%s is a %s: add it here, and to isCount", field.Name, v.Kind())
		}
		want, err := json.Marshal(r)
		if err != nil || string(r.JSON()) != string(want) {
			t.Errorf("%s: %s, want %s, %v", field.Name, r.JSON(), want, err)
		}
	}
}

// BenchmarkPublish is a publication to one connection, as a back end asks for it by HTTP.
func BenchmarkPublish(b *testing.B) {
	publish := publication(b)
	b.ReportAllocs()
	for b.Loop() {
		publish()
	}
}

// TestPublishAllocations bounds those of a publication. One is its target; the others are those of the connection that
// the test makes up. By encoding/json there would be 26.
func TestPublishAllocations(t *testing.T) {
	if linemantest.Raced() {
		t.Skip("the race detector allocates too")
	}
	if n := testing.AllocsPerRun(500, publication(t)); n > 12 {
		t.Errorf("%v allocations", n)
	}
}

func publication(tb testing.TB) func() {
	n := newBench(tb)
	c, _ := n.add("ann")
	text := []byte(`{"to":"u:ann","data":{"percent":"88%","file":"a.bin"}}`)
	by := command.Caller{
		Permit: &command.Permit{Name: "shop", Scopes: []command.Scope{command.Publish}},
		From:   &push.Source{Via: "http"},
	}
	return func() {
		c.got = c.got[:0]
		n.Do(text, "pub", by, func(r command.Reply) { _ = r.JSON() })
	}
}
