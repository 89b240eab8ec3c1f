package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// stream is a page that gets server-sent events, as a browser reads them.
type stream struct {
	t      *testing.T
	conn   *linemantest.Client
	answer *http.Response
	body   *bufio.Reader
	lastID string
	retry  string
}

// ask asks for a stream. Fields end in CRLF each.
func (r *running) ask(t *testing.T, query, fields string) *stream {
	t.Helper()
	return r.request(t, "GET", "/sse?"+query, "Accept: text/event-stream\r\n"+fields)
}

func (r *running) request(t *testing.T, method, target, fields string) *stream {
	t.Helper()
	c := r.Connect(r.pages)
	c.Write(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n")
	answer, err := http.ReadResponse(c.Reader, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return &stream{t: t, conn: c, answer: answer, body: bufio.NewReader(answer.Body)}
}

// event is the data of the next event; empty at the end. Comments are passed over.
func (st *stream) event() string {
	st.t.Helper()
	var data []string
	id := ""
	for {
		line, err := st.body.ReadString('\n')
		if err == io.EOF && line == "" && data == nil {
			return ""
		} else if err != nil {
			st.t.Fatalf("%q, %v", line, err)
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			id = value
		case "retry":
			st.retry = value
		case "data":
			data = append(data, value)
		case "":
			if data != nil {
				st.lastID = id // as WHATWG has it: an event without an id clears it
				return strings.Join(data, "\n")
			}
		}
	}
}

// comment reads a line that is a comment.
func (st *stream) comment() string {
	st.t.Helper()
	line, err := st.body.ReadString('\n')
	if err != nil || line[0] != ':' {
		st.t.Fatalf("%q, %v, want a comment", line, err)
	}
	return line
}

// is checks the next events, in which positions are written as livePage.is does.
func (st *stream) is(positions []string, want ...string) {
	st.t.Helper()
	for _, w := range want {
		got := st.event()
		for i, at := range positions {
			if at != "" {
				got = strings.ReplaceAll(got, `"`+at+`"`, fmt.Sprintf(`"$%d"`, i))
			}
		}
		if got != w {
			st.t.Errorf("got  %s\nwant %s", got, w)
		}
	}
}

// welcome reads the welcome, and what is said of its own uid.
func (st *stream) welcome(uid string) {
	st.t.Helper()
	if got := st.event(); !strings.HasPrefix(got, `{"op":"welcome","conn":"c:`) ||
		!strings.Contains(got, `"uid":"`+uid) {
		st.t.Fatalf("%d, not welcome: %s", st.answer.StatusCode, got)
	}
	if got := st.event(); !strings.HasPrefix(got, `{"op":"sub","ch":"u:`+uid+`"`) {
		st.t.Fatalf("not in its uid: %s", got)
	}
}

// quietChats are chats whose uids keep nothing.
func quietChats(size int) config.Config {
	c := chats(size)
	c.History.UIDs = config.Retention{}
	return c
}

// TestStream has a page get what is published as events, and after a cut what it has missed.
func TestStream(t *testing.T) {
	r := start(t, quietChats(3), server.Options{})
	b := r.backend()
	at := []string{"", pub(t, b, "chat:7", "m1"), pub(t, b, "chat:7", "m2")}
	st := r.ask(t, "token=ann&sub=chat:7,shut:x,none:1&last=1", "Range: bytes=0-9\r\nAccept-Encoding: gzip\r\n"+
		"Sec-Fetch-Site: same-origin\r\n")
	want := http.Header{
		"Content-Type": {"text/event-stream"}, "Cache-Control": {"no-store, no-transform"},
		"X-Accel-Buffering": {"no"}, "Date": st.answer.Header["Date"],
	}
	if got := st.answer; got.StatusCode != 200 || !got.Close || fmt.Sprint(got.Header) != fmt.Sprint(want) ||
		len(got.TransferEncoding) > 0 {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	st.welcome("ann")
	if st.lastID != "" || st.retry == "" {
		t.Errorf("at first its id is %q, and it comes back after %q", st.lastID, st.retry)
	}
	st.is(at, `{"op":"sub","ch":"chat:7","pos":"$2","n":1}`)
	if st.lastID != "chat:7="+at[1] {
		t.Errorf("before what it gets its id is %q", st.lastID)
	}
	st.is(at, `{"op":"msg","ch":"chat:7","pos":"$2","text":"m2"}`)
	if st.lastID != "chat:7="+at[2] {
		t.Errorf("its id is %q, want %s", st.lastID, at[2])
	}
	st.is(at, `{"op":"err","ch":"shut:x","code":403,"msg":"it may not subscribe to it"}`,
		`{"op":"sub","ch":"none:1"}`)

	at = append(at, pub(t, b, "chat:7", "m3"))
	ask(b, `{"cmd":"pub","to":"none:1","data":{"lines":`+"\r"+`2}}`)
	ask(b, `{"uid":"ann","n":1}`)
	st.is(at, `{"op":"msg","ch":"chat:7","pos":"$3","text":"m3"}`,
		`{"op":"msg","ch":"none:1","data":{"lines":`+"\n"+`2}}`,
		`{"op":"msg","ch":"u:ann","data":{"uid":"ann","n":1}}`)
	id := st.lastID
	if id != "chat:7="+at[3] {
		t.Errorf("its id is %q, want %s", id, at[3])
	}
	st.conn.Close()
	r.counts(b, "chat:7", 0)
	at = append(at, pub(t, b, "chat:7", "m4"), pub(t, b, "chat:7", "m5"))
	for name, again := range map[string]*stream{
		"field": r.ask(t, "token=ann&sub=chat:7,none:1&last=1&lastEventId=chat:7%3d"+at[1],
			"Last-Event-ID: "+id+"\r\n"),
		"query": r.ask(t, "token=ann&sub=chat:7,none:1&last=1&lastEventId="+url.QueryEscape(id), ""),
	} {
		t.Run(name, func(t *testing.T) {
			again.t = t
			again.welcome("ann")
			if again.lastID != id {
				t.Errorf("at first its id is %q, not %q: a cut would lose it", again.lastID, id)
			}
			again.is(at, `{"op":"sub","ch":"chat:7","pos":"$5","n":2}`)
			if again.lastID != id {
				t.Errorf("before what it missed its id is %q, not %q", again.lastID, id)
			}
			again.is(at, `{"op":"msg","ch":"chat:7","pos":"$4","text":"m4"}`,
				`{"op":"msg","ch":"chat:7","pos":"$5","text":"m5"}`, `{"op":"sub","ch":"none:1"}`)
		})
	}
	pub(t, b, "chat:7", "m6")
	pub(t, b, "chat:7", "m7")
	late := r.ask(t, "token=ann&sub=chat:7", "Last-Event-ID: "+id+"\r\n")
	late.welcome("ann")
	if got := late.event(); !strings.Contains(got, `"gap":"expired"`) {
		t.Errorf("what is no longer kept: %s", got)
	}
}

// TestStreamVector has the ids of events be all places of a stream, where it is in several targets with history.
func TestStreamVector(t *testing.T) {
	r := start(t, chats(3), server.Options{})
	b := r.backend()
	one, two := r.ask(t, "token=ann&sub=chat:%C3%A9%3D", ""), r.ask(t, "token=bob&sub=chat:1,chat:2", "")
	for range 3 {
		one.event()
		two.event()
	}
	two.event()
	for _, st := range []*stream{one, two} {
		if n := strings.Count(st.lastID, "="); n != 2+strings.Count(st.lastID, "chat:2") {
			t.Errorf("the id is %q", st.lastID)
		}
	}
	if !strings.Contains(one.lastID, "chat:%C3%A9%3D=") {
		t.Errorf("the id is %q", one.lastID)
	}
	at := pub(t, b, "chat:2", "x")
	if two.event(); !strings.Contains(two.lastID, "chat:2="+at) || !strings.Contains(two.lastID, "chat:1=") {
		t.Errorf("the id is %q", two.lastID)
	}
	id := two.lastID
	at = pub(t, b, "u:bob", "y")
	if two.event(); two.lastID != strings.Replace(id, id[:strings.Index(id, ";")], "u:bob="+at, 1) {
		t.Errorf("the id is %q, and was %q", two.lastID, id)
	}
	id = two.lastID
	ask(b, `{"cmd":"unsubscribe","to":"u:bob","channel":"chat:1"}`)
	if got := two.event(); got != `{"op":"unsub","ch":"chat:1","why":"server"}` ||
		strings.Contains(two.lastID, "chat:1") {
		t.Errorf("%s, and the id is %q", got, two.lastID)
	}
	two.conn.Close()
	r.counts(b, "chat:2", 0)
	pub(t, b, "u:bob", "z")
	pub(t, b, "chat:1", "missed")
	again := r.ask(t, "token=bob&sub=chat:1,chat:2", "Last-Event-ID: "+id+"\r\n")
	var got []string
	for range 6 {
		e := again.event()
		got = append(got, e[strings.Index(e, `"op":"`)+6:strings.Index(e, `","`)])
		if strings.Contains(e, "gap") {
			t.Errorf("there is no gap: %s", e)
		}
	}
	if fmt.Sprint(got) != "[welcome sub msg sub msg sub]" {
		t.Errorf("it got %v", got)
	}
}

// TestStreamLostID has an id that nobody understands be a gap, in every channel that could have missed something.
func TestStreamLostID(t *testing.T) {
	r := start(t, quietChats(3), server.Options{})
	b := r.backend()
	top := pub(t, b, "chat:7", "m1")
	for _, id := range []string{
		"17", "chat:7=", "chat:7=k3f9", "lost", ";", "chat:7=k3f9.1;x", strings.Repeat("x", 3000), "chat:7=k3f9.1",
		"\x80", "chat:7=" + top + "\r\nX-Injected: 1",
	} {
		st := r.ask(t, "token=ann&sub=chat:7,none:1", "Last-Event-ID: "+id+"\r\n")
		st.welcome("ann")
		first := st.lastID
		got := []string{st.event(), st.event()}
		switch {
		case strings.HasSuffix(id, "Injected: 1"): // it is a field of its own
			if got[0] != `{"op":"sub","ch":"chat:7","pos":"`+top+`"}` {
				t.Errorf("%q: %q", id, got)
			}
		case id == "chat:7=k3f9.1":
			if got[0] != `{"op":"sub","ch":"chat:7","pos":"`+top+`","gap":"epoch"}` {
				t.Errorf("%q: %q", id, got)
			}
		case got[0] != `{"op":"sub","ch":"chat:7","pos":"`+top+`","gap":"epoch"}` ||
			got[1] != `{"op":"sub","ch":"none:1","gap":"off"}` || first != "chat:7=0.0;none:1=0.0":
			t.Errorf("%.40q: %q, and at first the id %q", id, got, first)
		}
		if st.lastID != "chat:7="+top {
			t.Errorf("%q: the id is %q then", id, st.lastID)
		}
	}
}

// TestStreamLies has who makes up positions get a gap, or what everybody gets.
func TestStreamLies(t *testing.T) {
	r := start(t, chats(3), server.Options{})
	b := r.backend()
	top := pub(t, b, "chat:7", "m1")
	pub(t, b, "u:bob", "for bob alone")
	epoch, _, _ := strings.Cut(top, ".")
	st := r.ask(t, "token=ann&sub=chat:7,shut:x,u:bob,g:staff,*,c:x.1",
		"Last-Event-ID: chat:7="+epoch+".zzzzz;u:bob="+epoch+".0;shut:x="+epoch+".0\r\n")
	st.welcome("ann")
	st.is([]string{top}, `{"op":"sub","ch":"chat:7","pos":"$0","gap":"ahead"}`,
		`{"op":"err","ch":"shut:x","code":403,"msg":"it may not subscribe to it"}`,
		`{"op":"err","ch":"u:bob","code":403,"msg":"it is not in it"}`,
		`{"op":"err","ch":"g:staff","code":403,"msg":"it is not in it"}`)
	if got := st.event(); !strings.Contains(got, `"ch":"c:x.1","code":403`) { // everybody is in "*"
		t.Errorf("%s", got)
	}
}
