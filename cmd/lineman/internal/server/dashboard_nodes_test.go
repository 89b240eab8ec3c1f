package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/pushtest"
)

// TestDashboardNodes has each of several nodes show the figures of all, and where somebody is; and who leaves.
func TestDashboardNodes(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { figuresOfNodes(t, n) })
	}
}

func figuresOfNodes(t *testing.T, n int) {
	const pages, published = 4, 10
	network := pushtest.NewNetwork()
	t.Cleanup(network.End)
	var all []*running
	for range n {
		all = append(all, start(t, devMode(), server.Options{Broker: network}))
	}
	for i, r := range all { // the i-th has i more
		r.linked(true)
		for k := range pages + i {
			r.page(fmt.Sprintf("ann%d-%d", i, k))
		}
		told(t, r.page(strings.Repeat("x", 300)), 4001) // no uid is so long
	}
	pagesInAll := n*pages + n*(n-1)/2
	b := all[0].backend()
	all[0].counts(b, "*", pagesInAll)
	for range published {
		ask(b, `{"cmd":"pub","to":"*","text":"hello"}`)
	}
	for i, r := range all {
		r.tellsOfNodes(n, pages, i)
		want := map[string]float64{
			"published": published, "delivered": float64(published * pagesInAll), "refused": float64(n),
		}
		past := r.nodesHaveDone(n, want)
		for what, much := range want {
			if got := past[what]; math.Abs(got-much) > 0.01 {
				t.Errorf("%v were %s, want %v", got, what, much)
			}
		}
		r.findsOnNodes(n, pages, pagesInAll)
	}
	if err := all[n-1].Stop(); err != nil {
		t.Error(err)
	}
	linemantest.Until(t, "who has left is still there", func() bool { return len(all[0].figures().Nodes) == n-1 })
}

// tellsOfNodes checks the newest figures at one of n nodes, the i-th.
func (r *running) tellsOfNodes(n, pages, i int) {
	r.t.Helper()
	var now figures.Report
	linemantest.Until(r.t, "not all nodes are told of", func() bool {
		now = r.figures()
		told := 0
		for _, one := range now.Nodes {
			told += one.Now.Conns.Pages
		}
		return len(now.Nodes) == n && now.Now.Conns.Pages == pages+i && told == n*pages+n*(n-1)/2
	})
	if now.All.Conns.Pages != n*pages+n*(n-1)/2 || now.Loops || len(now.Refusals) != n {
		r.t.Errorf("all have %+v, and %d refusals", now.All.Conns, len(now.Refusals))
	}
	names := map[string]bool{}
	for _, one := range now.Nodes {
		names[one.Name] = true
		if one.State != figures.Live || one.Version == "" {
			r.t.Errorf("a node is %+v", one)
		}
	}
	if len(names) != n || !names[now.Refusals[0].Node] {
		r.t.Errorf("the nodes are %v, and one of them is %q", names, now.Refusals[0].Node)
	}
}

