package events

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

func TestForms(t *testing.T) {
	at := time.UnixMilli(1_795_400_000_123)
	for _, test := range []struct {
		e    Event
		want string
	}{
		{
			Event{
				Kind: Connect, Conn: "c:5f3a.1", UID: "7", Remote: "192.0.2.1:4711", Level: 1,
				Session: []byte(`{"a":1}`),
			},
			`{"type":"connect","conn":"c:5f3a.1","uid":"7","seq":5,"time":1795400000123,"remote":"192.0.2.1:4711",` +
				`"level":1,"session":{"a":1}`,
		},
		{
			Event{Kind: Connect, Conn: "c:5f3a.1", Remote: "192.0.2.1:4711", Protocol: "pusher"},
			`{"type":"connect","conn":"c:5f3a.1","seq":5,"time":1795400000123,"remote":"192.0.2.1:4711",` +
				`"protocol":"pusher"`,
		},
		{
			Event{Kind: Message, Conn: "c:5f3a.1", Data: []byte("{\n\"a\":\r\n1}")},
			`{"type":"message","conn":"c:5f3a.1","seq":5,"time":1795400000123,"data":{ "a":  1}`,
		},
		{
			Event{Kind: Message, Conn: "c:5f3a.1", Form: Text, Data: []byte("a\n\"b\"")},
			`{"type":"message","conn":"c:5f3a.1","seq":5,"time":1795400000123,"text":"a\n\"b\""`,
		},
		{
			Event{Kind: Message, Conn: "c:5f3a.1", Form: Binary, Data: []byte{0, 255}},
			`{"type":"message","conn":"c:5f3a.1","seq":5,"time":1795400000123,"b64":"AP8="`,
		},
		{
			Event{Kind: Close, Conn: "c:5f3a.1", UID: "7", Code: 1000, Why: "bye", Lasted: 1500 * time.Millisecond},
			`{"type":"close","conn":"c:5f3a.1","uid":"7","seq":5,"time":1795400000123,` +
				`"code":1000,"why":"bye","lasted":1500`,
		},
		{Event{Kind: Join, UID: "7"}, `{"type":"join","uid":"7","seq":5,"time":1795400000123`},
		{Event{Kind: Pusher, Channel: "shop:a", Data: []byte(`{"name":"cache_miss"}`)},
			`{"type":"pusher","channel":"shop:a","seq":5,"time":1795400000123,"data":{"name":"cache_miss"}`},
		{Event{Kind: Vacated, Channel: "chat:1"}, `{"type":"vacated","channel":"chat:1","seq":5,"time":1795400000123`},
		{
			Event{Kind: RPC, Conn: "c:5f3a.1", UID: "7", Call: "c:5f3a.1.9", Method: "cart.add", Data: []byte(`[1]`)},
			`{"type":"rpc","conn":"c:5f3a.1","uid":"7","seq":5,"time":1795400000123,"call":"c:5f3a.1.9",` +
				`"method":"cart.add","data":[1]`,
		},
	} {
		test.e.Seq, test.e.At = 5, at
		if got := test.e.append(nil); string(got) != test.want {
			t.Errorf("%s\nwant %s", got, test.want)
		}
	}
}

// Whatever a page says, an event is one line of JSON in which it has said nothing else.
func FuzzEvent(f *testing.F) {
	f.Add("message", "7", "c:1.1", "text", uint8(1), "why")
	f.Add("message", "7\"", "c:1.1", `{"a":"\n"}`, uint8(0), "\",\"uid\":\"8")
	f.Add("rpc", "\xff", "c:1.1", "[1,\n2]", uint8(0), "why")
	f.Fuzz(func(t *testing.T, kind, uid, conn, data string, form uint8, why string) {
		if !json.Valid([]byte(data)) {
			form = 1 + form%2
		}
		e := Event{
			Kind: Message, UID: uid, Data: []byte(data), Form: Form(form % 3), Why: why, Method: why,
			Channel: conn, Seq: 5,
		}
		switch kind {
		case "rpc":
			e.Kind = RPC
		case "close":
			e.Kind = Close
		}
		text := append(e.append(nil), '}')
		if bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' }) {
			t.Fatalf("%q is more than a line, or would be obeyed by a terminal", text)
		}
		fields := map[string]json.RawMessage{}
		d := json.NewDecoder(bytes.NewReader(text))
		if err := d.Decode(&fields); err != nil || d.InputOffset() != int64(len(text)) {
			t.Fatalf("%q: %v", text, err)
		}
		if string(fields["seq"]) != "5" || string(fields["type"]) != `"`+string(e.Kind)+`"` {
			t.Errorf("%q tells something else than %+v", text, e)
		}
	})
}
