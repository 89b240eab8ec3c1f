package lineman_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
)

// requestText says what a server made of a request: method, URL, host, number of fields, body and trailers. The fields
// that tell how the body comes are not counted: they are no longer there when the body is whole.
func requestText(r *http.Request) (status int, text string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return 400, "broken body"
	}
	fields := 0
	for name, values := range r.Header {
		switch name {
		case "Content-Length", "Expect", "Trailer":
		default:
			fields += len(values)
		}
	}
	var trailers []string
	for _, name := range slices.Sorted(maps.Keys(r.Trailer)) {
		for _, v := range r.Trailer[name] {
			trailers = append(trailers, name+"="+v)
		}
	}
	status = 200
	if _, code, ok := strings.Cut(r.URL.Path, "/status/"); ok {
		status, _ = strconv.Atoi(code)
	}
	return status, fmt.Sprintf("%s %s host=%s fields=%d body=%q trailers=%q\n", r.Method, r.URL, r.Host, fields,
		body, trailers)
}

// sightings are the requests that a server has seen, by connection.
type sightings struct {
	mu   sync.Mutex // guards seen
	seen map[string][]string
}

func (s *sightings) note(conn, method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[conn] = append(s.seen[conn], method)
}

func (s *sightings) of(conn string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[conn]
}

// handler answers with requestText.
func (s *sightings) handler(w http.ResponseWriter, r *http.Request) {
	s.note(r.RemoteAddr, r.Method)
	status, text := requestText(r)
	if status == 200 {
		w.Header().Set("Content-Type", "text/plain")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // 204 and 304 take none
}

// onRequest does so for a worker with OnRequest.
func (s *sightings) onRequest(c *lineman.Conn, r *http1.Request) {
	std, err := r.Std()
	if err != nil {
		_ = c.Respond(&http1.Response{Status: 400, Close: true})
		return
	}
	s.note(c.RemoteAddr().String(), std.Method)
	status, text := requestText(std)
	answer := &http1.Response{Status: status, Body: []byte(text)}
	if status == 204 || status == 304 {
		answer.Body = nil
	}
	_ = c.Respond(answer)
}

// scripted is the server's end of a connection whose client sends all that it has, ends its stream and reads: so that
// no reset by the kernel takes an answer away.
type scripted struct {
	name  string
	ended chan struct{} // closed by Close

	mu  sync.Mutex // guards the following
	in  io.Reader
	out bytes.Buffer
}

func (c *scripted) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.Read(p)
}

func (c *scripted) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *scripted) Close() error {
	close(c.ended)
	return nil
}

func (c *scripted) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *scripted) RemoteAddr() net.Addr             { return clientName(c.name) }
func (c *scripted) SetDeadline(time.Time) error      { return nil }
func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }

type clientName string

func (clientName) Network() string  { return "scripted" }
func (n clientName) String() string { return string(n) }

// scriptedListener accepts what is sent to it.
type scriptedListener chan net.Conn

func (l scriptedListener) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l scriptedListener) Close() error   { return nil }
func (l scriptedListener) Addr() net.Addr { return &net.TCPAddr{} }

// answer is what a client sees of one answer. The text is that of the handler's own.
type answer struct {
	status int
	text   string
}

func (a answer) String() string { return fmt.Sprintf("%d %.300q", a.status, a.text) }

// answersIn reads a server's answers; methods are those of the requests that it has seen. Interim ones are left out.
func answersIn(t *testing.T, wire string, methods []string) (all []answer) {
	t.Helper()
	from := bufio.NewReader(strings.NewReader(wire))
	for {
		if _, err := from.Peek(1); err != nil {
			return all
		}
		method := "GET"
		if len(all) < len(methods) {
			method = methods[len(all)]
		}
		r, err := http.ReadResponse(from, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%v in %q", err, wire)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatalf("%v in the body of %q", err, wire)
		}
		if r.StatusCode == 100 {
			continue
		}
		a := answer{status: r.StatusCode}
		if r.StatusCode < 400 || len(all) < len(methods) && strings.Contains(string(body), " host=") {
			a.text = string(body)
		}
		all = append(all, a)
	}
}

func statuses(all []answer) string {
	s := make([]string, 0, len(all))
	for _, a := range all {
		s = append(s, strconv.Itoa(a.status))
	}
	return strings.Join(s, " ")
}

