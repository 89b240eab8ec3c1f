package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// The load under which the dashboard is looked at: each publication is for all pages.
const loadPages, loadPerSecond = 10_000, 2

// underLoad starts a server with so many connections, which get something all the while, until the end of the test.
func underLoad(t *testing.T) push {
	t.Helper()
	p := startLineman(t)
	bench := exec.Command(filepath.Join(binaries, "lineman"), "bench", "--url", "ws://"+p.pages, "--text", p.backends,
		"--connections", strconv.Itoa(loadPages), "--mode", "all", "--rate", strconv.Itoa(loadPerSecond),
		"--for", "10m")
	bench.Dir = t.TempDir()
	launch(t, bench)
	linemantest.Until(t, "not all pages come", func() bool {
		return strings.Contains(p.ask(`{"cmd":"count","to":"*"}`+"\n"), fmt.Sprintf(`{"*":%d}`, loadPages))
	})
	return p
}

// board is the address of the dashboard of a server in dev mode.
func (p push) board() string { return p.find(`watch +(http://\S+)`)[0] }

// TestDashboardScreens has the dashboard be readable with nobody there, one page, and 10,000 of them under load; light,
// dark, on a phone.
func TestDashboardScreens(t *testing.T) {
	t.Parallel()
	chrome := browser(t)
	p := startLineman(t)
	page := open(t, chrome, p.board())
	page.shows("#link", "Live")
	page.looks("empty")
	one := visit(t, p.pages)
	if err := wsutil.WriteClientText(one, []byte("ann")); err != nil {
		t.Fatal(err)
	}
	p.known("ann")
	page.shows("#tiles .value", "1")
	page.lookUp("u:", "ann")
	page.shows("#found", "ann has 1 connection.")
	page.looks("one")
	page.close()

	p = underLoad(t)
	page = open(t, chrome, p.board())
	page.shows("#link", "Live")
	page.shows("#tiles .value", "10,000")
	page.lookUp("*", "")
	page.shows("#found", "There are 10,000 connections of pages. 100 of them are shown.")
	linemantest.Until(t, "no deliveries are shown", func() bool {
		delivered := page.text("#tiles .tile:nth-child(3) .value")
		return strings.HasSuffix(delivered, "K") && delivered >= "1"
	})
	page.stands()
	page.looks("load")
}

// looks checks that nothing is wider than the window, and keeps pictures.
func (p *tab) looks(name string) {
	p.t.Helper()
	for _, look := range []struct {
		name, scheme  string
		width, height int64
	}{{"light", "light", 1280, 2200}, {"dark", "dark", 1280, 2200}, {"phone", "dark", 390, 3600}} {
		p.look(look.scheme, look.width, look.height)
		if eval[bool](p, "document.documentElement.scrollWidth > innerWidth") {
			p.t.Errorf("%s, %s: it is wider than the window", name, look.name)
		}
		p.picture("dashboard-" + name + "-" + look.name)
	}
}

// stands checks that for some seconds nothing above the tables of the busiest moves.
func (p *tab) stands() {
	p.t.Helper()
	const places = `[...document.querySelectorAll("#tiles, #plots, #lookup, #conns, #busiest")].map(one => {
		const box = one.getBoundingClientRect()
		return [one.id, Math.round(box.top), Math.round(box.height)].join(" ")
	}).join(", ")`
	before, told := eval[string](p, places), 0
	eval[string](p, `told = 0; new MutationObserver(() => told++).observe(document.querySelector("#tiles .value"),
		{ childList: true }); ""`)
	linemantest.Until(p.t, "nothing new is shown", func() bool {
		told = eval[int](p, "told")
		return told >= 4
	})
	if after := eval[string](p, places); after != before {
		p.t.Errorf("what is shown moves:\n%s\n%s", before, after)
	}
}

// TestDashboardCosts measures what an open dashboard costs a server that has 10,000 pages, and delivers 20,000 messages
// a second: in turns with as many as can be open, and with none, as one costs less than the noise of a machine. It
// takes a minute, so it is for LINEMAN_E2E_LONG=1.
func TestDashboardCosts(t *testing.T) {
	if told["LINEMAN_E2E_LONG"] == "" {
		t.Skip("it takes a minute: LINEMAN_E2E_LONG=1 runs it")
	}
	if runtime.GOOS != "linux" {
		t.Skip("it reads /proc")
	}
	const rounds, lasts, dashboards = 12, 4 * time.Second, 32
	p := underLoad(t)
	pid := p.serves()
	var spent [2]time.Duration
	for i := range rounds {
		open := []int{0, 1, 1, 0}[i%4]
		var ends []func()
		for range open * dashboards {
			ends = append(ends, p.look())
		}
		before := busy(t, pid)
		<-time.After(lasts)
		spent[open] += busy(t, pid) - before
		for _, end := range ends {
			end()
		}
	}
	each := float64(rounds / 2 * lasts)
	closed, open := float64(spent[0])/each, float64(spent[1])/each
	more := (open/closed - 1) / dashboards
	t.Logf("the server takes %.2f %% of a processor without a dashboard, %.2f %% with %d: %.2f %% more for each",
		100*closed, 100*open, dashboards, 100*more)
	if more > 0.02 {
		t.Error("an open dashboard costs more than 2 % of that")
	}
}

// serves is the process that serves.
func (p push) serves() int {
	p.t.Helper()
	var s lineman.Status
	if err := json.Unmarshal([]byte(p.command("status", "--json")), &s); err != nil || len(s.Processes) == 0 {
		p.t.Fatalf("the status has no process: %v", err)
	}
	return s.Processes[0].PID
}

// look has a dashboard open, which has got the last hour, until end is called.
func (p push) look() (end func()) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	ask, _ := http.NewRequestWithContext(ctx, "GET", p.board()+"dashboard/live", nil)
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(ask)
	if err != nil || answer.StatusCode != http.StatusOK {
		p.t.Fatal("the dashboard does not open:", err)
	}
	lines := bufio.NewReader(answer.Body)
	for line := ""; line != "event: report\n"; {
		if line, err = lines.ReadString('\n'); err != nil {
			p.t.Fatal(err)
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, lines) // until cancel
	}()
	return func() {
		cancel()
		<-ended
	}
}

// busy is how long the threads of a process have run.
func busy(t *testing.T, pid int) (all time.Duration) {
	t.Helper()
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all += time.Duration(n)
	}
	if all == 0 {
		t.Fatalf("process %d has done nothing: %v", pid, syscall.Kill(pid, 0))
	}
	return all
}
