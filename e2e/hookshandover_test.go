package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// judged is how much is asked of hooks during reloads.
type judged struct {
	each    int // pages of each kind
	reloads int
	comers  int
}

// The short one is for every run; LINEMAN_E2E_LONG asks for the long one.
func judgedOfThisRun() judged {
	if told["LINEMAN_E2E_LONG"] != "" {
		return judged{each: 25, reloads: 30, comers: 1000}
	}
	return judged{each: 3, reloads: 3, comers: 60}
}

// TestHooksHandover reloads the push server under load while hooks that are slow decide connect, subscribe, publish and
// rpc, and hear what pages say. No connection ends, each request is answered once, publications in order, nothing is
// lost or doubled, and what is asked again has its id.
func TestHooksHandover(t *testing.T) {
	for name, flags := range map[string][]string{"on one loop": nil, "on three loops": {"--loops", "3"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := startJudge(t, "")
			testHooksHandover(t, a, newMortalOf(t, a.settings("connect, subscribe, publish, rpc"),
				append(flags, inMemory...)...))
		})
	}
}

func testHooksHandover(t *testing.T, a *judge, m *mortal) {
	size := judgedOfThisRun()
	k := &crossings{t: t, server: m}
	last, stop := map[string]map[string]int{}, make(chan struct{})
	var all, talkers []*publisher
	for i := range size.each {
		room, follower := fmt.Sprint("room:", i), fmt.Sprint("follower", i)
		k.listen(follower, texts(k.live(follower, room)))
		all = append(all,
			k.requests(fmt.Sprint("talker", i), 5, true, `{"op":"pub","id":%d,"ch":%q,"data":{"n":%[1]d,"from":%[3]q}}`,
				room, fmt.Sprint("talker", i)),
			k.requests(fmt.Sprint("asker", i), 5, false, `{"op":"rpc","id":%d,"method":"echo","data":{"n":%[1]d}}`),
			k.requests(fmt.Sprint("sayer", i), 5, false, `{"op":"say","id":%d,"data":{"n":%[1]d}}`),
			k.requests(fmt.Sprint("renewer", i), 0, true, `{"op":"auth","id":%d,"token":"renewer%[2]d.%[1]d"}`, i),
			k.joins(fmt.Sprint("joiner", i)),
		)
		talkers = append(talkers, all[5*i])
	}
	for _, p := range all {
		k.publish(p, stop)
	}
	c := &comers{crossings: k}
	for n := range size.reloads {
		a.progress(k, 25*size.each) // more than wait for an answer
		for range size.comers / size.reloads {
			c.come()
		}
		said := m.command("reload")
		t.Logf("reload %d says %s", n, said)
		if !strings.Contains(said, ", 0 drained") && !strings.Contains(said, "drained (OnConnect is due:") {
			k.complain("something has stayed: %s", said) // other than who has come just now
		}
	}
	a.progress(k, 25*size.each)
	close(stop)
	linemantest.Until(t, "the pages do not end", func() bool { return k.publishing.Load() == 0 })
	linemantest.Until(t, "not all have come", func() bool { return c.came.Load() == c.began || k.hasComplaints() })
	for i, p := range talkers {
		last[fmt.Sprint("follower", i)] = map[string]int{fmt.Sprint("room:", i, " ", p.name): p.last}
	}
	linemantest.Until(t, "not all was heard", func() bool { return a.hasHeard(all) || k.hasComplaints() })
	k.finish(last)
	a.end(t)
	t.Logf("%d pages came, %d of them twice", c.began, c.again.Load())
}

// requests is a page of level 1 that makes requests of one form, of which some may wait for their answers.
func (k *crossings) requests(name string, ahead int, inOrder bool, form string, args ...any) *publisher {
	c := k.live(name, "hall:"+name) // so it is a member
	return &publisher{
		name: name, ahead: ahead, conn: talking{c}, answered: wantAnswers(c, inOrder),
		request: func(n int) string { return fmt.Sprintf(form, append([]any{n}, args...)...) },
	}
}

// joins is a page that comes to a channel, and goes on to the next one.
func (k *crossings) joins(name string) *publisher {
	p := k.requests(name, 2, false, "")
	p.request = func(n int) string {
		if n%2 == 1 {
			return fmt.Sprintf(`{"op":"sub","id":%d,"ch":"hall:%d"}`, n, n%20)
		}
		return fmt.Sprintf(`{"op":"unsub","id":%d,"ch":"hall:%d"}`, n, (n+3)%20) // long answered
	}
	return p
}

