package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// figured are figures as the dashboard and lineman top tell them.
type figured struct {
	At, Seconds float64
	Connections map[string]float64
	Rates       struct {
		Published, Delivered float64
		BytesOut             float64 `json:"bytes_out"`
	}
}

// toldBy is a server of which each way is to tell the same.
type toldBy struct {
	push
	t *testing.T

	mu      sync.Mutex         // guards reports
	reports map[float64]report // of the dashboard, by when they are of
}

// report is what the dashboard tells each second.
type report struct {
	Now   json.RawMessage
	Nodes []struct{ Now figured }
	at    figured // is Now
}

// TestFiguresAgree has lineman top, status, the dashboard and the metrics tell the same of a load that is known, on
// three loops.
func TestFiguresAgree(t *testing.T) {
	const pages = 12
	p := &toldBy{push: startLineman(t, "--loops", "3"), t: t, reports: make(map[float64]report)}
	for i := range pages {
		c := visit(t, p.pages)
		if err := wsutil.WriteClientText(c, fmt.Append(nil, "ann", i)); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, c) }()
		p.known(fmt.Sprint("ann", i))
	}
	before := p.metrics()
	p.record()
	page := open(t, browser(t), p.board())
	page.shows("#link", "Live")
	published := p.load()
	for range 3 {
		p.topAgrees()
		p.drawingAgrees(`published (\S+)/s   delivered (\S+)/s`, func() string { return p.command("top", "--once") })
		p.drawingAgrees(`Published / s\n(\S+)\n[^/]*Delivered / s\n(\S+)\n`,
			func() string { return page.text("#tiles") })
		p.statusAgrees()
	}
	linemantest.Until(t, "the loops and the process tell of no second", p.loopsAgree)
	n := float64(published())
	now := p.metrics()
	for metric, want := range map[string]float64{
		"publishes_total": before["publishes_total"] + n, "deliveries_total": before["deliveries_total"] + n*pages,
		"connections": pages, "uids": pages,
	} {
		if now[metric] != want {
			t.Errorf("%s is %v, want %v", metric, now[metric], want)
		}
	}
	p.hourAgrees(now)
}

// load publishes for all pages until published is called, which tells how often that was done.
func (p *toldBy) load() (published func() int64) {
	var n atomic.Int64
	end, ended := make(chan struct{}), make(chan struct{})
	c := dial(p.t, p.backends)
	go func() {
		defer close(ended)
		defer c.Close()
		lines, tick := bufio.NewReader(c), time.NewTicker(5*time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			fmt.Fprintln(c, `{"cmd":"pub","to":"*","text":"hello"}`)
			if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, `{"ok":true`) {
				p.t.Errorf("a publication is answered %q, %v", line, err)
				return
			}
			n.Add(1)
		}
	}()
	return func() int64 {
		close(end)
		<-ended
		return n.Load()
	}
}

// get reads from the port of the dashboard.
func (p *toldBy) get(path string) *bufio.Scanner {
	p.t.Helper()
	ask, _ := http.NewRequestWithContext(p.t.Context(), "GET", p.board()+path, nil)
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(ask)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { answer.Body.Close() })
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 16<<20)
	return lines
}

// metrics are those without labels.
func (p *toldBy) metrics() map[string]float64 {
	p.t.Helper()
	all := make(map[string]float64)
	for lines := p.get("metrics"); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			all[strings.TrimPrefix(name, "lineman_")] = v
		}
	}
	return all
}

// record keeps what the dashboard tells from now on.
func (p *toldBy) record() {
	lines := p.get("dashboard/live")
	go func() {
		for lines.Scan() {
			var r report
			data, is := strings.CutPrefix(lines.Text(), "data: ")
			if !is || json.Unmarshal([]byte(data), &r) != nil || json.Unmarshal(r.Now, &r.at) != nil {
				continue
			}
			p.mu.Lock()
			p.reports[r.at.At] = r
			p.mu.Unlock()
		}
	}()
}

// some is a report for which a condition holds, if there is one.
func (p *toldBy) some(is func(report) bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.reports {
		if is(r) {
			return true
		}
	}
	return false
}

// topAgrees has lineman top tell, of some second, what the dashboard tells of it: to the byte.
func (p *toldBy) topAgrees() {
	p.t.Helper()
	linemantest.Until(p.t, "top and the dashboard tell of no second in which something was published", func() bool {
		var top struct {
			Processes []struct{ Figures json.RawMessage }
		}
		var of figured
		text := p.command("top", "--once", "--json")
		if err := json.Unmarshal([]byte(text), &top); err != nil {
			p.t.Fatalf("%v: %s", err, text)
		}
		told := top.Processes[0].Figures
		if err := json.Unmarshal(told, &of); err != nil {
			p.t.Fatalf("%v: %s", err, told)
		}
		return p.some(func(r report) bool {
			if r.at.At == of.At && string(r.Now) != string(told) {
				p.t.Errorf("of one second top tells\n%s\nthe dashboard\n%s", told, r.Now)
			}
			return r.at.At == of.At && of.Rates.Published > 0
		})
	})
}

