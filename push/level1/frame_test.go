package level1_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// at is a Position of the tests.
func at(offset uint64) push.Position { return push.Position{Epoch: "k3f9", Offset: offset} }

// frames are what the server says, with what that is on the wire.
var frames = []struct {
	level1.Frame
	wire string
}{
	{level1.Welcome{ID: 1, Conn: "c:n.1", UID: "7", Ping: 25 * time.Second, Max: 65536,
		Expires: time.Unix(1795400000, 0), Heartbeat: 20 * time.Second},
		`{"op":"welcome","id":1,"conn":"c:n.1","uid":"7","ping":25,"max":65536,"exp":1795400000,"hb":20}`},
	{level1.Welcome{Conn: "c:n.1", UID: "7", Max: 1}, `{"op":"welcome","conn":"c:n.1","uid":"7","max":1}`},
	{level1.Subscribed{ID: 2, Channel: "chat:42", Position: at(1371), N: 3},
		`{"op":"sub","id":2,"ch":"chat:42","pos":"k3f9.123","n":3}`},
	{level1.Subscribed{Channel: "chat:42", Position: at(0), Gap: push.GapExpired},
		`{"op":"sub","ch":"chat:42","pos":"k3f9.0","gap":"expired"}`},
	{level1.Subscribed{ID: math.MaxInt64, Channel: "u:7"}, `{"op":"sub","id":9223372036854775807,"ch":"u:7"}`},
	{level1.Unsubscribed{ID: 3, Channel: "chat:42"}, `{"op":"unsub","id":3,"ch":"chat:42"}`},
	{level1.Unsubscribed{Channel: "g:x", Why: level1.WhyServer}, `{"op":"unsub","ch":"g:x","why":"server"}`},
	{level1.Message{Channel: "chat:42", Position: at(35), Data: []byte(`{"a":[1, "b"]}`)},
		`{"op":"msg","ch":"chat:42","pos":"k3f9.z","data":{"a":[1, "b"]}}`},
	{level1.Message{Channel: "*", Data: []byte(`null`)}, `{"op":"msg","ch":"*","data":null}`},
	{level1.Message{Channel: `a"b\c`, Data: []byte("say \"hi\"\\\n\r\t\x00\x7f é 😀")},
		`{"op":"msg","ch":"a\"b\\c","text":"say \"hi\"\\\n\r\t\u0000` + "\x7f" + ` é 😀"}`},
	{level1.Message{Channel: "a", Data: []byte{}}, `{"op":"msg","ch":"a","text":""}`},
	{level1.Message{Channel: "c:n.1", Data: []byte{0xff, 0}}, `{"op":"msg","ch":"c:n.1","b64":"/wA="}`},
	{level1.Passed{Channel: "a", Position: at(math.MaxUint64)}, `{"op":"pos","ch":"a","pos":"k3f9.3w5e11264sgsf"}`},
	{level1.Missed{Channel: "a", Gap: push.GapEpoch, Position: at(1)},
		`{"op":"gap","ch":"a","gap":"epoch","pos":"k3f9.1"}`},
	{level1.History{ID: 4, Channel: "a", Messages: []push.Stored{
		{Position: at(1), At: time.Date(2026, 11, 29, 1, 2, 3, 4e6, time.UTC), Data: []byte("1")},
		{Position: at(2), At: time.Date(2026, 11, 29, 1, 2, 3, 0, time.UTC), Data: []byte("x")},
	}, Top: at(9), More: true},
		`{"op":"hist","id":4,"ch":"a","messages":[{"pos":"k3f9.1","at":"2026-11-29T01:02:03.004Z","data":1},` +
			`{"pos":"k3f9.2","at":"2026-11-29T01:02:03.000Z","text":"x"}],"pos":"k3f9.9","more":true}`},
	{level1.History{ID: 4, Channel: "a", Top: at(9), Gap: push.GapAhead},
		`{"op":"hist","id":4,"ch":"a","messages":[],"pos":"k3f9.9","gap":"ahead"}`},
	{level1.Authorized{ID: 5, Expires: time.Unix(1795403600, 0)}, `{"op":"auth","id":5,"exp":1795403600}`},
	{level1.Expiring{In: 30 * time.Second}, `{"op":"expiring","in":30}`},
	{level1.Heartbeat{}, `{"op":"hb"}`},
	{level1.Presence{ID: 6, Channel: "r", N: 3, Users: []level1.User{
		{UID: "7", Info: json.RawMessage(`{"name":"Ann"}`)}, {UID: "8"},
	}, More: true}, `{"op":"presence","id":6,"ch":"r","n":3,"users":{"7":{"name":"Ann"},"8":null},"more":true}`},
	{level1.Presence{ID: 6, Channel: "r", Users: []level1.User{}},
		`{"op":"presence","id":6,"ch":"r","n":0,"users":{}}`},
	{level1.Presence{ID: 6, Channel: "r", N: 99999, More: true},
		`{"op":"presence","id":6,"ch":"r","n":99999,"more":true}`},
	{level1.Joined{Channel: "r", UID: "7", Info: json.RawMessage(`{"name":"Ann"}`), N: 12},
		`{"op":"join","ch":"r","uid":"7","info":{"name":"Ann"},"n":12}`},
	{level1.Joined{Channel: "r", UID: "7", N: 1}, `{"op":"join","ch":"r","uid":"7","n":1}`},
	{level1.Left{Channel: "r", UID: "7"}, `{"op":"leave","ch":"r","uid":"7","n":0}`},
	{level1.Published{ID: 3, Channel: "chat:42", Position: at(1381)},
		`{"op":"pub","id":3,"ch":"chat:42","pos":"k3f9.12d"}`},
	{level1.Published{Channel: "a"}, `{"op":"pub","ch":"a"}`},
	{level1.Said{ID: 4}, `{"op":"say","id":4}`},
	{level1.Replied{ID: 5, Data: []byte(`{"n":2}`)}, `{"op":"rpc","id":5,"data":{"n":2}}`},
	{level1.Replied{ID: 5, Data: []byte(`null`)}, `{"op":"rpc","id":5,"data":null}`},
	{level1.Replied{ID: 5}, `{"op":"rpc","id":5}`},
	{level1.Bye{Code: 4101, Retry: 3120 * time.Millisecond, Why: "restart"},
		`{"op":"bye","code":4101,"retry":3120,"why":"restart"}`},
	{level1.Failure{ID: 3, Channel: "x", Code: level1.CodeForbidden, Text: "no"},
		`{"op":"err","id":3,"ch":"x","code":403,"msg":"no"}`},
	{level1.Failure{Code: level1.CodeMalformed, Text: "\xff"}, ""}, // see TestFailureText
}

