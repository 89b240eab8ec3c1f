package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// served are the metrics of a server that has something of all, with the names of their labels.
func served(t *testing.T) map[string]map[string]bool {
	t.Helper()
	c := startListener(t).hears(t, "message")
	app := startApplication(t, func(question) string { return `{"error":"no","code":404}` })
	c.Hooks["door"] = app.decides("rpc").Hooks["app"]
	r := start(t, c, server.Options{})
	b := r.backend()
	linemantest.Until(t, "nothing can be published", func() bool { return ask(b, `{"uid":"x"}`) != "" })
	admin := *r
	admin.api = r.admin
	_, text := admin.get("/metrics", nil)
	all := map[string]map[string]bool{}
	for _, sample := range regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? `).FindAllStringSubmatch(text, -1) {
		if all[sample[1]] == nil {
			all[sample[1]] = map[string]bool{"job": true, "instance": true}
		}
		for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(sample[2], -1) {
			all[sample[1]][label[1]] = true
		}
	}
	return all
}

// metricName finds what may be a metric in an expression of Prometheus.
var metricName = regexp.MustCompile(`\b(?:lineman|process|go)_\w+`)

// isServed checks that an expression is about metrics and labels that there are, as are the labels of its texts.
func isServed(t *testing.T, all map[string]map[string]bool, where, expr string, texts ...string) {
	t.Helper()
	names := metricName.FindAllString(expr, -1)
	labels := map[string]bool{"job": true, "instance": true}
	for _, name := range names {
		if all[name] == nil {
			t.Errorf("%s: there is no metric %s", where, name)
		}
		for label := range all[name] {
			labels[label] = true
		}
	}
	if len(names) == 0 && !strings.HasPrefix(expr, "up{") {
		t.Errorf("%s: %q has no metric", where, expr)
	}
	var used []string
	for _, by := range regexp.MustCompile(`\bby \(([^)]*)\)`).FindAllStringSubmatch(expr, -1) {
		used = append(used, strings.Split(by[1], ", ")...)
	}
	for _, text := range texts {
		for _, label := range regexp.MustCompile(`\{\{ ?(?:\$labels\.)?(\w+) ?\}\}`).FindAllStringSubmatch(text, -1) {
			used = append(used, label[1])
			kept := regexp.MustCompile(`by \([^)]*\b` + label[1] + `\b`)
			if strings.Contains(expr, "sum by (") && !kept.MatchString(expr) {
				t.Errorf("%s: %q has summed the label %s up", where, expr, label[1])
			}
		}
	}
	for _, label := range used {
		if !labels[label] {
			t.Errorf("%s: %q has no label %s", where, expr, label)
		}
	}
	if strings.Count(expr, "(") != strings.Count(expr, ")") {
		t.Errorf("%s: %q is not closed", where, expr)
	}
}

// TestAlerts has each rule be about metrics of a server that runs, say what to do, and name a chapter that there is.
func TestAlerts(t *testing.T) {
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	text := deployed(t, "deploy/alerts.yml")
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	all, service, seen := served(t), string(deployed(t, "service.md")), map[string]bool{}
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			if seen[r.Alert] {
				t.Errorf("there are two rules %s", r.Alert)
			}
			seen[r.Alert] = true
			isServed(t, all, r.Alert, r.Expr, r.Annotations["summary"], r.Annotations["description"])
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] == "" {
				t.Errorf("%s does not say what is so, what to do, and how bad that is", r.Alert)
			}
			const docs = "https://github.com/lineman-go/lineman/blob/main/docs/"
			page, isOurs := strings.CutPrefix(r.Annotations["runbook_url"], docs)
			page, anchor, found := strings.Cut(page, "#")
			if !isOurs || !found || !hasHeading(string(deployed(t, page)), anchor) {
				t.Errorf("%s: there is no %s", r.Alert, r.Annotations["runbook_url"])
			}
			if !strings.Contains(service, "| `"+r.Alert+"` |") {
				t.Errorf("docs/service.md has no row for %s", r.Alert)
			}
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(Lineman\\w+)`").FindAllStringSubmatch(service, -1) {
		if !seen[row[1]] {
			t.Errorf("docs/service.md has a row for %s, of which there is no rule", row[1])
		}
	}
	if len(seen) < 10 {
		t.Errorf("there are %d rules", len(seen))
	}
}

// deployed is a file of docs.
func deployed(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// hasHeading reports whether a document has a heading that an anchor names.
func hasHeading(text, anchor string) bool {
	for line := range strings.Lines(text) {
		title := strings.TrimSpace(strings.TrimLeft(line, "#"))
		if strings.HasPrefix(line, "#") && strings.ReplaceAll(strings.ToLower(title), " ", "-") == anchor {
			return true
		}
	}
	return false
}

// TestGrafana has each panel be about metrics of a server that runs, say what it shows, and have a place of its own.
func TestGrafana(t *testing.T) {
	type panel struct {
		ID          int
		Type        string
		Title       string
		Description string
		GridPos     struct{ H, W, X, Y int }
		Targets     []struct{ Expr, LegendFormat string }
	}
	var board struct {
		Title, UID string
		Panels     []panel
	}
	if err := json.Unmarshal(deployed(t, "deploy/grafana.json"), &board); err != nil {
		t.Fatal(err)
	}
	all, taken, shown := served(t), map[string]string{}, map[string]bool{}
	for _, p := range board.Panels {
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				at := fmt.Sprint(x, ",", y)
				if taken[at] != "" || x >= 24 {
					t.Fatalf("%s has the place of %q", p.Title, taken[at])
				}
				taken[at] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d does not say what it shows", p.ID)
		}
		for _, target := range p.Targets {
			isServed(t, all, p.Title, target.Expr, target.LegendFormat)
			for _, name := range metricName.FindAllString(target.Expr, -1) {
				shown[name] = true
			}
		}
	}
	for name := range all {
		if strings.HasPrefix(name, "lineman_") && !shown[name] && !strings.HasSuffix(name, "_count") &&
			!strings.HasSuffix(name, "_sum") {
			t.Errorf("no panel shows %s", name)
		}
	}
}
