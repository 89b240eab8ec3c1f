package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// end is how and when a page was sent away.
type end struct {
	code   int
	reason string
	at     time.Time
}

// ends reads pages until each has been sent away.
func ends(pages []net.Conn) []end {
	all := make([]end, len(pages))
	var readers sync.WaitGroup
	for i, page := range pages {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for {
				if _, err := wsutil.ReadServerText(page); err != nil {
					var closed wsutil.ClosedError
					if errors.As(err, &closed) {
						all[i] = end{int(closed.Code), closed.Reason, time.Now()}
					}
					page.Close()
					return
				}
			}
		}()
	}
	readers.Wait()
	return all
}

// arriveAll opens so many pages, each of a uid of its own.
func arriveAll(t *testing.T, p push, n int) (pages []net.Conn) {
	t.Helper()
	return arriveMore(t, p, nil, n)
}

// arriveMore has n pages come beside those that are there, and returns all of them.
func arriveMore(t *testing.T, p push, pages []net.Conn, n int) []net.Conn {
	t.Helper()
	for range n {
		pages = append(pages, arrive(t, p.pages, fmt.Sprint("token=uid", len(pages))))
	}
	want := fmt.Sprintf(`{"ok":true,"counts":{"*":%d}}`+"\n", len(pages))
	linemantest.Until(t, "the pages are not known",
		func() bool { return p.ask(`{"cmd":"count","to":"*"}`+"\n") == want })
	return pages
}

// TestServerDrain sends the pages away one by one when the server stops: meanwhile it is healthy, and not ready.
func TestServerDrain(t *testing.T) {
	const n = 2000 // half a second
	p := startLineman(t)
	pages := arriveAll(t, p, n)
	stopped := make(chan int)
	status := func(path string) string {
		out, _ := try(t, "", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://"+p.pages+path)
		return out
	}
	left := make(chan []end, 1)
	go func() { left <- ends(pages) }()
	go func() { stopped <- p.stop() }()
	linemantest.Until(t, "the server does not say that it is not ready",
		func() bool { return status("/ready") == "503" })
	if got := status("/health"); got != "200" {
		t.Errorf("/health while it drains: %s", got)
	}
	c := dial(t, p.pages)
	_, _ = c.Write(
		[]byte("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
	head := make([]byte, 12)
	if _, err := c.Read(head); err != nil || string(head) != "HTTP/1.1 503" {
		t.Errorf("a page that comes late: %q, %v", head, err)
	}
	c.Close()
	all := <-left
	first, last := all[0].at, all[0].at
	for i, e := range all {
		if e.code != 4101 || e.reason != `{"retry":1500}` {
			t.Fatalf("page %d was sent away with %d %s", i, e.code, e.reason)
		}
		if e.at.Before(first) {
			first = e.at
		}
		if e.at.After(last) {
			last = e.at
		}
	}
	if took := last.Sub(first); took < 200*time.Millisecond {
		t.Errorf("they were all sent away within %v", took)
	}
	if code := <-stopped; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestServerReload sends the pages of the predecessor away, as that is asked for, and the successor serves them.
func TestServerReload(t *testing.T) {
	p := startLineman(t)
	pages := arriveAll(t, p, 20)
	reloaded := make(chan string)
	go func() {
		out, err := tryIn(t, p.cmd.Dir, "", binaries+"/lineman", "reload", "--drain")
		reloaded <- fmt.Sprint(out, err)
	}()
	for i, e := range ends(pages) {
		if e.code != 4101 || !strings.HasPrefix(e.reason, `{"retry":`) {
			t.Errorf("page %d was sent away with %d %s", i, e.code, e.reason)
		}
	}
	if got := <-reloaded; !strings.HasPrefix(got, "reloaded: ") || !strings.HasSuffix(got, "\n<nil>") {
		t.Errorf("reload: %s", got)
	}
	arriveAll(t, p, 20)
}

// TestServerReloadBackend has a back end that is never at rest go to the successor: it is closed soon, after its
// answers.
func TestServerReloadBackend(t *testing.T) {
	p := startLineman(t)
	c := dial(t, p.backends)
	writing := make(chan struct{})
	go func() {
		defer close(writing)
		for {
			if _, err := io.WriteString(c, `{"cmd":"count","to":"*"}`+"\n"); err != nil {
				return
			}
		}
	}()
	answers := bufio.NewReader(c)
	next := func() error {
		answer, err := answers.ReadString('\n')
		if err == nil && answer != `{"ok":true,"counts":{"*":0}}`+"\n" {
			t.Fatalf("the answer is %q", answer)
		}
		return err
	}
	if err := next(); err != nil {
		t.Fatal(err)
	}
	reloaded := make(chan time.Time, 1)
	go func() {
		if out, err := tryIn(t, p.cmd.Dir, "", binaries+"/lineman", "reload", "--drain"); err != nil {
			t.Errorf("reload: %v: %s", err, out)
		}
		reloaded <- time.Now()
	}()
	for next() == nil {
	}
	if took := time.Since(<-reloaded); took > 5*time.Second {
		t.Errorf("it was closed %v after the reload", took)
	}
	c.Close()
	<-writing
	if got := p.ask(`{"cmd":"count","to":"*"}` + "\n"); got != `{"ok":true,"counts":{"*":0}}`+"\n" {
		t.Errorf("the successor answers %q", got)
	}
}

// TestServerOrder has several back ends publish at once, by both ways: all subscribers of a channel see one order, and
// what one back end has published in its own.
func TestServerOrder(t *testing.T) {
	const each = 300
	p := startLineman(t)
	pages := arriveAll(t, p, 5)
	if got := p.ask(`{"cmd":"subscribe","to":"*","channel":"news"}` + "\n"); got != `{"ok":true,"n":5}`+"\n" {
		t.Fatal(got)
	}
	var backEnds sync.WaitGroup
	for b := range 4 {
		var lines bytes.Buffer
		for i := range each {
			fmt.Fprintf(&lines, `{"cmd":"pub","to":"news","data":{"b":%d,"i":%d}}`+"\n", b, i)
		}
		backEnds.Add(1)
		go func() {
			defer backEnds.Done()
			if b%2 == 0 {
				if got := strings.Count(p.ask(lines.String()), `"n":5`); got != each {
					t.Errorf("back end %d: %d answers", b, got)
				}
				return
			}
			got, _ := try(t, lines.String(), "curl", "-sS", "-H", "Content-Type: application/x-ndjson", "--data-binary",
				"@-", p.api+"batch")
			if n := strings.Count(got, `"n":5`); n != each {
				t.Errorf("back end %d: %d answers by HTTP", b, n)
			}
		}()
	}
	var seen [5]strings.Builder
	for i, page := range pages {
		next := map[int]int{}
		for range 4 * each {
			text, err := wsutil.ReadServerText(page)
			if err != nil {
				t.Fatal(err)
			}
			var m struct{ B, I int }
			if err := json.Unmarshal(text, &m); err != nil || next[m.B] != m.I {
				t.Fatalf("page %d got %s, want number %d of it: %v", i, text, next[m.B], err)
			}
			next[m.B]++
			seen[i].Write(text)
		}
		if seen[i].String() != seen[0].String() {
			t.Errorf("page %d saw another order than page 0", i)
		}
	}
	backEnds.Wait()
}