// parsed is what a text from the server says.
func parsed(text string) (all []level1.Frame, err error) {
	for f, e := range level1.Frames([]byte(text)) {
		if e != nil {
			return all, e
		}
		all = append(all, f)
	}
	return all, nil
}

func TestFrames(t *testing.T) {
	var texts []string
	var want []level1.Frame
	for _, tt := range frames {
		if tt.wire == "" {
			continue
		}
		got := string(tt.Append([]byte("before")))
		if got != "before"+tt.wire {
			t.Errorf("%#v: %s, want %s", tt.Frame, got, tt.wire)
		}
		if !json.Valid([]byte(tt.wire)) {
			t.Errorf("%s: no JSON", tt.wire)
		}
		texts, want = append(texts, tt.wire), append(want, tt.Frame)
		for _, text := range []string{tt.wire, " [ " + tt.wire + " ] ",
			`{"op":"later","ch":7,` + tt.wire[1:], tt.wire[:len(tt.wire)-1] + `,"later":{"op":"x"}}`} {
			if all, err := parsed(text); err != nil || !reflect.DeepEqual(all, []level1.Frame{tt.Frame}) {
				// a field that comes twice: the last one counts, unless the frame has it not at all
				if strings.Contains(text, `"ch":7`) && !strings.Contains(tt.wire, `"ch":`) {
					continue
				}
				t.Errorf("%s: %#v, %v, want %#v", text, all, err, tt.Frame)
			}
		}
		for i := range tt.wire {
			if all, err := parsed(tt.wire[:i]); !errors.Is(err, level1.ErrFrame) || len(all) > 0 {
				t.Errorf("%s: %v, %v, want ErrFrame", tt.wire[:i], all, err)
			}
		}
	}
	all, err := parsed("[" + strings.Join(texts, ",") + `,{"op":"later"}]`)
	if err != nil || !reflect.DeepEqual(all, want) {
		t.Errorf("in an array: %v, %v", all, err)
	}
}

