package lineman_test

import (
	"bytes"
	"fmt"
	"go/format"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	fences   = regexp.MustCompile("(?ms)^```.*?^```$")
	code     = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	links    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headings = regexp.MustCompile(`(?m)^#+ (.+)$`)
	runs     = regexp.MustCompile(`go(?: -C (\S+))? run (?:-\S+ )*\./([\w/-]+)`)
	tests    = regexp.MustCompile(`go test (?:-\S+ )*?-run '?([\w|/]+)'?(?: -\S+)* (\./\.\.\.|\./[\w/-]+|\.)`)
	declared = regexp.MustCompile(`(?m)^func (\w+)\(`)
)

// TestDocLinks wants every relative link of the documents to lead to a file, and its fragment to a heading.
func TestDocLinks(t *testing.T) {
	known := map[string]map[string]bool{} // the anchors of each document that links lead into
	for file, text := range sources(t, ".md") {
		for _, m := range links.FindAllSubmatch(fences.ReplaceAll(text, nil), -1) {
			u, err := url.Parse(string(m[1]))
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			target := file
			if u.Path != "" {
				target = path.Join(path.Dir(file), u.Path)
			}
			if _, err := os.Stat(filepath.FromSlash(target)); err != nil {
				t.Errorf("%s: link to %s: %v", file, m[1], err)
				continue
			}
			if u.Fragment == "" {
				continue
			}
			if known[target] == nil {
				known[target] = anchors(t, target)
			}
			if !known[target][u.Fragment] {
				t.Errorf("%s: link to %s: no such heading", file, m[1])
			}
		}
	}
}

// anchors are the fragments that the headings of a document give.
func anchors(t *testing.T, file string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range headings.FindAllSubmatch(fences.ReplaceAll(text, nil), -1) {
		id := strings.ToLower(string(m[1]))
		id = regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(id, "")
		found[strings.ReplaceAll(id, " ", "-")] = true
	}
	return found
}

// TestDocCommands wants the programs and tests that the documents name to be there.
func TestDocCommands(t *testing.T) {
	n, known := 0, declaredTests(t)
	for file, text := range sources(t, ".md") {
		for _, m := range runs.FindAllSubmatch(text, -1) {
			n++
			dir := filepath.Join(string(m[1]), string(m[2]))
			if files, _ := filepath.Glob(filepath.Join(dir, "*.go")); len(files) == 0 {
				t.Errorf("%s: %s: no program there", file, m[0])
			}
		}
		for _, m := range tests.FindAllSubmatch(text, -1) {
			n++
			checkTests(t, known, file, string(m[0]), string(m[1]), path.Clean(string(m[2])))
		}
	}
	if n < 10 {
		t.Errorf("found only %d commands in the documents", n)
	}
}

// declaredTests are the functions of the tests of each folder.
func declaredTests(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for file, text := range sources(t, ".go") {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range declared.FindAllSubmatch(text, -1) {
			found[path.Dir(file)] = append(found[path.Dir(file)], string(m[1]))
		}
	}
	return found
}

// checkTests wants a test for every alternative of a pattern in a folder or, with "...", below it.
func checkTests(t *testing.T, known map[string][]string, file, command, pattern, where string) {
	t.Helper()
	folder, below := strings.CutSuffix(where, "...")
	var names []string
	for dir, declared := range known {
		if dir == path.Clean(folder) || below && strings.HasPrefix(dir+"/", folder) {
			names = append(names, declared...)
		}
	}
	for _, want := range strings.Split(pattern, "|") {
		want, _, _ = strings.Cut(want, "/")
		found := false
		for _, name := range names {
			found = found || strings.Contains(name, want)
		}
		if !found {
			t.Errorf("%s: %s: no test %s in %s", file, command, want, where)
		}
	}
}

var spans = regexp.MustCompile("`[^`\n]+`|\\]\\([^)\\s]+\\)")