// drawingAgrees has what is shown to people be, rounded, what was published and delivered in some second. It looks
// again and again: what is shown may be of a second that the record has not, as each looks for itself.
func (p *toldBy) drawingAgrees(form string, look func() string) {
	p.t.Helper()
	near := func(shown, is float64) bool { return math.Abs(shown-is) <= max(0.5, is/200) } // three digits are shown
	linemantest.Until(p.t, "of no second the dashboard tells what is shown", func() bool {
		published, delivered := p.drawn(form, look())
		return p.some(func(r report) bool {
			return near(published, r.at.Rates.Published) && near(delivered, r.at.Rates.Delivered)
		})
	})
}

// drawn are the two figures that a form finds in what is shown.
func (p *toldBy) drawn(form, text string) (published, delivered float64) {
	p.t.Helper()
	found := regexp.MustCompile(form).FindStringSubmatch(text)
	if found == nil {
		p.t.Fatalf("there are no figures in\n%s", text)
	}
	var shown [2]float64
	for i := range shown {
		factor, digits := 1.0, strings.ReplaceAll(found[i+1], ",", "")
		if short, is := strings.CutSuffix(digits, "K"); is {
			factor, digits = 1000, short
		}
		v, err := strconv.ParseFloat(digits, 64)
		if err != nil {
			p.t.Fatal(err)
		}
		shown[i] = v * factor
	}
	return shown[0], shown[1]
}

// statusAgrees has status tell what the metrics do: each of its counters is one of the time between two looks at them.
func (p *toldBy) statusAgrees() {
	p.t.Helper()
	then := p.metrics()
	linemantest.Until(p.t, "status stays behind the metrics", func() bool {
		var s lineman.Status
		if err := json.Unmarshal([]byte(p.command("status", "--json")), &s); err != nil || len(s.Processes) != 1 {
			p.t.Fatalf("the status is %+v, %v", s, err)
		}
		one, now, behind := s.Processes[0], p.metrics(), false
		for metric, told := range map[string]uint64{
			"accepted_connections_total": one.Accepted, "received_bytes_total": one.BytesIn,
			"sent_bytes_total": one.BytesOut,
		} {
			behind = behind || float64(told) < then[metric]
			if float64(told) > now[metric] {
				p.t.Errorf("status tells of %d, the metrics later of %s %v", told, metric, now[metric])
			}
		}
		return !behind
	})
}

// loopsAgree has all loops together have done what the process has, in each second. It reports whether two could be
// compared.
func (p *toldBy) loopsAgree() bool {
	p.t.Helper()
	compared := 0
	p.some(func(r report) bool {
		var published, delivered, out float64
		other := false
		for _, loop := range r.Nodes {
			// The first interval of a loop may begin later; and it may be in the midst of the next sample.
			other = other || loop.Now.Seconds == 0 || math.Abs(loop.Now.At-r.at.At) > 500
			published += loop.Now.Rates.Published * loop.Now.Seconds
			delivered += loop.Now.Rates.Delivered * loop.Now.Seconds
			out += loop.Now.Rates.BytesOut * loop.Now.Seconds
		}
		all := r.at.Rates
		if other || all.Published == 0 {
			return false
		}
		compared++
		for _, of := range [][2]float64{
			{published, all.Published * r.at.Seconds}, {delivered, all.Delivered * r.at.Seconds},
			{out, all.BytesOut * r.at.Seconds},
		} {
			if math.Abs(of[0]-of[1]) > 0.01 || len(r.Nodes) != 3 {
				p.t.Errorf("%d loops have done %v, the process %v", len(r.Nodes), of[0], of[1])
			}
		}
		return false
	})
	return compared >= 2
}

// hourAgrees waits until the last hour of the dashboard has all that the metrics have counted.
func (p *toldBy) hourAgrees(metrics map[string]float64) {
	p.t.Helper()
	one := &onlooker{t: p.t, dashboard: p.board(), client: &http.Client{Timeout: patience}}
	p.t.Cleanup(one.client.CloseIdleConnections)
	var published, delivered float64
	linemantest.Until(p.t, "the last hour does not tell all", func() bool {
		published, delivered = 0, 0
		for _, second := range one.past()[""] {
			published += second[1] * second[3]
			delivered += second[1] * second[4]
		}
		return delivered > metrics["deliveries_total"]-0.5
	})
	if math.Abs(published-metrics["publishes_total"]) > 0.1 ||
		math.Abs(delivered-metrics["deliveries_total"]) > 0.5 {
		p.t.Errorf("the last hour tells of %v publications and %v deliveries, the metrics of %v and %v", published,
			delivered, metrics["publishes_total"], metrics["deliveries_total"])
	}
}
