package server_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// event is what a connection that watches is told next.
func event(t *testing.T, b *linemantest.Client) (e command.Event) {
	t.Helper()
	line := b.Receive()
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Event == "" {
		t.Fatalf("the event %s: %v", line, err)
	}
	return e
}

// watching is a connection that watches a target.
func (r *running) watching(target string) *linemantest.Client {
	r.t.Helper()
	b := r.backend()
	if got := ask(b, fmt.Sprintf(`{"cmd":"watch","to":%q}`, target)); got != `{"ok":true}` {
		r.t.Fatalf("watching %s: %s", target, got)
	}
	return b
}

// TestWatch tells who watches from where a message came and to whom it goes, whichever way it came.
func TestWatch(t *testing.T) {
	c := devMode()
	const key = "the key of the shop is long"
	c.API.Keys = []config.Key{{Name: "shop", Key: key, Scopes: []string{"publish", "watch"}}}
	r := start(t, c, server.Options{})
	b := r.backend()
	r.page("ann")
	r.known(b, "ann")
	w := r.watching("u:ann")
	if got := ask(w, `{"uid":"ann"}`); !strings.Contains(got, "over another one") {
		t.Errorf("a line of who watches: %s", got)
	}
	ask(b, `{"cmd":"auth","key":"`+key+`"}`)
	ask(b, `{"uid":"ann","n":1}`)
	call := func(cmd, body string) (status int, answer string) {
		return r.call(post(cmd, body).with("Authorization", "Bearer "+key))
	}
	if status, answer := call("pub", `{"to":"*","text":"2"}`); status != 200 {
		t.Fatalf("pub: %d, %s", status, answer)
	}
	var number string
	for _, want := range []struct{ event, via, text, to string }{
		{"publication", "line", `{"uid":"ann","n":1}`, "u:ann"}, {"delivery", "", "", ""}, {"outcome", "", "", ""},
		{"publication", "http", "2", "*"}, {"delivery", "", "", ""},
	} {
		e := event(t, w)
		if e.Event != want.event || number != "" && want.event != "publication" && e.Number != number {
			t.Fatalf("told %+v, want %+v of %s", e, want, number)
		}
		number = e.Number
		switch {
		case want.event != "publication":
			if *e.N != 1 {
				t.Errorf("told %+v", e)
			}
		case e.From == nil || e.From.Via != want.via || e.From.Key != "shop":
			t.Errorf("it comes from %+v, want %s", e.From, want.via)
		case !strings.HasPrefix(e.From.Remote, "127.0.0.1:"):
			t.Errorf("it comes from %s", e.From.Remote)
		case *e.Text != want.text || fmt.Sprint(e.To) != "["+want.to+"]":
			t.Errorf("told %s to %s, want %+v", *e.Text, e.To, want)
		}
		if want.event == "delivery" && (len(e.Conns) != 1 || e.Conns[0].UID != "ann") {
			t.Errorf("it went to %+v", e.Conns)
		}
	}
	if status, answer := call("watch", `{"to":"*"}`); status != 400 {
		t.Errorf("watch by HTTP: %d, %s", status, answer)
	}
}

// TestWatchEach watches pages on whichever loop: of what they get by another target, who watches is told first where it
// came from.
func TestWatchEach(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	b := r.backend()
	uids := []string{"ann", "bob", "cho"}
	for _, uid := range uids {
		r.page(uid)
		r.known(b, uid)
	}
	for _, uid := range uids {
		w := r.watching("u:" + uid)
		ask(b, `{"cmd":"pub","to":"*","text":"1"}`)
		if e := event(t, w); e.Event != "publication" || e.From == nil || e.From.Via != "line" {
			t.Errorf("%s: first told %+v", uid, e)
		}
		if e := event(t, w); e.Event != "delivery" || len(e.Conns) != 1 || e.Conns[0].UID != uid {
			t.Errorf("%s: then told %+v", uid, e)
		}
	}
}

// TestWatchEnd has as many connections watch as may, and others when some have gone.
func TestWatchEnd(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	const most = 16
	var all []*linemantest.Client
	for range most {
		all = append(all, r.watching("*"))
	}
	b := r.backend()
	if got := ask(b, `{"cmd":"watch","to":"*"}`); !strings.Contains(got, "too_many") {
		t.Errorf("one more: %s", got)
	}
	all[0].CloseWrite()
	if err := all[0].Ended(); err != nil {
		t.Errorf("when it has said all: %v", err)
	}
	linemantest.Until(t, "nobody else may watch", func() bool {
		return ask(b, `{"cmd":"watch","to":"*"}`) == `{"ok":true}`
	})
}

