package level1_test

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// requests are what clients say, with what that is on the wire.
var requests = []struct {
	level1.Request
	wire string
}{
	{level1.Request{Op: level1.OpHello, ID: 1, Token: "a.b", Subs: []level1.Start{
		{Target: "chat:42", Since: push.Since{Position: at(1371)}},
		{Target: "news", Since: push.Since{Last: 20}},
		{Target: "room"},
	}, Batch: true, Heartbeat: true}, `{"op":"hello","id":1,"token":"a.b",` +
		`"sub":{"chat:42":"k3f9.123","news":"last:20","room":""},"batch":true,"hb":true}`},
	{level1.Request{Op: level1.OpHello}, `{"op":"hello"}`},
	{level1.Request{Op: level1.OpHello, Subs: []level1.Start{}}, `{"op":"hello","sub":{}}`},
	{level1.Request{Op: level1.OpSub, ID: 2, Channel: "u:7", Since: push.Since{Position: at(0)}},
		`{"op":"sub","id":2,"ch":"u:7","since":"k3f9.0"}`},
	{level1.Request{Op: level1.OpSub, Channel: "g:x"}, `{"op":"sub","ch":"g:x"}`},
	{level1.Request{Op: level1.OpUnsub, ID: 3, Channel: `a"é`}, `{"op":"unsub","id":3,"ch":"a\"é"}`},
	{level1.Request{Op: level1.OpHist, ID: 4, Channel: "a", Since: push.Since{Last: 300}, N: 50},
		`{"op":"hist","id":4,"ch":"a","since":"last:300","n":50}`},
	{level1.Request{Op: level1.OpAuth, ID: math.MaxInt64, Token: "x"},
		`{"op":"auth","id":9223372036854775807,"token":"x"}`},
	{level1.Request{Op: level1.OpHB}, `{"op":"hb"}`},
	{level1.Request{Op: level1.OpPresence, ID: 6, Channel: "room"}, `{"op":"presence","id":6,"ch":"room"}`},
	{level1.Request{Op: level1.OpPub, ID: 7, Channel: "chat:42", Data: []byte(`{"a":[1, "b"]}`)},
		`{"op":"pub","id":7,"ch":"chat:42","data":{"a":[1, "b"]}}`},
	{level1.Request{Op: level1.OpPub, Channel: "a", Data: []byte(`null`), NoEcho: true},
		`{"op":"pub","ch":"a","data":null,"self":false}`},
	{level1.Request{Op: level1.OpSay, ID: 8, Data: []byte(`"hi"`), Again: true},
		`{"op":"say","id":8,"data":"hi","again":true}`},
	{level1.Request{Op: level1.OpSay, Data: []byte(`0`)}, `{"op":"say","data":0}`},
	{level1.Request{Op: level1.OpRPC, ID: 9, Method: "cart.add", Data: []byte(`[]`)},
		`{"op":"rpc","id":9,"method":"cart.add","data":[]}`},
	{level1.Request{Op: level1.OpRPC, ID: 10, Method: "é"}, `{"op":"rpc","id":10,"method":"é"}`},
}

// asked is what a text from a client asks, and the answers to what is wrong.
func asked(text string) (all []level1.Request, wrong []level1.Failure) {
	for r, f := range level1.Requests([]byte(text)) {
		if f != nil {
			wrong = append(wrong, *f)
		} else {
			all = append(all, r)
		}
	}
	return all, wrong
}

func TestRequests(t *testing.T) {
	var texts []string
	var want []level1.Request
	for _, tt := range requests {
		if got := string(tt.Append([]byte("before"))); got != "before"+tt.wire {
			t.Errorf("%+v: %s, want %s", tt.Request, got, tt.wire)
		}
		texts, want = append(texts, tt.wire), append(want, tt.Request)
		for _, text := range []string{tt.wire, " [ " + tt.wire + " ] ",
			tt.wire[:len(tt.wire)-1] + `,"later":{"op":"x","id":7}}`} {
			if all, wrong := asked(text); wrong != nil || !reflect.DeepEqual(all, []level1.Request{tt.Request}) {
				t.Errorf("%s: %+v, %+v", text, all, wrong)
			}
		}
		for i := range tt.wire {
			all, wrong := asked(tt.wire[:i])
			if len(all) > 0 || len(wrong) != 1 || wrong[0].Code != level1.CodeMalformed {
				t.Errorf("%s: %+v, %+v, want one Failure", tt.wire[:i], all, wrong)
			}
		}
	}
	all, wrong := asked("[" + strings.Join(texts, ",") + "]")
	if wrong != nil || !reflect.DeepEqual(all, want) {
		t.Errorf("in an array: %+v, %+v", all, wrong)
	}
	if all, wrong := asked("[]"); all != nil || wrong != nil {
		t.Errorf("an empty array: %+v, %+v", all, wrong)
	}
}

