package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// crossings are connections to the push server that nothing may happen to while it is reloaded. Whatever ends one of
// them, or comes out of order, is a complaint.
type crossings struct {
	t      *testing.T
	server *mortal
	secure bool        // pages come by TLS
	over   atomic.Bool // connections may end from now on

	listeners  []*reader
	publishing atomic.Int32 // publishers that live
	answered   atomic.Int64 // answers that they have got

	mu         sync.Mutex // guards the following
	complaints []string
	got        int // messages
}

func (k *crossings) complain(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.over.Load() && len(k.complaints) < 20 {
		k.complaints = append(k.complaints, fmt.Sprintf(format, args...))
	}
}

// reader checks what a page gets: the numbers of each publisher, for each target, one after the other.
type reader struct {
	*crossings
	name string
	next func() ([]byte, error)

	mayMiss bool // what comes is in order, and not all

	mu   sync.Mutex // guards last
	last map[string]int
}

// stamp is what a publication has.
type stamp struct {
	N    int    `json:"n"`
	From string `json:"from"`
}

// pageFrame is one of level 1, or what is published as it is.
type pageFrame struct {
	stamp
	Op, Ch string
	Data   stamp
}

// read reads until the connection ends.
func (r *reader) read() {
	for {
		text, err := r.next()
		if err != nil {
			r.complain("%s: %v", r.name, err)
			return
		}
		var f pageFrame
		if err := json.Unmarshal(text, &f); err != nil {
			r.complain("%s got %.100q: %v", r.name, text, err)
			continue
		}
		switch f.Op {
		case "":
			r.take(r.name, f.stamp, text)
		case "msg":
			r.take(f.Ch, f.Data, text)
		case "join", "leave":
			if len(r.last) > 0 { // else it was before anything was published
				r.complain("%s was told %s", r.name, text)
			}
		case "gap", "err", "bye":
			r.complain("%s was told %s", r.name, text)
		}
	}
}

// take notes a number.
func (r *reader) take(of string, s stamp, text []byte) {
	key := of + " " + s.From
	r.mu.Lock()
	before, n := r.last[key], s.N
	r.last[key] = n
	r.mu.Unlock()
	if before != 0 && n != before+1 && !(r.mayMiss && n > before) {
		r.complain("%s got %.200s behind %d", r.name, text, before)
	}
	r.crossings.mu.Lock()
	r.got++
	r.crossings.mu.Unlock()
}

// has reports whether the page has got the last number of each publisher.
func (r *reader) has(last map[string]int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, n := range last {
		if r.last[key] != n {
			return false
		}
	}
	return true
}

// dial connects for as long as the test.
func (k *crossings) dial(addr string) net.Conn {
	k.t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { c.Close() })
	if k.secure && addr == k.server.pages {
		return tls.Client(c, &tls.Config{InsecureSkipVerify: true}) // it is this test's own
	}
	return c
}

// upgrade opens a WebSocket.
func (k *crossings) upgrade(protocols ...string) readWriter {
	k.t.Helper()
	c := k.dial(k.server.pages)
	early, _, err := ws.Dialer{Protocols: protocols}.Upgrade(c, &url.URL{Scheme: "ws", Host: k.server.pages, Path: "/"})
	if err != nil {
		k.t.Fatal(err)
	}
	if early == nil {
		early = bufio.NewReader(c)
	}
	return readWriter{early, c}
}

func (k *crossings) say(c io.Writer, text string) {
	k.t.Helper()
	if err := wsutil.WriteClientText(c, []byte(text)); err != nil {
		k.t.Fatal(err)
	}
}

// listen has a page be read from now on.
func (k *crossings) listen(name string, next func() ([]byte, error)) *reader {
	r := &reader{crossings: k, name: name, next: next, last: map[string]int{}}
	k.listeners = append(k.listeners, r)
	go r.read()
	return r
}

// plain is a page of level 0.
func (k *crossings) plain(uid string) readWriter {
	k.t.Helper()
	c := k.upgrade()
	k.say(c, uid)
	return c
}

// live is a page of level 1 that is in some channels.
func (k *crossings) live(uid string, channels ...string) readWriter {
	k.t.Helper()
	c := k.upgrade("lineman.v1")
	subs := map[string]string{}
	for _, name := range channels {
		subs[name] = ""
	}
	hello, _ := json.Marshal(map[string]any{"op": "hello", "id": 1, "token": uid, "sub": subs, "feat": []string{"hb"}})
	k.say(c, string(hello))
	for begun := 0; begun < len(channels); {
		text, err := wsutil.ReadServerText(c)
		if err != nil {
			k.t.Fatal(err)
		}
		if strings.Contains(string(text), `"op":"sub"`) && !strings.Contains(string(text), `"ch":"u:`) {
			begun++
		}
	}
	return c
}

// texts reads what a page is sent.
func texts(c readWriter) func() ([]byte, error) {
	return func() ([]byte, error) { return wsutil.ReadServerText(c) }
}