// TestWatchUnread has who does not read what it is told miss some, and be told how many, and holds up nobody.
func TestWatchUnread(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	w := r.watching("u:nobody")
	b := r.backend()
	line := `{"uid":"nobody","filler":"` + strings.Repeat("x", 1000) + `"}` + "\n"
	const lines = 20_000
	go func() {
		for range lines {
			if _, err := b.Conn.Write([]byte(line)); err != nil {
				return // the test fails by the answers
			}
		}
	}()
	for i := range lines {
		if got := b.Receive(); got != "fail" {
			t.Fatalf("answer %d: %s", i, got)
		}
	}
	told, missed := 0, 0
	for told+missed < 2*lines {
		if e := event(t, w); e.Event == command.Missed {
			missed += *e.N
		} else {
			told++
		}
	}
	if told == 0 || missed == 0 || told+missed != 2*lines {
		t.Errorf("told %d events, and missed %d, of %d", told, missed, 2*lines)
	}
}

// TestWatchNodes tells on one node what another publishes, and on that one what it comes to.
func TestWatchNodes(t *testing.T) {
	broker := push.NewMemory()
	a, b := start(t, devMode(), server.Options{Broker: broker}), start(t, devMode(), server.Options{Broker: broker})
	here, there := a.watching("u:ann"), b.watching("u:ann")
	asks := b.backend()
	a.page("ann")
	b.counts(asks, "u:ann", 1)
	if got := ask(asks, `{"uid":"ann"}`); got != "ok" {
		t.Fatal(got)
	}
	first, last := event(t, there), event(t, there)
	if first.Event != "publication" || first.From == nil || last.Event != "outcome" || *last.N != 1 {
		t.Errorf("the node that was asked tells %+v, %+v", first, last)
	}
	came, went := event(t, here), event(t, here)
	if came.Event != "publication" || came.From == nil || came.Number != first.Number || came.Node == first.Node {
		t.Errorf("the other node tells %+v of %+v", came, first)
	}
	if went.Event != "delivery" || *went.N != 1 || went.Number != first.Number {
		t.Errorf("the other node tells %+v", went)
	}
}

// TestDebugLog lets one follow a message, and a page, from the debug log; without it nothing of that is written.
func TestDebugLog(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo} {
		j := &journal{}
		log := slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: level}))
		r := start(t, devMode(), server.Options{Log: log})
		b := r.backend()
		page := r.page("ann")
		r.known(b, "ann")
		ask(b, `{"cmd":"join","to":"u:ann","group":"room"}`)
		ask(b, `{"cmd":"pub","to":"g:room","text":"its contents"}`)
		ask(b, `{"cmd":"pub","to":"g:room"}`)
		ask(b, `{"uid":{}}`)
		page.Close()
		r.counts(b, "u:ann", 0)
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
		text := j.String()
		if strings.Contains(text, "its contents") {
			t.Error("the log has what was published")
		}
		for _, want := range []string{
			`msg="push: login" conn=c:`, ` uid=ann remote=127.0.0.1:`,
			`msg="push: join" conn=c:`, ` uid=ann target=g:room `,
			`msg="push: publication" number=`, ` from.via=line from.remote=127.0.0.1:`, ` to=[g:room] size=12 `,
			`msg="push: delivery" number=`, ` n=1 full=0 conns="[c:`,
			`msg="push: outcome" number=`,
			`msg="push: refusal" from.via=line from.remote=127.0.0.1:`,
			` cmd=pub to=[g:room] error="command: pub wants `,
			` cmd="" to=[] error="a uid must be a string or an integer"`,
			`msg="push: logout" conn=c:`,
		} {
			if has := strings.Contains(text, want); has != (level == slog.LevelDebug) {
				t.Errorf("at %s: the log has %s: %v", level, want, has)
			}
		}
		if t.Failed() {
			t.Log(text)
		}
	}
}

// TestDebugRefusals has every refusal in the debug log, however many there are.
func TestDebugRefusals(t *testing.T) {
	j := &journal{}
	log := slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := start(t, settings(), server.Options{Credentials: openQuick(secret), Log: log})
	began := time.Now()
	const pages = 20
	for range pages {
		page := r.page("wrong")
		told(t, page, 4001)
		page.Close()
	}
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(j.String(), "reason=credential remote="); n != pages {
		t.Errorf("%d of %d refusals in %v are in the log", n, pages, time.Since(began))
	}
}