// TestReadmes has README.ja.md show the same code and lead to the same places as README.md, line of a table by line of
// a table.
func TestReadmes(t *testing.T) {
	var blocks, rows, all [2]string
	for i, file := range []string{"README.md", "README.ja.md"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("[日本語](README.ja.md)", "", "[English](README.md)", "").Replace(string(b))
		blocks[i] = strings.Join(fences.FindAllString(text, -1), "\n")
		for _, line := range strings.Split(text, "\n") {
			if strings.HasPrefix(line, "|") {
				rows[i] += strings.Join(spans.FindAllString(line, -1), " ") + "\n"
			}
		}
		said := spans.FindAllString(fences.ReplaceAllString(text, ""), -1)
		slices.Sort(said)
		all[i] = strings.Join(said, "\n")
	}
	for what, pair := range map[string][2]string{
		"blocks of code": blocks, "rows of tables": rows, "pieces of code and links": all,
	} {
		if pair[0] != pair[1] {
			t.Errorf("the %s differ:\n%s\n--- and in Japanese:\n%s", what, pair[0], pair[1])
		}
	}
}

var proofs = regexp.MustCompile("`(Test\\w+)`")

// TestDocTests wants the tests that the page about security names as proofs to be there.
func TestDocTests(t *testing.T) {
	text, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	known := knownTests(t)
	for _, m := range proofs.FindAllSubmatch(text, -1) {
		if !slices.Contains(known, string(m[1])) {
			t.Errorf("there is no test %s", m[1])
		}
	}
}

// TestDocCode wants the Go code of the documents to be as gofmt writes it. That the programs among it build is checked
// where there is time for it, by .ci/run.
func TestDocCode(t *testing.T) {
	for file, text := range sources(t, ".md") {
		for _, m := range code.FindAllSubmatch(text, -1) {
			if formatted, err := format.Source(m[1]); err != nil {
				t.Errorf("%s: %v in:\n%s", file, err, m[1])
			} else if !bytes.Equal(formatted, m[1]) {
				t.Errorf("%s: not formatted:\n%s", file, m[1])
			}
		}
	}
}

// TestRulesHaveTests has each rule of DESIGN.md bear a test of its number, and no test a number without a rule.
func TestRulesHaveTests(t *testing.T) {
	design, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rules, _ := strings.Cut(string(design), "\n## Rules\n")
	rules, _, _ = strings.Cut(rules, "\n## ")
	has := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(\d+)\. `).FindAllStringSubmatch(rules, -1) {
		has[fmt.Sprintf("%02s", m[1])] = false
	}
	for dir, names := range declaredTests(t) {
		for _, name := range names {
			m := regexp.MustCompile(`^TestRule(\d+)`).FindStringSubmatch(name)
			if m == nil {
				continue
			}
			number := m[1]
			if _, ok := has[number]; !ok || dir != "." {
				t.Errorf("%s: TestRule%s: want a rule of DESIGN.md with this number, and its tests in the root", dir,
					number)
			}
			has[number] = true
		}
	}
	for number, tested := range has {
		if !tested {
			t.Errorf("rule %s has no TestRule%s", number, number)
		}
	}
	if len(has) == 0 {
		t.Error("DESIGN.md has no rules")
	}
}

// TestExamplesLoopback has examples listen where no other machine reaches them, unless they are told otherwise.
func TestExamplesLoopback(t *testing.T) {
	address, found := regexp.MustCompile(`"(?:[a-z+]+://)?(\[[^]"]*\]|[\w.]*):\d+"`), 0
	for file, text := range sources(t, ".go") {
		if !strings.HasPrefix(file, "examples/") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range address.FindAllSubmatch(text, -1) {
			if found++; string(m[1]) != "127.0.0.1" {
				t.Errorf("%s: %s is reached from other machines: want 127.0.0.1", file, m[0])
			}
		}
	}
	if found == 0 {
		t.Error("the examples have no addresses")
	}
}
