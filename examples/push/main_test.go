package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// start runs the program on free ports.
func start(t *testing.T) (*server, *linemantest.Server) {
	t.Helper()
	s := newServer("127.0.0.1:0", "127.0.0.1:0", io.Discard)
	return s, linemantest.Start(t, s.pages)
}

// open is a page that has said its uid, known to the server.
func open(t *testing.T, s *server, run *linemantest.Server, uid string) *linemantest.Client {
	t.Helper()
	before := count(s, run, uid)
	c := run.Dial(s.pages)
	c.Send(uid)
	waitFor(t, s, run, uid, before+1)
	return c
}

func count(s *server, run *linemantest.Server, uid string) (n int) {
	run.Do(s.pages, func(*lineman.Loop) { n = len(s.users[uid]) })
	return n
}

func waitFor(t *testing.T, s *server, run *linemantest.Server, uid string, want int) {
	t.Helper()
	linemantest.Until(t, fmt.Sprintf("%s has not %d pages", uid, want),
		func() bool { return count(s, run, uid) == want })
}

func ask(c *linemantest.Client, line string) string {
	c.Write(line + "\n")
	return c.Receive()
}

func TestPush(t *testing.T) {
	s, run := start(t)
	a1, a2, b := open(t, s, run, "uid1"), open(t, s, run, "uid1"), open(t, s, run, "7")
	backend := run.Dial(s.backends)
	line := `{"uid":"uid1", "percent":"88%"}`
	if got := ask(backend, line); got != "ok" {
		t.Errorf("answer %q", got)
	}
	if one, two := a1.Receive(), a2.Receive(); one != line || two != line {
		t.Errorf("the pages got %q and %q", one, two)
	}
	for _, line := range []string{`{"uid":7}`, `{"uid":"7"}`, `{"uid":"\u0037"}`} {
		if answer, got := ask(backend, line), b.Receive(); answer != "ok" || got != line {
			t.Errorf("%s: answer %q, the page got %q", line, answer, got)
		}
	}
	big := open(t, s, run, "9223372036854775808")
	if answer, got := ask(backend, `{"uid":9223372036854775808}`), big.Receive(); answer != "ok" || got == "" {
		t.Errorf("an integer of 64 bits: answer %q, the page got %q", answer, got)
	}
	if got := ask(backend, `{"uid":"nobody"}`); got != "fail" {
		t.Errorf("an unknown uid: %q", got)
	}
	a1.Send("not a uid any more")
	a1.Close()
	waitFor(t, s, run, "uid1", 1)
	if answer, got := ask(backend, line), a2.Receive(); answer != "ok" || got != line {
		t.Errorf("one page left: %q, %q", answer, got)
	}
	a2.Close()
	waitFor(t, s, run, "uid1", 0)
	if got := ask(backend, line); got != "fail" {
		t.Errorf("no page left: %q", got)
	}
}

func TestAll(t *testing.T) {
	s, run := start(t)
	backend := run.Dial(s.backends)
	if got := ask(backend, `{"all":true}`); got != "fail" {
		t.Errorf("nobody there: %q", got)
	}
	silent := run.Dial(s.pages) // has not said its uid
	a, b := open(t, s, run, "a"), open(t, s, run, "b")
	line := `{"all":true,"text":"to everyone"}`
	if got := ask(backend, line); got != "ok" {
		t.Errorf("answer %q", got)
	}
	if one, two := a.Receive(), b.Receive(); one != line || two != line {
		t.Errorf("the pages got %q and %q", one, two)
	}
	silent.Send("c")
	waitFor(t, s, run, "c", 1)
	if answer, got := ask(backend, `{"uid":"c"}`), silent.Receive(); answer != "ok" || got != `{"uid":"c"}` {
		t.Errorf("answer %q; the page without a uid got %q before", answer, got)
	}
}

// TestBadLines has each answered with one line that says what is wrong, and the next line work.
func TestBadLines(t *testing.T) {
	s, run := start(t)
	open(t, s, run, "uid1")
	backend := run.Dial(s.backends)
	for line, want := range map[string]string{
		"":                 "there is nothing",
		"   ":              "not a JSON object",
		"hello":            "not a JSON object",
		"[]":               "not a JSON object",
		"null":             "not a JSON object",
		`"uid1"`:           "not a JSON object",
		`{"uid":"uid1"`:    "not a JSON object",
		`{"uid":"uid1"}{}`: "not a JSON object",
		"{}":               `no "uid"`,
		`{"UID":"uid1"}`:   `no "uid"`,
		`{"uid":null}`:     "string or an integer",
		`{"uid":` + strings.Repeat("9", 256) + `}`: "1 to 255",
		`{"uid":1.5}`:         "string or an integer",
		`{"uid":1e3}`:         "string or an integer",
		`{"uid":true}`:        "string or an integer",
		`{"uid":["uid1"]}`:    "string or an integer",
		`{"uid":""}`:          "1 to 255",
		"{\"uid\":\"\xff\"}":  "UTF-8",
		`{"all":false}`:       `"all" must be true`,
		`{"all":1,"uid":"a"}`: `"all" must be true`,
		`{"uid":"` + strings.Repeat("x", 256) + `"}`: "1 to 255",
		strings.Repeat("x", 10<<20+1):                "too large",
	} {
		if got := ask(backend, line); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, want) {
			t.Errorf("%.40q: %q, want %q", line, got, want)
		}
		if got := ask(backend, `{"uid":"uid1"}`); got != "ok" {
			t.Fatalf("after %.40q the next line: %q", line, got)
		}
	}
}

func TestBadUIDs(t *testing.T) {
	s, run := start(t)
	for _, uid := range []string{"", strings.Repeat("x", 256)} {
		c := run.Dial(s.pages)
		c.Send(uid)
		if err := c.Ended(); err == nil || !strings.Contains(err.Error(), "1008: the first message is the uid") {
			t.Errorf("a uid of %d bytes: %v", len(uid), err)
		}
	}
	open(t, s, run, strings.Repeat("x", 255))
}

func TestPage(t *testing.T) {
	s, run := start(t)
	url := "http://" + run.Addr(s.pages).String()
	for path, want := range map[string]int{"/": 200, "/?x": 200, "/other": 404} {
		r, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != want || want == 200 && !bytes.Equal(body, page) {
			t.Errorf("%s: %s, %d bytes, %v", path, r.Status, len(body), err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestSend(t *testing.T) {
	s, run := start(t)
	page := open(t, s, run, "uid1")
	var out strings.Builder
	if err := send(run.Addr(s.backends).String(), `{"uid":"uid1"}`, &out); err != nil || out.String() != "ok\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if got := page.Receive(); got != `{"uid":"uid1"}` {
		t.Errorf("the page got %q", got)
	}
}
