package server_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/level1"
)

// FuzzLastEventID has whatever a page hands back as its last id be answered: by a stream whose ids are understood when
// they come back, with a gap in what could have been missed if this one was not; or by a status.
func FuzzLastEventID(f *testing.F) {
	c := quietChats(3)
	c.Limits.MessagesPerConnection = 0
	r := start(f, c, server.Options{})
	b := r.backend()
	top := parse(f, ask(b, `{"cmd":"pub","to":"chat:7","text":"m"}`)).Pos["chat:7"]
	addr := r.Addr(r.pages).String()
	for _, id := range []string{
		"", "chat:7=" + top, "chat:7=k3f9.1;none:1=k3f9.2", "lost", "end:4009", "%", "chat:7=k3f9.1;", "\x00\xff",
		"a=b.c",
		"chat:7=" + top + "\ndata: x", "u:ann=0.0;chat:7=0.0",
	} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if strings.ContainsAny(id, "\r\n") {
			return // another request
		}
		c := linemantest.NewClient(t, dial(t, addr), r.pages)
		defer c.Close()
		c.Write("GET /sse?token=ann&sub=chat:7 HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: " + id + "\r\n\r\n")
		answer, err := http.ReadResponse(c.Reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != 200 {
			return
		}
		st := &stream{t: t, conn: c, answer: answer, body: bufio.NewReader(answer.Body)}
		st.welcome("ann")
		began := st.event()
		if _, err := level1.ParseEventID(st.lastID); err != nil || !strings.HasPrefix(st.lastID, "chat:7="+top[:3]) {
			t.Errorf("%q becomes the id %q, %v", id, st.lastID, err)
		}
		places, err := level1.ParseEventID(strings.Trim(id, " \t"))
		gap := strings.Contains(began, `"gap":`)
		told := strings.Contains(began, `"n":1`) // the one that there is
		for _, p := range places {
			if p.Target == "chat:7" && !gap && !told && p.Position.String() != top {
				t.Errorf("%q: nothing was said: %s", id, began)
			}
		}
		if err != nil && !gap {
			t.Errorf("%q is not understood, and nothing was said: %s", id, began)
		}
	})
}
