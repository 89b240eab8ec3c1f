package pusher_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lineman-go/lineman/push/pusher"
)

// frames are what clients say.
var frames = []string{
	`{"event":"pusher:ping","data":{}}`,
	`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"k:s","channel_data":"{\"user_id\":1}"}}`,
	`{"event":"pusher:subscribe","data":"{\"channel\":\"x\"}"}`,
	`{"event":"pusher:unsubscribe","data":{"channel":"x"}}`,
	`{"event":"pusher:signin","data":{"auth":"k:s","user_data":"{\"id\":\"ann\"}"}}`,
	`{"event":"client-typing","channel":"private-x","data":{"a":[1,"\u00e9"]}}`,
}

// TestFramesCut has no frame be understood of which a part is missing, at any byte.
func TestFramesCut(t *testing.T) {
	for _, text := range frames {
		if _, err := pusher.ParseFrame([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		for i := range text {
			if f, err := pusher.ParseFrame([]byte(text[:i])); err == nil {
				t.Errorf("%s is %+v", text[:i], f)
			}
		}
	}
}

// FuzzParseFrame compares with encoding/json.
func FuzzParseFrame(f *testing.F) {
	for _, text := range frames {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := pusher.ParseFrame(text)
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("%q is %+v: %v", text, got, err)
		}
		var event string
		if json.Unmarshal(want["event"], &event) != nil || event != got.Event {
			t.Errorf("%q is %q", text, got.Event)
		}
		if !utf8.ValidString(got.Channel + got.Auth + got.ChannelData + got.UserData) {
			t.Errorf("%q has no UTF-8: %+v", text, got)
		}
		if got.Data != nil && !json.Valid(got.Data) {
			t.Errorf("%q has the data %q", text, got.Data)
		}
	})
}

// FuzzReceive has a page say anything, line by line: what it is told is JSON, and nothing secret reaches it.
func FuzzReceive(f *testing.F) {
	f.Add([]byte(strings.Join(frames, "\n")))
	f.Add([]byte(`{"event":"pusher:subscribe","data":{"channel":"cache-x"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		w := newWorld(t, 1, nil)
		a := w.nodes[0].open(w.app)
		for line := range strings.Lines(string(text)) {
			a.says(line)
		}
		for _, secret := range []string{"private-x", "presence-x", "#server-to-user-ann"} {
			w.nodes[0].publish(w.app.Channel(secret), `{"event":"e","data":"TELL"}`)
		}
		for _, frame := range a.got {
			if !json.Valid([]byte(frame)) || strings.Contains(frame, `"data":"TELL"`) {
				t.Errorf("after %q the page gets %s", text, frame)
			}
		}
	})
}

// FuzzAppendMessage has whatever was published be a frame that clients can read, and of no event of the protocol's.
func FuzzAppendMessage(f *testing.F) {
	for _, text := range []string{
		`{"event":"e","data":"x"}`, `{"event":"client-e","data":{},"user_id":"u"}`, "x", `{"event":""}`, `{`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, published []byte) {
		var frame struct {
			Event, Channel string
			Data           any
		}
		text := pusher.AppendMessage(nil, "x", published)
		if err := json.Unmarshal(text, &frame); err != nil || frame.Channel != "x" || frame.Event == "" {
			t.Errorf("%q is %s: %v", published, text, err)
		}
		if strings.HasPrefix(frame.Event, "pusher:") || strings.HasPrefix(frame.Event, "pusher_internal:") {
			t.Errorf("%q is %s: only the server says that", published, text)
		}
		_, isText := frame.Data.(string)
		if frame.Data != nil && !isText && !strings.HasPrefix(frame.Event, "client-") {
			t.Errorf("%q is %s: its data is no string", published, text)
		}
	})
}

// FuzzRequest has anything be requested, well signed or not: what is not signed is refused, and all has an answer.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "/events", "", `{"name":"e","channel":"x","data":"1","info":"user_count"}`, true)
	f.Add("POST", "/batch_events", "", `{"batch":[{"name":"e","channel":"x","data":"1"}]}`, true)
	f.Add("GET", "/channels", "filter_by_prefix=presence-&info=user_count", "", true)
	f.Add("GET", "/channels/cache-x", "info=cache,subscription_count", "", true)
	f.Add("GET", "/channels/presence-x/users", "", "", false)
	f.Add("POST", "/users/ann/terminate_connections", "", "{}", true)
	f.Fuzz(func(t *testing.T, method, path, query, body string, signed bool) {
		w := newWorld(t, 1, nil)
		r := request{method, "/apps/shop" + path, body, nil, w.now.Unix(), w.app}
		if query != "" {
			r.query = strings.Split(query, "&")
		}
		text := r.signed()
		if !signed {
			text = query
		}
		answer := w.send(method, r.path, text, body)
		var status int
		if _, err := fmt.Sscanf(answer, "%d ", &status); err != nil || status < 200 || status > 599 {
			t.Errorf("%s %s?%s: %s", method, path, query, answer)
		}
		if !signed && status == 200 {
			t.Errorf("%s %s?%s is done", method, path, query)
		}
		if status == 200 && !json.Valid([]byte(answer[4:])) {
			t.Errorf("%s %s?%s: %s", method, path, query, answer)
		}
	})
}

// FuzzState has no state of a page, or of requests that have come, do harm.
func FuzzState(f *testing.F) {
	w := newWorld(f, 1, nil)
	a := w.nodes[0].open(w.app)
	a.subscribes("presence-x", `{"user_id":"ann"}`)
	f.Add(a.page.Append(nil))
	f.Add([]byte("\x01\x01\x04shop\x04\x0c\x05\x0apresence-x"))
	w.answers(ok, "POST", "/events", `{"name":"e","channel":"x","data":"1"}`)
	f.Add(w.seen.Append(nil))
	f.Fuzz(func(t *testing.T, state []byte) {
		w := newWorld(t, 1, nil)
		if p, err := pusher.RestorePage(w.apps, state); err == nil {
			c := w.nodes[0].open(p.App())
			c.page = p
			w.nodes[0].service.Restored(c)
			w.settle()
			if _, err := pusher.RestorePage(w.apps, c.page.Append(nil)); err != nil {
				t.Error(err)
			}
		}
		if err := w.seen.Restore(state); err == nil {
			w.request("POST", "/events", `{"name":"e","channel":"x","data":"1"}`)
		}
	})
}