// nodesHaveDone is what all n nodes have done in the last hour, once so much was recorded.
func (r *running) nodesHaveDone(n int, want map[string]float64) (all map[string]float64) {
	r.t.Helper()
	linemantest.Until(r.t, "the last hour of all does not have all", func() bool {
		past, err := r.server.Past(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		all = map[string]float64{}
		for id, series := range past {
			if id != "" {
				for name, done := range done(series.Seconds) {
					all[name] += done
				}
			}
		}
		for what, much := range want {
			if all[what] < much-0.01 {
				return false
			}
		}
		return len(past) == n+1 && len(past[""].Seconds) > 0
	})
	return all
}

// findsOnNodes checks what is found of all pages.
func (r *running) findsOnNodes(n, pages, pagesInAll int) {
	r.t.Helper()
	one := &operator{running: r}
	one.meet()
	var found struct {
		Incomplete bool
		Conns      []struct{ UID, Node string }
	}
	status, text := one.get("/dashboard/find?to=*")
	if err := json.Unmarshal([]byte(text), &found); status != 200 || err != nil || found.Incomplete {
		r.t.Fatalf("found is %d %s", status, text)
	}
	byNode := map[string]int{}
	for _, c := range found.Conns {
		byNode[c.Node]++
	}
	if len(found.Conns) != pagesInAll || len(byNode) != n {
		r.t.Errorf("found are %v", byNode)
	}
	for _, conns := range byNode {
		if conns < pages || conns >= pages+n {
			r.t.Errorf("found are %v", byNode)
		}
	}
}

// TestDashboardHearing has a node tell of the listeners and hooks of all nodes, and of each: one hook is away.
func TestDashboardHearing(t *testing.T) {
	network := pushtest.NewNetwork()
	t.Cleanup(network.End)
	away, well := startListener(t), startListener(t)
	away.status = http.StatusServiceUnavailable
	options := server.Options{Broker: network}
	one, other := start(t, away.hears(t, "connect"), options), start(t, well.hears(t, "connect"), options)
	one.linked(true)
	other.linked(true)
	for i, r := range []*running{one, other} {
		for range i + 1 {
			r.listening(`{"cmd":"listen","events":["message"],"group":"chat"}`)
		}
		for k := range 8 { // so many failures in a row are a hook that is away
			r.page(fmt.Sprintf("ann%d-%d", i, k))
		}
	}
	for _, r := range []*running{one, other} {
		var now figures.Report
		linemantest.Until(t, "the hook is not away", func() bool {
			now = r.figures()
			return len(now.Nodes) == 2 && len(now.Hooks) == 1 && now.Hooks[0].Open && hookIn(now, false).Requests > 0
		})
		open, healthy := hookIn(now, true), hookIn(now, false)
		if all := now.Hooks[0]; open.Failed == 0 || all.Failed != open.Failed || healthy.Failed != 0 ||
			all.Requests != open.Requests+healthy.Requests || all.Requests == open.Requests {
			t.Errorf("the hook is %+v, here %+v, there %+v", all, open, healthy)
		}
		chat := map[int]bool{listenersIn(now.Groups): true}
		for _, n := range now.Nodes {
			chat[listenersIn(n.Groups)] = true
		}
		if len(chat) != 3 || !chat[1] || !chat[2] || !chat[3] {
			t.Errorf("so many listen: %v", chat)
		}
	}
}

// hookIn is the hook at the node where it is away, or at the other one.
func hookIn(r figures.Report, away bool) (h figures.Hook) {
	for _, n := range r.Nodes {
		if len(n.Hooks) == 1 && n.Hooks[0].Open == away {
			h = n.Hooks[0]
		}
	}
	return h
}

// listenersIn is how many listeners the group chat has.
func listenersIn(groups []figures.Group) (n int) {
	for _, g := range groups {
		if g.Name == "chat" {
			n += g.Listeners
		}
	}
	return n
}

// TestDashboardAway has a node that reaches no other show so, and its own figures.
func TestDashboardAway(t *testing.T) {
	network := pushtest.NewNetwork()
	t.Cleanup(network.End)
	options := server.Options{Broker: network}
	r, other := start(t, devMode(), options), start(t, devMode(), options)
	r.linked(true)
	other.linked(true)
	r.page("ann")
	linemantest.Until(t, "the other one is not told of", func() bool { return len(r.figures().Nodes) == 2 })
	network.Cut()
	r.linked(false)
	linemantest.Until(t, "the other one is told of as if it was reached", func() bool {
		now, states := r.figures(), map[figures.State]int{}
		for _, one := range now.Nodes {
			states[one.State]++
		}
		return states[figures.Live] == 1 && states[figures.Away] == 1 && now.All.Conns.Pages == 1
	})
	if past := r.past(""); len(past.Seconds) == 0 {
		t.Error("nothing is told of the past")
	}
	one := &operator{running: r}
	one.meet()
	if status, text := one.get("/dashboard/find?to=*"); status != 200 || !strings.Contains(text, `"incomplete":true`) ||
		!strings.Contains(text, `"uid":"ann"`) {
		t.Errorf("found is %d %s", status, text)
	}
}

// TestDashboardLoops tells of each loop of a process.
func TestDashboardLoops(t *testing.T) {
	c := devMode()
	c.Loops = 3
	r := start(t, c, server.Options{})
	b := r.backend()
	for i := range 6 {
		r.page(fmt.Sprint("ann", i))
	}
	r.counts(b, "*", 6)
	linemantest.Until(t, "not all loops have told all", func() bool {
		ask(b, `{"cmd":"pub","to":"*","text":"hello"}`)
		now, pages, delivering, names := r.figures(), 0, 0, []string{}
		for _, one := range now.Nodes {
			names = append(names, one.Name)
			if pages += one.Now.Conns.Pages; one.Now.Rates.Delivered > 0 {
				delivering++
			}
		}
		return now.Loops && fmt.Sprint(names) == "[loop 0 loop 1 loop 2]" && pages == 6 && delivering == 3 &&
			now.All.Conns.Pages == 6
	})
	one := &operator{running: r}
	one.meet()
	if _, text := one.get("/dashboard/find?to=*"); strings.Count(text, `"uid":"ann`) != 6 {
		t.Errorf("found is %s", text)
	}
}

// TestDashboardLogout ends a session here, with all that it looks at.
func TestDashboardLogout(t *testing.T) {
	r := start(t, keyed(), server.Options{Credentials: openQuick(secret)})
	one, other := r.operator(theKey), r.operator(theKey)
	live := one.send("GET", "/dashboard/live", "", nil)
	if answer := one.send("POST", "/dashboard/logout", "{}", nil); answer.StatusCode != http.StatusNoContent {
		t.Fatalf("the logout is answered %d", answer.StatusCode)
	}
	if _, err := io.Copy(io.Discard, live.Body); err != nil {
		t.Errorf("what is live ends with %v", err)
	}
	if status, _ := one.get("/dashboard/session"); status != http.StatusUnauthorized {
		t.Errorf("the session is good: %d", status)
	}
	if status, _ := one.do("kick", `{"to":"*"}`); status != http.StatusUnauthorized {
		t.Errorf("who has logged out may kick: %d", status)
	}
	if status, _ := other.get("/dashboard/session"); status != http.StatusOK {
		t.Errorf("another session of the same key is no good: %d", status)
	}
}

// TestDashboardStreams has as many pages of the dashboard open as can be, none of which reads: no other one opens, and
// they take a bounded memory.
func TestDashboardStreams(t *testing.T) {
	const streams, each = 32, 512 << 10
	r := start(t, devMode(), server.Options{})
	one := &operator{running: r}
	one.meet()
	before := heap()
	for range streams {
		if answer := one.send("GET", "/dashboard/live", "", nil); answer.StatusCode != http.StatusOK {
			t.Fatalf("one of %d is answered %d", streams, answer.StatusCode)
		}
	}
	if answer := one.send("GET", "/dashboard/live", "", nil); answer.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one more is answered %d", answer.StatusCode)
	}
	at := r.figures().Now.At
	linemantest.Until(t, "no time goes by", func() bool { return r.figures().Now.At > at+4000 })
	if took := heap() - before; took > streams*each {
		t.Errorf("they take %d KiB", took>>10)
	} else {
		t.Logf("they take %d KiB", took>>10)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