// stream is a page that gets server-sent events of channels.
func (k *crossings) stream(uid, channels string) func() ([]byte, error) {
	k.t.Helper()
	c := k.dial(k.server.pages)
	fmt.Fprintf(c, "GET /sse?token=%s&sub=%s HTTP/1.1\r\nHost: %s\r\n\r\n", uid, channels, k.server.pages)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		k.t.Fatalf("no stream: %v, %v", answer, err)
	}
	lines := bufio.NewReader(answer.Body)
	return func() ([]byte, error) {
		for {
			line, err := lines.ReadString('\n')
			if data, found := strings.CutPrefix(line, "data: "); found || err != nil {
				return []byte(strings.TrimSpace(data)), err
			}
		}
	}
}

// watcher is a connection that watches what is published as it is for a target.
func (k *crossings) watcher(target string) func() ([]byte, error) {
	k.t.Helper()
	c := k.dial(k.server.backend)
	fmt.Fprintf(c, "{\"cmd\":\"watch\",\"to\":%q}\n", target)
	lines := bufio.NewReader(c)
	if err := wantLine(lines); err != nil {
		k.t.Fatal(err)
	}
	return func() ([]byte, error) {
		for {
			line, err := lines.ReadBytes('\n')
			var e struct{ Event, Text string }
			if err == nil {
				err = json.Unmarshal(line, &e)
			}
			if err != nil || e.Event == "publication" {
				return []byte(e.Text), err
			}
		}
	}
}

// publisher publishes numbers over one connection, with some requests ahead of their answers.
type publisher struct {
	*crossings
	name     string
	conn     io.ReadWriter
	ahead    int
	request  func(n int) string
	answered func(r *bufio.Reader) error
	asks     bool // it says nothing
	last     int  // number; for others when live has returned
}

// live publishes until stop is closed.
func (p *publisher) live(stop <-chan struct{}) {
	defer p.publishing.Add(-1)
	r := bufio.NewReader(p.conn)
	for waiting := 0; ; {
		select {
		case <-stop:
			for range waiting {
				if err := p.answered(r); err != nil {
					p.complain("%s, one of the last answers: %v", p.name, err)
					return
				}
			}
			return
		default:
		}
		if _, err := io.WriteString(p.conn, p.request(p.last+1)); err != nil {
			p.complain("%s cannot write %d: %v", p.name, p.last+1, err)
			return
		}
		p.last++
		if waiting++; waiting <= p.ahead {
			continue
		}
		waiting--
		if err := p.answered(r); err != nil {
			p.complain("%s, behind %d: %v", p.name, p.last-waiting, err)
			return
		}
		p.crossings.answered.Add(1)
		<-time.After(time.Millisecond) // so that a run has a bound
	}
}

// wantLine reads the answer to a line.
func wantLine(r *bufio.Reader) error {
	line, err := r.ReadString('\n')
	if err == nil && line != "ok\n" && !strings.HasPrefix(line, `{"ok":true`) {
		err = fmt.Errorf("the answer is %.200q", line)
	}
	return err
}

// wantResponse reads the answer to a request of the HTTP API.
func wantResponse(r *bufio.Reader) error {
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || answer.Close) {
		err = fmt.Errorf("the answer is %s %.200q", answer.Status, body)
	}
	return err
}

// talking has a page of level 1 publish: what is written is a message.
type talking struct{ readWriter }

func (s talking) Write(text []byte) (int, error) {
	return len(text), wsutil.WriteClientText(s.readWriter, text)
}

// wantPublished reads what a page is told about its publication.
func wantPublished(c readWriter) func(*bufio.Reader) error {
	return func(*bufio.Reader) error {
		for {
			text, err := wsutil.ReadServerText(c)
			switch {
			case err != nil:
				return err
			case strings.Contains(string(text), `"op":"pub"`):
				return nil
			case strings.Contains(string(text), `"op":"err"`):
				return fmt.Errorf("it is told %s", text)
			}
		}
	}
}

// publish has a publisher live, on a goroutine.
func (k *crossings) publish(p *publisher, stop <-chan struct{}) *publisher {
	p.crossings = k
	k.publishing.Add(1)
	go p.live(stop)
	return p
}

// progress waits until publishers have got so many more answers.
func (k *crossings) progress(n int64) {
	k.t.Helper()
	before := k.answered.Load()
	linemantest.Until(k.t, "there is no progress", func() bool {
		return k.answered.Load() >= before+n || k.hasComplaints()
	})
}

func (k *crossings) hasComplaints() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.complaints) > 0
}

// reload reloads the server, which nothing may stay behind.
func (k *crossings) reload() {
	k.t.Helper()
	said := k.server.command("reload")
	k.t.Logf("reload says %s", said)
	if !strings.Contains(said, ", 0 drained") {
		k.complain("something has stayed: %s", said)
	}
}

// finish waits until all pages have all, and tells what was wrong. last are the last numbers by the names of pages.
func (k *crossings) finish(last map[string]map[string]int) {
	k.t.Helper()
	for _, r := range k.listeners {
		linemantest.Until(k.t, fmt.Sprintf("%s has not all of %v", r.name, last[r.name]), func() bool {
			return k.hasComplaints() || r.has(last[r.name])
		})
	}
	k.over.Store(true)
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, complaint := range k.complaints {
		k.t.Error(complaint)
	}
	k.t.Logf("%d pages got %d messages", len(k.listeners), k.got)
}