// TestBadRequests has everything that is wrong be said.
func TestBadRequests(t *testing.T) {
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	const noLetter = "push: the name of a channel has a character that could not be decoded, U+FFFD"
	const noN = `"n": want an integer from 1 to 300`
	const noID = `"id": want an integer from 1 to 9223372036854775807`
	const nobody = `nobody subscribes to "*": everybody concerned is in it`
	const noMethod = `"method": want a name of 1 to 255 bytes`
	long256 := strings.Repeat("x", 256)
	const noSince = `push: since is a position as it was told, "last:N" or empty`
	for text, want := range map[string]level1.Failure{
		"":                                       {Text: "not JSON"},
		"token":                                  {Text: "not JSON"},
		"{\"op\":\"\xff\"}":                      {Text: "not UTF-8"},
		`{"op":` + deep + `}`:                    {Text: "nested deeper than 64"},
		`7`:                                      {Text: "want a JSON object"},
		`[7]`:                                    {Text: "want a JSON object"},
		`{}`:                                     {Text: `no "op"`},
		`{"id":9}`:                               {ID: 9, Text: `no "op"`},
		`{"op":"msg","id":9}`:                    {ID: 9, Text: `"msg" is no op that a client says`},
		`{"op":"Hello"}`:                         {Text: `"Hello" is no op that a client says`},
		`{"OP":"hello"}`:                         {Text: `no "op"`},
		`{"op":1}`:                               {Text: `"op": want a string`},
		`{"op":"hb","id":0}`:                     {Text: noID},
		`{"op":"hb","id":"1"}`:                   {Text: noID},
		`{"op":"sub","id":1}`:                    {ID: 1, Text: "push: a channel has no name"},
		`{"op":"sub","ch":7}`:                    {Text: `"ch": want a string`},
		`{"op":"sub","ch":"*"}`:                  {Text: nobody},
		`{"op":"sub","ch":"c:n.1"}`:              {Text: `nobody subscribes to "c:n.1": everybody concerned is in it`},
		`{"op":"sub","ch":"\ud83d"}`:             {Text: noLetter},
		`{"op":"sub","ch":"a","since":"last"}`:   {Channel: "a", Text: `"since": ` + noSince},
		`{"op":"sub","ch":"a","since":7}`:        {Channel: "a", Text: `"since": want a string`},
		`{"op":"sub","ch":"a","since":"last:0"}`: {Channel: "a", Text: `"since": ` + noSince},
		`{"op":"hist","id":1,"ch":"a","n":301}`:  {ID: 1, Channel: "a", Text: noN},
		`{"op":"hist","id":1,"ch":"a","n":0}`:    {ID: 1, Channel: "a", Text: noN},
		`{"op":"auth","token":{}}`:               {Text: `"token": want a string`},

		`{"op":"pub","id":9}`:                     {ID: 9, Text: "push: a channel has no name"},
		`{"op":"pub","ch":"u:7","data":1}`:        {Text: `a client publishes to channels, not to "u:7"`},
		`{"op":"pub","ch":"g:x","data":1}`:        {Text: `a client publishes to channels, not to "g:x"`},
		`{"op":"pub","ch":"c:n.1","data":1}`:      {Text: `a client publishes to channels, not to "c:n.1"`},
		`{"op":"pub","ch":"*","data":1}`:          {Text: `a client publishes to channels, not to "*"`},
		`{"op":"pub","ch":"a"}`:                   {Channel: "a", Text: `"data": want any JSON`},
		`{"op":"pub","ch":"a","text":"x"}`:        {Channel: "a", Text: `"data": want any JSON`},
		`{"op":"pub","ch":"a","data":1,"self":0}`: {Channel: "a", Text: `"self": want true or false`},
		`{"op":"say","id":9}`:                     {ID: 9, Text: `"data": want any JSON`},
		`{"op":"say","data":1,"again":"yes"}`:     {Text: `"again": want true or false`},
		`{"op":"rpc","id":9}`:                     {ID: 9, Text: noMethod},
		`{"op":"rpc","method":7}`:                 {Text: `"method": want a string`},
		`{"op":"rpc","method":"` + long256 + `"}`: {Text: noMethod},

		`{"op":"hello","batch":1}`:       {Text: `"batch": want true or false`},
		`{"op":"hello","sub":[]}`:        {Text: `"sub": want an object of channels and positions`},
		`{"op":"hello","sub":{"a":1}}`:   {Text: `"sub": "a": want a string`},
		`{"op":"hello","sub":{"a":"x"}}`: {Text: `"sub": "a": ` + noSince},
		`{"op":"hello","sub":{"":""}}`:   {Text: `"sub": push: a channel has no name`},
		`{"op":"hello","sub":{"*":""}}`:  {Text: `"sub": ` + nobody},

		`{"op":"hb"` + strings.Repeat(`,"a":1`, 64) + `}`:                      {Text: "more than 64 fields"},
		`[{"op":"hb"}` + strings.Repeat(`,{"op":"hb"}`, level1.MaxBatch) + `]`: {Text: "an array of more than 200"},
	} {
		want.Code = level1.CodeMalformed
		all, wrong := asked(text)
		if len(all) > 0 || !reflect.DeepEqual(wrong, []level1.Failure{want}) {
			t.Errorf("%.80s: %+v, %+v, want %+v", text, all, wrong, want)
		}
	}
	all, wrong := asked(`[{"op":"x","id":1},{"op":"hb"},7]`)
	if len(all) != 1 || len(wrong) != 2 || wrong[0].ID != 1 {
		t.Errorf("bad ones in an array: %+v, %+v", all, wrong)
	}
	many := strings.Builder{}
	for i := range 10_001 {
		many.WriteString(`,"` + strconv.Itoa(i) + `":""`)
	}
	if _, wrong := asked(`{"op":"hello","sub":{` + many.String()[1:] + `}}`); len(wrong) != 1 {
		t.Error("10,001 subscriptions were taken")
	}
}

