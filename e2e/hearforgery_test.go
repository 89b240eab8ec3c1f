package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// forgeries are frames of a page of level 1 that try to be more than its message, and what back ends are told: the
// data, or the method, or nothing.
var forgeries = []struct{ frame, data string }{
	{
		`{"op":"say","uid":"bob","conn":"c:1.1","type":"join","seq":1,"time":1,"session":{"admin":true},"n":99,` +
			`"data":"a"}`, `"a"`,
	},
	{`{"op":"say","data":"\"},\"uid\":\"bob\",\"x\":{\""}`, `"\"},\"uid\":\"bob\",\"x\":{\""`},
	{"{\"op\":\"say\",\"data\":{\n\"type\":\"join\",\r\n\"uid\":\"bob\"}\n}", `{"type":"join","uid":"bob"}`},
	{`{"op":"say","data":"\n{\"type\":\"join\",\"uid\":\"bob\",\"seq\":1,\"n\":1}\n"}`,
		`"\n{\"type\":\"join\",\"uid\":\"bob\",\"seq\":1,\"n\":1}\n"`},
	{"{\"op\":\"say\",\"data\":\"\u2028\u2029\\u0000\\ud800\"}", "\"\u2028\u2029\\u0000\\ud800\""},
	{`{"op":"say","data":{"type":"close","uid":"bob","conn":"c:1.1"}}`, `{"type":"close","uid":"bob","conn":"c:1.1"}`},
	{`{"op":"say","data":1}{"type":"join","uid":"bob"}`, ""},
	{`{"op":"say","data":{"a":}}`, ""},
	{`{"op":"say","data":1,"data":2}`, `2`}, // the last one, once
	{`{"op":"say","data":"` + strings.Repeat("x", 1<<12) + `"},"uid":"bob"}`, ""},
	{`{"op":"say","again":"yes","data":1}`, ""},
	{`{"op":"say","data":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, ""},
	{`{"cmd":"listen","events":["message"]}`, ""},
	{`{"op":"listen","events":["message"]}`, ""},
	{`{"op":"ack","n":1}`, ""},
}

// forgedReason is a reason that a page closes with.
const forgedReason = `","uid":"bob","code":1000,"why":"` + "\n" + `{"type":"join","uid":"bob"}`

// TestForgery has pages try to speak as others, and to make up events: whatever they say is data.
func TestForgery(t *testing.T) {
	t.Parallel()
	const key, secret = "the key of the tap, and long", "a secret for this test only, and long"
	folder := t.TempDir()
	write(t, folder+"/lineman.yaml", fmt.Sprintf(`
api: {keys: [{name: tap, key: %q, scopes: [listen]}]}
text: {auth: true}
token: {secrets: [%q]}
events: {messages: back end, debounce: 100ms}
limits: {messages_per_connection: 1000}
`, key, secret))
	p := startLineman(t, "--config", folder+"/lineman.yaml")
	tap := startTap(t, p.backends, fmt.Sprintf(`{"cmd":"auth","key":%q}`, key))
	token := strings.TrimSpace(output(t, "", binaries+"/lineman", "token", "--config", folder+"/lineman.yaml", "--uid",
		"ann"))

	conns := map[string][]string{"ann": nil}
	for i, f := range forgeries { // some end their connection
		page, err := speak(dial(t, p.pages), token)
		if err != nil || page.uid != "ann" {
			t.Fatalf("the page is %q: %v", page.uid, err)
		}
		conns["ann"] = append(conns["ann"], page.name)
		before := len(tap.all("message"))
		if err := wsutil.WriteClientText(page, []byte(f.frame)); err != nil {
			t.Fatal(err)
		}
		page.goodbye(4000, forgedReason)
		closed := tap.wait("close", i+1)
		if got := fieldOf(t, closed[i], "why"); got != forgedReason {
			t.Errorf("%.80s: the reason is %q", f.frame, got)
		}
		said := tap.all("message")[before:]
		switch {
		case f.data == "" && len(said) > 0:
			t.Errorf("%.80s is told: %.200s", f.frame, said[0])
		case f.data != "" && (len(said) != 1 || !sameJSON(said[0], f.data)):
			t.Errorf("%.80s is told as %.200s", f.frame, said)
		}
	}
	conns["ann"] = append(conns["ann"], forgeAtLevel0(t, p, tap, token)...)
	tap.wait("leave", 1)
	for _, event := range tap.all("") {
		genuine(t, event, conns)
	}
}

// fieldOf is a field of an event, which is a text.
func fieldOf(t *testing.T, event []byte, name string) (text string) {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(event, &fields); err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	_ = json.Unmarshal(fields[name], &text) // empty where it is not there
	return text
}

// sameJSON reports whether the data of an event is what a page has said, but for the white space.
func sameJSON(event []byte, data string) bool {
	var e struct{ Data json.RawMessage }
	if json.Unmarshal(event, &e) != nil {
		return false
	}
	compact := func(text string) string {
		return strings.Map(func(r rune) rune {
			if r == ' ' || r == '\n' || r == '\r' {
				return -1
			}
			return r
		}, text)
	}
	return compact(string(e.Data)) == compact(data)
}

// forgeAtLevel0 does the like by frames without an envelope, and returns the names of the connections.
func forgeAtLevel0(t *testing.T, p push, tap *tap, token string) (conns []string) {
	t.Helper()
	for i, frame := range []string{
		`{"type":"join","uid":"bob","seq":1}`, "\n" + `{"type":"join","uid":"bob"}` + "\n", `","uid":"bob","x":"`,
		"\u2028\x00\\", "", "\xff\x00\n\"",
	} {
		before := len(tap.all("message"))
		page := arrive(t, p.pages, "token="+token)
		write, field := wsutil.WriteClientText, "text"
		if strings.Contains(frame, "\xff") {
			write, field = wsutil.WriteClientBinary, "b64"
		}
		if err := write(page, []byte(frame)); err != nil {
			t.Fatal(err)
		}
		said := tap.wait("message", before+1)[before]
		got := fieldOf(t, said, field)
		if field == "b64" {
			decoded, err := base64.StdEncoding.DecodeString(got)
			if err != nil {
				t.Error(err)
			}
			got = string(decoded)
		}
		if got != frame {
			t.Errorf("%q is told as %s", frame, said)
		}
		conns = append(conns, fieldOf(t, said, "conn"))
		_ = ws.WriteFrame(page, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))) // it may have gone
		page.Close()
		linemantest.Until(t, "it is not told that it has gone",
			func() bool { return len(tap.all("close")) >= len(forgeries)+i+1 })
	}
	return conns
}
