package command_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push/command"
)

const docs = "../../docs/"

// TestDocs has a row for each command, in order, with what it takes, what it answers and its scope: in docs/push.md,
// and for those of listeners in docs/events.md.
func TestDocs(t *testing.T) {
	hearing, _ := hearingTable(t)
	names := newBench(t).Names()
	listeners := slices.DeleteFunc(hearing.Names(), func(name string) bool { return slices.Contains(names, name) })
	compareRows(t, "push.md", names)
	compareRows(t, "events.md", listeners)
}

// compareRows compares the table of a page about commands with these.
func compareRows(t *testing.T, page string, want []string) {
	t.Helper()
	text, err := os.ReadFile(docs + page)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n## Commands\n\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var names []string
	for _, line := range strings.Split(table, "\n")[2:] {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		name := words(cells[0])[0]
		names = append(names, name)
		takes, answers, scope := command.Row(name)
		if got := words(cells[1]); !slices.Equal(got, takes) {
			t.Errorf("%s takes %q, and its row says %q", name, takes, got)
		}
		if got := words(cells[3]); !slices.Equal(got, answers) {
			t.Errorf("%s answers %q, and its row says %q", name, answers, got)
		}
		if got := strings.TrimSpace(cells[4]); got != string(scope) {
			t.Errorf("%s has the scope %s, and its row says %s", name, scope, got)
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("%s: the rows are those of %q, want %q", page, names, want)
	}
}

// words are those of a text that are written as code.
func words(text string) (all []string) {
	for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// example is a command as the documents show it. What follows a line's last field may be left out there by "…".
var example = regexp.MustCompile(`\{"cmd":"[^\n` + "`" + `']*\}`)

// TestDocExamples runs each command that the documents show.
func TestDocExamples(t *testing.T) {
	for _, page := range []string{"push.md", "history.md", "presence.md", "pages.md", "from-gatewayworker.md"} {
		text, err := os.ReadFile(docs + page)
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t)
		_, id := b.add("7")
		n := 0
		for _, all := range example.FindAllString(string(text), -1) {
			for _, line := range strings.Split(strings.ReplaceAll(all, "c:…", string(id)), `\n`) {
				if strings.HasPrefix(line, `{"cmd":"auth"`) {
					continue
				}
				n++
				if answer := b.ask(line, nil); !strings.HasPrefix(answer, `{"ok":true`) {
					t.Errorf("%s: %s: %s", page, line, answer)
				}
			}
		}
		if n < 2 {
			t.Errorf("%s has %d commands", page, n)
		}
	}
}