// servers are the three servers that get the corpus.
type servers struct {
	t                *testing.T
	std              scriptedListener
	server           *linemantest.Server
	handler, request *lineman.Worker
	seen             [3]sightings
}

func openServers(t *testing.T) *servers {
	d := &servers{t: t, std: make(scriptedListener)}
	for i := range d.seen {
		d.seen[i].seen = make(map[string][]string)
	}
	plain := &http.Server{Handler: http.HandlerFunc(d.seen[0].handler), ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = plain.Serve(d.std)
	}()
	t.Cleanup(func() { close(d.std); <-served })
	d.handler = handled(d.seen[1].handler)
	d.request = &lineman.Worker{Addr: "http://127.0.0.1:0", Name: "request", Logger: quiet}
	d.request.OnRequest = d.seen[2].onRequest
	d.server = linemantest.Start(t, d.handler, d.request)
	return d
}

// askStd has net/http answer.
func (d *servers) askStd(name, wire string) (answers []answer, seen int) {
	c := &scripted{name: name, ended: make(chan struct{}), in: strings.NewReader(wire)}
	d.std <- c
	next(d.t, c.ended, "the end of net/http's answers")
	c.mu.Lock()
	defer c.mu.Unlock()
	methods := d.seen[0].of(name)
	return answersIn(d.t, c.out.String(), methods), len(methods)
}

// ask has one of ours answer, and returns the client's address, by which what it saw can be asked for later.
func (d *servers) ask(w *lineman.Worker, seen *sightings, wire string) (answers []answer, client string) {
	c := d.server.Dial(w)
	client = c.Conn.LocalAddr().String()
	if len(seen.of(client)) > 0 {
		return d.ask(w, seen, wire) // the kernel gives a port again
	}
	c.Write(wire)
	c.CloseWrite()
	_ = c.Conn.SetReadDeadline(time.Now().Add(patience))
	rest, err := io.ReadAll(c.Reader)
	if err != nil {
		d.t.Fatalf("%.300q: after %.300q: %v", wire, rest, err)
	}
	c.Close()
	return answersIn(d.t, string(rest), seen.of(client)), client
}

// TestHandlerCorpus sends each request of the corpus to net/http and to both of our servers. They agree in statuses and
// bodies, but for the differences that are listed; and ours never see a request where net/http sees none.
func TestHandlerCorpus(t *testing.T) {
	type bound struct {
		wire string
		most int
	}
	var d *servers
	bounds := [3]map[string]bound{1: {}, 2: {}}
	t.Cleanup(func() { // after every goroutine has ended
		for server, all := range bounds {
			for client, b := range all {
				if got := len(d.seen[server].of(client)); got > b.most {
					t.Errorf("%q: door %d has seen %d requests, net/http %d", b.wire, server, got, b.most)
				}
			}
		}
	})
	linemantest.NoLeaks(t)
	d = openServers(t)
	compare := func(name, wire string, differs *difference) {
		std, most := d.askStd(name, wire)
		byHandler, client := d.ask(d.handler, &d.seen[1], wire)
		if differs != nil {
			most += differs.lenient
		}
		bounds[1][client] = bound{wire, most}
		byRequest, client := d.ask(d.request, &d.seen[2], wire)
		bounds[2][client] = bound{wire, most}
		if differs != nil {
			differs.check(t, wire, std, byHandler, byRequest)
			return
		}
		for server, ours := range map[string][]answer{"Handler": byHandler, "OnRequest": byRequest} {
			if !slices.Equal(ours, std) {
				t.Errorf("%s: %.300q:\n%s  %v\nnet/http %v", name, wire, server, ours, std)
			}
		}
	}
	agreed := agreeing()
	for i, wire := range agreed {
		compare(fmt.Sprintf("agreed %d", i), wire, nil)
	}
	others := 0
	for i := range different {
		for _, wire := range different[i].wires {
			compare(fmt.Sprintf("different %d", others), different[i].after+wire+different[i].before, &different[i])
			others++
		}
	}
	if n := len(agreed) + others; n < 220 {
		t.Errorf("%d requests: the corpus says nothing", n)
	}
	t.Logf("%d requests alike, %d different", len(agreed), others)
}
