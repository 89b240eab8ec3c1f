package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
)

// TestNodes has two servers be one: every port of either reaches the pages of both, in order.
func TestNodes(t *testing.T) {
	broker := push.NewMemory()
	a, b := start(t, devMode(), server.Options{Broker: broker}), start(t, devMode(), server.Options{Broker: broker})
	left, right := a.backend(), b.backend()
	ann, bob := a.page("ann"), b.page("bob")
	a.counts(left, "*", 2)
	b.counts(right, "*", 2)
	for _, line := range []string{`{"uid":"bob","by":"a"}`, `{"uid":"ann","by":"a"}`} {
		if got := ask(left, line); got != "ok" {
			t.Errorf("%s: %s", line, got)
		}
	}
	// a join of connections elsewhere, and what goes by it, in one breath
	right.Write("{\"cmd\":\"join\",\"to\":\"*\",\"group\":\"room\"}\n" +
		"{\"cmd\":\"pub\",\"to\":\"g:room\",\"text\":\"by the group\"}\n{\"cmd\":\"list\",\"to\":\"g:room\"}\n")
	for _, want := range []string{`{"ok":true,"n":2}`, `{"ok":true,"n":2}`} {
		if got := right.Receive(); got != want {
			t.Errorf("the answer is %s, want %s", got, want)
		}
	}
	if got := right.Receive(); !strings.Contains(got, `"uids":["ann","bob"]`) {
		t.Errorf("the list is %s", got)
	}
	batch := "{\"cmd\":\"join\",\"to\":\"u:ann\",\"group\":\"other\"}\n" +
		"{\"cmd\":\"pub\",\"to\":\"g:other\",\"text\":\"by a batch\"}\n{\"cmd\":\"kick\",\"to\":\"u:ann\"}\n" +
		"{\"cmd\":\"online\",\"uids\":[\"ann\",\"bob\"]}\n"
	answer, err := http.Post(b.api+"batch", "application/x-ndjson", strings.NewReader(batch))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if want := "{\"ok\":true,\"n\":1}\n{\"ok\":true,\"n\":1}\n{\"ok\":true,\"n\":1}\n" +
		"{\"ok\":true,\"online\":{\"ann\":false,\"bob\":true}}\n"; err != nil || string(text) != want {
		t.Errorf("the batch is answered %s, %v", text, err)
	}
	for _, got := range []struct {
		page *linemantest.Client
		want []string
	}{{ann, []string{`{"uid":"ann","by":"a"}`, "by the group", "by a batch"}},
		{bob, []string{`{"uid":"bob","by":"a"}`, "by the group"}}} {
		for _, want := range got.want {
			if text := got.page.Receive(); text != want {
				t.Errorf("a page got %q, want %q", text, want)
			}
		}
	}
}

// TestNodesRevoke has every server learn what one has revoked, and close the pages of the uid.
func TestNodesRevoke(t *testing.T) {
	broker := push.NewMemory()
	var who [2]*credentials
	var all [2]*running
	for i := range all {
		who[i] = &credentials{verify: secret}
		all[i] = start(t, settings(),
			server.Options{Broker: broker, Credentials: func() (server.Credentials, error) { return who[i], nil }})
	}
	page := all[1].page("secret-ann")
	b := all[0].backend()
	all[0].counts(b, "u:ann", 1)
	if got := ask(b, `{"cmd":"revoke","uid":"ann"}`); got != `{"ok":true,"n":1}` {
		t.Errorf("revoke: %s", got)
	}
	var closed *websocket.CloseError
	if err := page.Ended(); !errors.As(err, &closed) || closed.Code != push.CodeUnauthorized {
		t.Errorf("the page ended with %v", err)
	}
	for i := range who {
		if uid := who[i].learned.Load(); uid != "ann" {
			t.Errorf("server %d has learned of %v", i, uid)
		}
	}
}