func TestFailureText(t *testing.T) {
	f := level1.Failure{Code: level1.CodeMalformed, Text: "a\xffé\xc3"}
	if got := string(f.Append(nil)); got != `{"op":"err","code":400,"msg":"a�é�"}` {
		t.Error(got)
	}
	if got := f.Error(); got != "level1: the server answers 400: a\xffé\xc3" {
		t.Error(got)
	}
	f.Channel = "x"
	if got := f.Error(); got != "level1: \"x\": the server answers 400: a\xffé\xc3" {
		t.Error(got)
	}
}

// TestData has what was published come in the way that fits, and come out as it went in.
func TestData(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for data, want := range map[string]string{
		`{"a": 1}`:      `"data":{"a": 1}`,
		"[1,\n2]":       "\"data\":[1,\n2]",
		`"a"`:           `"data":"a"`,
		`-1.5e3`:        `"data":-1.5e3`,
		`true`:          `"data":true`,
		deep(60):        `"data":` + deep(60),
		deep(61):        `"text":"` + deep(61) + `"`,
		`{"a":1} x`:     `"text":"{\"a\":1} x"`,
		`NaN`:           `"text":"NaN"`,
		"\xef\xbb\xbf1": "\"text\":\"\xef\xbb\xbf1\"", // a byte order mark is not JSON
		"\u2028":        "\"text\":\"\u2028\"",
		"\ufffd":        "\"text\":\"\ufffd\"",
		"\"\xff\"":      `"b64":"Iv8i"`,
		"\xed\xa0\x80":  `"b64":"7aCA"`, // half of a surrogate pair
	} {
		m := level1.Message{Channel: "a", Data: []byte(data)}
		wire := string(m.Append(nil))
		if wire != `{"op":"msg","ch":"a",`+want+`}` {
			t.Errorf("%q: %s, want %s", data, wire, want)
		}
		all, err := parsed(wire)
		if err != nil || !reflect.DeepEqual(all, []level1.Frame{m}) {
			t.Errorf("%s: %v, %v", wire, all, err)
		}
	}
}

// TestBadFrames has a server that does not keep to the protocol be noticed.
func TestBadFrames(t *testing.T) {
	for text, want := range map[string]string{
		``:                                "not JSON",
		`7`:                               "want a JSON object",
		`[[]]`:                            "want a JSON object",
		`{}`:                              `no "op"`,
		`{"op":null}`:                     `no "op"`,
		`{"op":7}`:                        `"op": want a string`,
		`{"op":"msg","data":1}`:           `msg: push: a channel has no name`,
		`{"op":"msg","ch":"a"}`:           `msg: "data": want it, or text, or b64`,
		`{"op":"msg","ch":"a","b64":"="}`: `msg: "b64": want base64`,

		`{"op":"msg","ch":"a","pos":"x","data":1}`:       `msg: "pos": push: this is no position`,
		`{"op":"sub","ch":"a","n":-1}`:                   `sub: "n": want an integer from 0 to 2147483647`,
		`{"op":"sub","ch":"a","n":1e3}`:                  `sub: "n": want an integer from 0 to 2147483647`,
		`{"op":"hist","ch":"a","messages":{}}`:           `hist: "messages": want an array of objects`,
		`{"op":"hist","ch":"a","messages":[7]}`:          `hist: "messages": want an array of objects`,
		`{"op":"hist","ch":"a","messages":[{"data":1}]}`: `hist: "pos": want that of the message`,
		`{"op":"hist","ch":"a","messages":[{}]}`:         `hist: "data": want it, or text, or b64`,
		`{"op":"hist","ch":"a","more":1}`:                `hist: "more": want true or false`,
		`{"op":"presence","ch":"a","users":[]}`:          `presence: "users": want an object of uids`,
		`{"op":"presence","ch":"a","users":{"":1}}`:      `presence: "users": push: a uid has no name`,
		`{"op":"bye","retry":9e99}`:                      `bye: "retry": want an integer from 0 to 3162240000`,
		`{"op":"x"` + strings.Repeat(`,"a":1`, 64) + `}`: `more than 64 fields`,

		`{"op":"hist","ch":"a","messages":[{"pos":"a.1","at":"x","data":1}]}`: `hist: parsing time "x"`,
	} {
		all, err := parsed(text)
		if !errors.Is(err, level1.ErrFrame) || len(all) > 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, %v, want %s", text, all, err, want)
		}
	}
	all, err := parsed(`[{"op":"hb"},{"op":"later","ch":7},{},{"op":"hb"}]`)
	if !reflect.DeepEqual(all, []level1.Frame{level1.Heartbeat{}}) || !errors.Is(err, level1.ErrFrame) {
		t.Errorf("a bad one in an array: %v, %v", all, err)
	}
}

