package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// boards are the nodes of a cluster over Redis, each with a dashboard.
type boards struct {
	t      *testing.T
	nodes  []*mortal
	admins []string // the addresses of their dashboards
}

// at is the dashboard of a node.
func (b *boards) at(i int) string { return "http://" + b.admins[i] + "/" }

// newBoards starts so many nodes. The last one does not reach the hook of the others.
func newBoards(t *testing.T, n int) *boards {
	t.Helper()
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(hook.Close)
	r, b := startRedis(t), &boards{t: t}
	for i := range n {
		admin, url := free(t), hook.URL
		if i == n-1 {
			url = "http://" + free(t)
		}
		b.nodes = append(b.nodes, newMortalOf(t, fmt.Sprintf(`
token: {secrets: [the-secret-of-pages-0123456789abcdef]}
api: {keys: [{name: boss, key: %s, scopes: [admin, publish, manage, read, watch]}]}
namespaces: {default: {subscribe: all}}
hooks: {app: {url: %q, events: [connect], secrets: [the-secret-of-the-hook-0123456789], private: true}}
redis: {addresses: [%q]}
`, bossKey, url, r.addr), "--admin", admin))
		b.admins = append(b.admins, admin)
	}
	return b
}

// fill has pages come: on the first node so many, on the second twice as many, and so on. They are read.
func (b *boards) fill(pages int) {
	b.t.Helper()
	for i, m := range b.nodes {
		k := &crossings{t: b.t, server: m}
		for p := range pages * (i + 1) {
			c := k.plain(strings.TrimSpace(m.command("token", "--uid", fmt.Sprintf("ann%d-%d", i, p))))
			go func() {
				for buf := make([]byte, 4096); ; {
					if _, err := c.Read(buf); err != nil {
						return
					}
				}
			}()
		}
	}
}

// publish publishes something for all so many times at each node, the first time when all of so many pages are there.
func (b *boards) publish(times, pages int) {
	b.t.Helper()
	linemantest.Until(b.t, "not all pages are there", func() bool {
		answer, err := askLine(b.nodes[0].backend, `{"cmd":"count","to":"*"}`)
		return err == nil && strings.Contains(answer, fmt.Sprintf(`{"*":%d}`, pages))
	})
	for _, m := range b.nodes {
		for range times {
			if answer, err := askLine(m.backend, `{"cmd":"pub","to":"*","text":"hello"}`); err != nil ||
				answer != fmt.Sprintf(`{"ok":true,"n":%d}`, pages) {
				b.t.Fatalf("a publication is answered by %s, %v", answer, err)
			}
		}
	}
}

// listen has one listener on the first node, two on the second, and so on.
func (b *boards) listen() {
	b.t.Helper()
	for i, m := range b.nodes {
		for range i + 1 {
			c := dial(b.t, m.backend)
			if _, err := fmt.Fprintln(c, `{"cmd":"listen","events":["message"],"group":"chat"}`); err != nil {
				b.t.Fatal(err)
			}
			if said, err := bufio.NewReader(c).ReadString('\n'); err != nil || said != `{"ok":true}`+"\n" {
				b.t.Fatalf("listen is answered by %s, %v", said, err)
			}
		}
	}
}

// onlooker is a program that has logged in to a dashboard.
type onlooker struct {
	t                 *testing.T
	dashboard, cookie string
	client            *http.Client
}

func signIn(t *testing.T, dashboard string) *onlooker {
	t.Helper()
	o := &onlooker{t: t, dashboard: dashboard, client: &http.Client{Transport: &http.Transport{}, Timeout: patience}}
	t.Cleanup(o.client.CloseIdleConnections)
	ask, _ := http.NewRequestWithContext(t.Context(), "POST", dashboard+"dashboard/login",
		strings.NewReader(fmt.Sprintf(`{"secret":%q}`, bossKey)))
	ask.Header.Set("Origin", strings.TrimSuffix(dashboard, "/"))
	ask.Header.Set("Content-Type", "application/json")
	answer, err := o.client.Do(ask)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		t.Fatalf("the login is answered %s", answer.Status)
	}
	o.cookie, _, _ = strings.Cut(answer.Header.Get("Set-Cookie"), ";")
	return o
}

// past are the seconds of each node, and of all by "": each begins with when it has ended, and how long it was. It is
// empty while the server cannot be asked.
func (o *onlooker) past() (seconds map[string][][]float64) {
	o.t.Helper()
	ask, _ := http.NewRequestWithContext(o.t.Context(), "GET", o.dashboard+"dashboard/live", nil)
	ask.Header.Set("Cookie", o.cookie)
	answer, err := o.client.Do(ask)
	if err != nil {
		return nil // it reloads
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		text, isData := strings.CutPrefix(lines.Text(), "data: ")
		if !isData {
			continue
		}
		var past map[string]struct{ Seconds [][]float64 }
		if err := json.Unmarshal([]byte(text), &past); err != nil {
			o.t.Fatal(err)
		}
		seconds = make(map[string][][]float64)
		for id, one := range past {
			seconds[id] = one.Seconds
		}
		break
	}
	return seconds
}