// wantAnswers reads what a page is answered: each request once, and well.
func wantAnswers(c readWriter, inOrder bool) func(*bufio.Reader) error {
	last, answered := 0, map[int]bool{}
	return func(*bufio.Reader) error {
		for {
			text, err := wsutil.ReadServerText(c)
			if err != nil {
				return err
			}
			var f struct {
				Op   string
				ID   int
				Data stamp
			}
			if err := json.Unmarshal(text, &f); err != nil {
				return fmt.Errorf("%.100q: %w", text, err)
			}
			switch {
			case f.Op == "err" || f.Op == "bye" || f.Op == "gap":
				return fmt.Errorf("it is told %s", text)
			case f.Op == "welcome" || f.ID == 0: // or something that it has subscribed to
				continue
			case answered[f.ID] || inOrder && f.ID != last+1:
				return fmt.Errorf("it is told %s behind %d", text, last)
			case f.Op == "rpc" && f.Data.N != f.ID:
				return fmt.Errorf("it is told %s", text)
			}
			last, answered[f.ID] = f.ID, true
			return nil
		}
	}
}

// comers are pages of level 0 that a hook has to let in, and into a channel. Once they have come, nothing may happen to
// them.
type comers struct {
	*crossings
	began int32
	came  atomic.Int32
	again atomic.Int32 // those that the predecessor has accepted at the last moment: they are answered 503
}

// come has one more come, and stay.
func (c *comers) come() {
	c.t.Helper()
	c.began++
	name, conn := fmt.Sprint("comer", c.began), c.dial(c.server.pages)
	at := &url.URL{
		Scheme: "ws", Host: c.server.pages, Path: "/", RawQuery: "hello=1&sub=room:0&token=" + name,
	}
	go func() {
		early, _, err := ws.Dialer{}.Upgrade(conn, at)
		if err == ws.StatusError(http.StatusServiceUnavailable) {
			c.again.Add(1)
			if conn, err = net.DialTimeout("tcp", at.Host, patience); err == nil {
				defer conn.Close()
				early, _, err = ws.Dialer{}.Upgrade(conn, at)
			}
		}
		if early == nil {
			early = bufio.NewReader(conn)
		}
		var hello []byte
		if err == nil {
			hello, err = wsutil.ReadServerText(readWriter{early, conn})
		}
		if err != nil || !strings.HasPrefix(string(hello), `{"conn":`) {
			c.complain("%s is told %q, %v", name, hello, err)
			return
		}
		c.came.Add(1)
		r := &reader{crossings: c.crossings, name: name, next: texts(readWriter{early, conn}), last: map[string]int{}}
		r.read()
	}()
}

// TestHooksHandoverSettings has a reload end what hooks decide, while they are asked: what they had not decided
// namespaces and credentials do, and a listener answers, in the order in which it was said.
func TestHooksHandoverSettings(t *testing.T) {
	t.Parallel()
	a := startJudge(t, "publish rpc")
	m := newMortalOf(t, a.settings("connect, subscribe, publish, rpc"), inMemory...)
	k := &crossings{t: t, server: m}
	ear := newEar(t, m.backend)
	follower, page := k.live("follower", "room:1"), k.live("ann", "hall:1")
	before := a.asks()
	k.say(page, `[{"op":"pub","id":1,"ch":"room:1","data":1},{"op":"rpc","id":2,"method":"two"}]`)
	linemantest.Until(t, "the hook is not asked", func() bool { return a.asks() == before+2 })
	write(t, m.folder+"/lineman.yaml", a.settings("connect, subscribe"))
	k.reload()
	k.say(page, `{"op":"pub","id":3,"ch":"room:1","data":3}`)
	next := func(from readWriter, want string) {
		t.Helper()
		_ = from.to.SetReadDeadline(time.Now().Add(patience)) // if it has ended, the read says so
		for {
			text, err := wsutil.ReadServerText(from)
			if err != nil {
				t.Fatal(err)
			}
			if f := string(text); !strings.Contains(f, `"welcome"`) && !strings.Contains(f, `"ch":"u:`) {
				if !strings.Contains(f, want) {
					t.Errorf("it is told %s, want %s", f, want)
				}
				return
			}
		}
	}
	for n := 1; n <= 3; n += 2 {
		next(page, fmt.Sprintf(`{"op":"pub","id":%d,`, n))
		next(follower, fmt.Sprintf(`"data":%d}`, n))
	}
	ear.command(`{"cmd":"reply","call":%q,"data":2}`, ear.hears("ann", "rpc two again").Call)
	next(page, `{"op":"rpc","id":2,"data":2}`)
	k.over.Store(true)
	for _, complaint := range k.complaints {
		t.Error(complaint)
	}
}