// TestNodesRefresh closes the pages of those whose credentials were revoked while other processes could not be reached.
func TestNodesRefresh(t *testing.T) {
	network := pushtest.NewNetwork()
	who := &credentials{verify: secret}
	r := start(t, settings(),
		server.Options{Broker: network, Credentials: func() (server.Credentials, error) { return who, nil }})
	t.Cleanup(network.End)
	b := r.backend()
	page := r.page("secret-ann")
	r.counts(b, "u:ann", 1)
	network.Cut()
	who.missed.Store("ann")
	network.Mend()
	var closed *websocket.CloseError
	if err := page.Ended(); !errors.As(err, &closed) || closed.Code != push.CodeUnauthorized {
		t.Errorf("the page ended with %v", err)
	}
}

// ready is the status of /ready.
func (r *running) ready() int {
	r.t.Helper()
	answer, err := http.Get("http://" + r.Addr(r.pages).String() + "/ready")
	if err != nil {
		r.t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// given are credentials that a test keeps an eye on.
func given(who *credentials) func() (server.Credentials, error) {
	return func() (server.Credentials, error) { return who, nil }
}

// TestUninformed lets no page in before what was revoked has been read once: those that come at once wait, and are sent
// away for a while when that takes long; a proxy goes to the next node then.
func TestUninformed(t *testing.T) {
	t.Parallel()
	who := &credentials{verify: secret}
	who.away.Store(true)
	r := start(t, settings(), server.Options{Broker: push.NewMemory(), Credentials: given(who)})
	b := r.backend()
	early, said := r.visit("token=secret-ann"), r.page("secret-ann")
	for _, p := range []*linemantest.Client{early, said} {
		told(t, p, 4105)
	}
	if got := ask(b, `{"cmd":"count","to":"*"}`); got != `{"ok":true,"counts":{"*":0}}` {
		t.Errorf("somebody is in: %s", got)
	}
	answer, _ := r.Connect(r.pages).Handshake("/", nil)
	if answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" || r.ready() != 503 {
		t.Errorf("a page that comes later: %d, ready %d", answer.StatusCode, r.ready())
	}
	who.away.Store(false)
	linemantest.Until(t, "it is not ready", func() bool { return r.ready() == 200 })
	r.page("secret-ann")
	r.known(b, "ann")
}

// TestInformed has a page that comes before what was revoked is known wait for that.
func TestInformed(t *testing.T) {
	broker := &late{up: make(chan func(), 1)}
	r := start(t, settings(), server.Options{Broker: broker, Credentials: openQuick(secret)})
	r.page("secret-ann")
	gone := r.page("secret-bob")
	gone.Close()
	(<-broker.up)()
	r.known(r.backend(), "ann")
}

// TestFailOpen lets pages in though nobody knows what was revoked, where the settings say so.
func TestFailOpen(t *testing.T) {
	who := &credentials{verify: secret}
	who.away.Store(true)
	c := settings()
	c.Token.FailOpen = true
	r := start(t, c, server.Options{Broker: push.NewMemory(), Credentials: given(who)})
	r.page("secret-ann")
	r.known(r.backend(), "ann")
}

// TestRestored has the other servers read again what was revoked when one has put something back.
func TestRestored(t *testing.T) {
	broker := push.NewMemory()
	first, second := &credentials{verify: secret}, &credentials{verify: secret}
	start(t, settings(), server.Options{Broker: broker, Credentials: given(first)})
	linemantest.Until(t, "it has never read", func() bool { return first.reads.Load() > 0 })
	second.lost.Store(true)
	start(t, settings(), server.Options{Broker: broker, Credentials: given(second)})
	linemantest.Until(t, "the other one has not read again", func() bool { return first.reads.Load() >= 2 })
}

// TestRevokeDuringLogin has a credential that was good when it was looked at, and is revoked before the page is a
// member, let nobody in.
func TestRevokeDuringLogin(t *testing.T) {
	looked, revoked := make(chan bool), make(chan bool)
	looks := 0
	verify := func(context.Context, string) (server.Identity, error) {
		if looks++; looks > 1 {
			return server.Identity{}, errors.New("it was revoked")
		}
		looked <- true
		<-revoked
		return server.Identity{UID: "ann"}, nil
	}
	r := start(t, settings(), server.Options{Credentials: open(verify)})
	b := r.backend()
	page := r.page("ann's")
	<-looked
	if got := ask(b, `{"cmd":"revoke","uid":"ann"}`); got != `{"ok":true,"n":0}` {
		t.Errorf("revoke: %s", got)
	}
	close(revoked)
	var closed *websocket.CloseError
	if err := page.Ended(); !errors.As(err, &closed) || closed.Code != push.CodeUnauthorized {
		t.Errorf("the page ended with %v", err)
	}
}

// late is a Broker whose link is up when a test says so.
type late struct {
	push.Memory
	up chan func()
}

func (b *late) Join(n push.Node) (push.Link, error) {
	linked := n.Linked
	n.Linked = func(up bool) { b.up <- func() { n.Do(func() { linked(up) }) } }
	return b.Memory.Join(n)
}

// TestNodesStart has back ends of a server that does not reach the others yet wait, and not be refused.
func TestNodesStart(t *testing.T) {
	broker := &late{up: make(chan func(), 1)}
	r := start(t, devMode(), server.Options{Broker: broker})
	b := r.backend()
	b.Write(`{"uid":"ann"}` + "\n")
	page := r.page("ann")
	for range 10 { // the loop goes round
		answer, err := http.Get("http://" + r.Addr(r.pages).String() + "/health")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	(<-broker.up)()
	if got := b.Receive(); got != "ok" && got != "fail" {
		t.Errorf("the first line is answered %q", got)
	}
	page.Close()
}

// TestGap closes pages that may have missed something while other nodes could not be reached, one after the other, and
// no others.
func TestGap(t *testing.T) {
	network := pushtest.NewNetwork()
	t.Cleanup(network.End)
	c := devMode()
	c.Redis.Gap = 400 * time.Millisecond
	r := start(t, c, server.Options{Broker: network})
	b := r.backend()
	r.linked(true)
	var pages []*linemantest.Client
	for i := range 20 {
		pages = append(pages, r.page(fmt.Sprint("before", i)))
	}
	r.counts(b, "*", 20)
	network.Cut()
	r.linked(false)
	pages = append(pages, r.visit("token=meanwhile"))
	r.ready() // the loop has gone round
	began := time.Now()
	network.Mend()
	r.linked(true)
	after := r.page("after")
	r.counts(b, "u:after", 1)
	for _, p := range pages {
		told(t, p, 4201)
	}
	if took := time.Since(began); took < c.Redis.Gap/2 {
		t.Errorf("all were closed within %v", took)
	}
	if got := ask(b, `{"cmd":"pub","to":"*","text":"still here"}`); got != `{"ok":true,"n":1}` ||
		after.Receive() != "still here" {
		t.Errorf("the page that came afterwards: %s", got)
	}
}

// linked waits until a server reaches the others, or no longer.
func (r *running) linked(is bool) {
	r.t.Helper()
	linemantest.Until(r.t, "the link has not changed", func() bool { return (r.ready() == 200) == is })
}

// TestBrokerWait has the loop go on while the process leaves a Broker that takes its time: it may relay connections.
func TestBrokerWait(t *testing.T) {
	began, over := make(chan struct{}), make(chan struct{})
	defer close(over)
	settings := devMode()
	settings.Loops = 1 // the first one would wait
	r := start(t, settings, server.Options{BrokerWait: func() { close(began); <-over }})
	r.Do(r.pages, r.pages.OnStop)
	<-began
	r.Do(r.pages, func(*lineman.Loop) {}) // it does
}