// done is what all nodes have done in the last hour.
func (o *onlooker) done() (published, delivered float64, nodes int) {
	o.t.Helper()
	for id, points := range o.past() {
		if id == "" {
			continue
		}
		nodes++
		for _, p := range points {
			published += p[1] * p[3]
			delivered += p[1] * p[4]
		}
	}
	return published, delivered, nodes
}

// TestDashboardNodes has each node show the figures of all, which agree with what was driven; and one that was killed
// be shown as gone, and no longer count.
func TestDashboardNodes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { showsNodes(t, newBoards(t, n)) })
	}
}

func showsNodes(t *testing.T, b *boards) {
	const pages, times = 2, 25
	n := len(b.nodes)
	all := pages * n * (n + 1) / 2
	b.fill(pages)
	b.listen()
	b.publish(times, all)
	for i := range b.nodes {
		var published, delivered float64
		one := signIn(t, b.at(i))
		linemantest.Until(t, "not all is told of", func() bool {
			var nodes int
			published, delivered, nodes = one.done()
			return nodes == n && delivered > float64(times*n*all)-0.5
		})
		if math.Abs(published-float64(times*n)) > 0.1 || math.Abs(delivered-float64(times*n*all)) > 0.5 {
			t.Errorf("node %d tells of %v publications and %v deliveries, want %d and %d", i, published, delivered,
				times*n, times*n*all)
		}
	}
	page := logIn(t, browser(t), b.at(0))
	page.look("light", 1280, 3000)
	page.row("all", fmt.Sprint(all))
	for i, admin := range b.admins {
		page.row(portOf(admin), "live", fmt.Sprint(pages*(i+1)))
	}
	last := portOf(b.admins[n-1])
	page.line("#groups", "chat", fmt.Sprint(n*(n+1)/2))
	page.line("#hooks", "app", "away on "+hostOf(t)+":"+last+": left alone for a while")
	page.lookUp("*", "")
	page.shows("#found", fmt.Sprintf("There are %d connections of pages.", all))
	page.shows("#conns", ":"+last)
	page.picture(fmt.Sprint("dashboard-nodes-", n))
	b.killLast(page)
	page.row("all", fmt.Sprint(all-pages*n))
	page.line("#groups", "chat", fmt.Sprint(n*(n-1)/2))
	page.line("#hooks", "app", "well")
	page.picture(fmt.Sprint("dashboard-node-gone-", n))
	page.look("dark", 390, 4600)
	if eval[bool](page, "document.documentElement.scrollWidth > innerWidth") {
		t.Error("on a phone it is wider than the window")
	}
	page.picture(fmt.Sprint("dashboard-node-gone-phone-", n))
	page.oneNode(portOf(b.admins[0]), fmt.Sprint(pages))
}

// killLast kills the last node, and waits until it is shown as gone.
func (b *boards) killLast(page *tab) {
	b.t.Helper()
	last := b.nodes[len(b.nodes)-1]
	master, serving := last.cmd.Process.Pid, last.serving()
	kill(b.t, master, syscall.SIGSTOP) // it starts no other, and its end is no reason to leave
	kill(b.t, serving, syscall.SIGKILL)
	kill(b.t, master, syscall.SIGKILL)
	last.end()
	page.row(portOf(b.admins[len(b.nodes)-1]), "gone, last heard of at")
}

// row waits until a row of the nodes has cells with some texts, or that begin with them.
func (p *tab) row(of string, want ...string) {
	p.t.Helper()
	p.line("#node-list", of, want...)
}

// line is that for a table.
func (p *tab) line(table, of string, want ...string) {
	p.t.Helper()
	shown := ""
	defer func() {
		if p.t.Failed() {
			p.t.Logf("%s is\n%s\n%s", table, shown, p.text("#cluster"))
		}
	}()
	linemantest.Until(p.t, fmt.Sprintf("%s shows no %s with %q", table, of, want), func() bool {
		shown = p.text(table)
		for line := range strings.Lines(shown) {
			if cells := strings.Split(strings.TrimSpace(line), "\t"); strings.HasSuffix(cells[0], of) {
				return !slices.ContainsFunc(want, func(one string) bool {
					return !slices.ContainsFunc(cells, func(cell string) bool {
						return cell == one || strings.HasPrefix(cell, one+" ")
					})
				})
			}
		}
		return false
	})
}

// oneNode shows the figures of a node alone, the first one, which has so many connections.
func (p *tab) oneNode(of, connections string) {
	p.t.Helper()
	eval[string](p, fmt.Sprintf(`[...document.querySelectorAll("#node-list button")]
		.find(button => button.textContent.endsWith(":" + %q)).click(); ""`, of))
	p.shows("#tiles .value", connections)
	p.line("#groups", "chat", "1")
	p.shows("#hearing-of", of)
	if got := eval[string](p, `document.querySelector("#node").selectedOptions[0].text`); !strings.HasSuffix(got, of) {
		p.t.Errorf("the figures are those of %s, want %s", got, of)
	}
}

// hostOf is the name of this machine, as the dashboard shows it.
func hostOf(t *testing.T) string {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return host
}