// TestAppendAllocates has nothing be allocated for what goes to many, or often.
func TestAppendAllocates(t *testing.T) {
	room := make([]byte, 0, 4096)
	for _, tt := range frames {
		if tt.wire != "" {
			linemantest.NoAllocations(t, func() { room = tt.Append(room[:0]) })
		}
	}
}

// FuzzFrames has what the server sends be understood, or refused: what was understood means the same when it is written
// anew.
func FuzzFrames(f *testing.F) {
	for _, tt := range frames {
		f.Add([]byte(tt.wire))
	}
	f.Add([]byte(`[{"op":"hb"},{"op":"msg","ch":"a","text":"\ud83d"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for frame, err := range level1.Frames(text) {
			if err != nil {
				if frame != nil || !errors.Is(err, level1.ErrFrame) {
					t.Fatalf("%q: %v, %v", text, frame, err)
				}
				return
			}
			wire := string(frame.Append(nil))
			again, err := parsed(wire)
			if err != nil || len(again) != 1 || string(again[0].Append(nil)) != wire {
				t.Errorf("%q: %s, and again %v, %v", text, wire, again, err)
			}
		}
	})
}

// FuzzData has what is published come out as it went in, but for white space around JSON.
func FuzzData(f *testing.F) {
	for _, data := range []string{``, `{"a":[1]}`, ` 1 `, `x`, "\xff", "\"\\\x00", "é😀\u2028"} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		wire := level1.Message{Channel: "a", Position: at(1), Data: data}.Append(nil)
		if !json.Valid(wire) {
			t.Fatalf("%q: %q is no JSON", data, wire)
		}
		all, err := parsed(string(wire))
		if err != nil || len(all) != 1 {
			t.Fatalf("%q: %v, %v", data, all, err)
		}
		got, want := string(all[0].(level1.Message).Data), string(data)
		if json.Valid(data) {
			want = strings.Trim(want, " \t\r\n")
		}
		if got != want && got != string(data) {
			t.Errorf("%q came out as %q", data, got)
		}
	})
}

func BenchmarkAppendMessage(b *testing.B) {
	m := level1.Message{Channel: "chat:42", Position: at(1371)}
	for name, data := range map[string]string{
		"json": `{"from":"Ann","text":"` + strings.Repeat("hello ", 33) + `"}`,
		"text": strings.Repeat("hello ", 40),
		"b64":  strings.Repeat("\xff", 240),
	} {
		b.Run(name, func(b *testing.B) {
			m.Data = []byte(data)
			room := make([]byte, 0, 4096)
			b.ReportAllocs()
			for range b.N {
				room = m.Append(room[:0])
			}
		})
	}
}

func BenchmarkFrames(b *testing.B) {
	m := level1.Message{Channel: "chat:42", Position: at(1371), Data: []byte(`{"from":"Ann","text":"hello"}`)}
	text := m.Append(nil)
	b.ReportAllocs()
	for range b.N {
		for _, err := range level1.Frames(text) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