// TestRequestsStop has who has had enough get no more.
func TestRequestsStop(t *testing.T) {
	for range level1.Requests([]byte(`[{"op":"hb"},{"op":"hb"}]`)) {
		break
	}
	for range level1.Frames([]byte(`[{"op":"hb"},{"op":"hb"}]`)) {
		break
	}
}

// FuzzRequests has what a client sends be understood, or refused with a reason: what was understood means the same when
// it is written anew.
func FuzzRequests(f *testing.F) {
	for _, tt := range requests {
		f.Add(tt.wire)
	}
	f.Add(`[{"op":"hb"},{"op":"x","id":1}]`)
	f.Fuzz(func(t *testing.T, text string) {
		all, wrong := asked(text)
		for _, w := range wrong {
			if w.Code != level1.CodeMalformed || w.Text == "" {
				t.Errorf("%q: %+v", text, w)
			}
		}
		for _, r := range all {
			wire := string(r.Append(nil))
			again, wrong := asked(wire)
			if wrong != nil || !reflect.DeepEqual(again, []level1.Request{r}) {
				t.Errorf("%q: %s, and again %+v, %+v", text, wire, again, wrong)
			}
		}
	})
}

func BenchmarkRequests(b *testing.B) {
	text := []byte(requests[0].wire)
	b.ReportAllocs()
	for range b.N {
		for _, f := range level1.Requests(text) {
			if f != nil {
				b.Fatal(f)
			}
		}
	}
}

// TestSpeakingAllocates has what pages say often cost no memory, but for the name of a channel.
func TestSpeakingAllocates(t *testing.T) {
	for wire, want := range map[string]float64{
		`{"op":"say","data":{"text":"hello"}}`:                             0,
		`{"op":"pub","ch":"chat:42","data":{"text":"hello"},"self":false}`: 1,
	} {
		text := []byte(wire)
		got := testing.AllocsPerRun(100, func() {
			for _, wrong := range level1.Requests(text) {
				if wrong != nil {
					t.Fatal(wrong)
				}
			}
		})
		if got > want && !linemantest.Raced() {
			t.Errorf("%s: %v allocations, want %v", wire, got, want)
		}
	}
}
