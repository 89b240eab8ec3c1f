package lineman_test

import (
	"maps"
	"os"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
)

// What stands in several places, stands there alike: the tests of this file compare each list with the one that is
// right by its nature, such as the code. Lists of the push server are compared beside what they are of.

var (
	capitalized = regexp.MustCompile(`\b[A-Z]\w+\b`)
	inCode      = regexp.MustCompile("`([^`\n]+)`")
	callbacks   = regexp.MustCompile(`\bOn[A-Z]\w+`)
)

// all are the different matches of a pattern in a text, in order: of its group, if it has one.
func all(pattern *regexp.Regexp, text string) []string {
	found := map[string]bool{}
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		found[m[len(m)-1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// same wants lists to have the same elements as the first, which is right.
func same(t *testing.T, what string, right []string, lists map[string][]string) {
	t.Helper()
	if len(right) == 0 {
		t.Errorf("there are no %s", what)
	}
	for _, place := range slices.Sorted(maps.Keys(lists)) {
		for _, missing := range without(right, lists[place]) {
			t.Errorf("%s: %s: %s is missing", what, place, missing)
		}
		for _, beyond := range without(lists[place], right) {
			t.Errorf("%s: %s: %s is too much", what, place, beyond)
		}
	}
}

func without(list, other []string) (rest []string) {
	for _, s := range list {
		if !slices.Contains(other, s) {
			rest = append(rest, s)
		}
	}
	return rest
}

// TestDocAnyGoroutine compares the lists of methods that are for any goroutine with those that the tests of rule 4
// call from goroutines while -race looks on.
func TestDocAnyGoroutine(t *testing.T) {
	calls := map[string][]string{}
	for _, f := range []string{"rules_goroutines_test.go", "rules_race_test.go"} {
		for _, fn := range functions(t, f) {
			if name := fn.Name.Name; name == "useAll" || name == "use" {
				for on, called := range callsIn(fn) {
					calls[on] = append(calls[on], called...)
				}
			}
		}
	}
	conn := without(calls["c"], []string{"Loop"}) // immutable; named by no list, as it is of no use there but for Do
	kind := reflect.TypeFor[*lineman.Conn]()
	for _, name := range conn {
		if _, ok := kind.MethodByName(name); !ok {
			t.Errorf("Conn has no method %s", name)
		}
	}
	const begin = "From any goroutine, returning at once: "
	same(t, "methods of Conn for any goroutine", conn, map[string][]string{
		"the comment of type Conn": all(capitalized, within(t, "Conn", commentOf(t, "Conn"), begin, ". ")),
		"doc.go":                   all(capitalized, between(t, "doc.go", begin, " of a [Conn]")),
		"rule 4 of DESIGN.md": all(capitalized,
			between(t, "DESIGN.md", "**From any goroutine, returning at once**: ", ". ")),
		"docs/guide.md": all(capitalized, between(t, "docs/guide.md", "\n| Conn: ", " |")),
	})
	same(t, "methods of Loop for any goroutine", calls["l"], map[string][]string{
		"the comment of type Loop": all(capitalized,
			within(t, "Loop", commentOf(t, "Loop"), "one at a time. ", " may be called from any goroutine")),
		"doc.go":        all(capitalized, between(t, "doc.go", " of a [Conn], and ", " of a [Loop]")),
		"docs/guide.md": all(capitalized, between(t, "docs/guide.md", "\n| Loop: ", " |")),
	})
}

// TestDocCallbacks compares the callbacks of a Worker with the table of the guide.
func TestDocCallbacks(t *testing.T) {
	same(t, "callbacks of a Worker", fieldsOf[lineman.Worker](callbacks), map[string][]string{
		"docs/guide.md": all(callbacks, firstCells(section(t, "docs/guide.md", "Callbacks"))),
	})
}

// TestDocLimits compares the limits of a Worker and the times of a Master with the tables about them.
func TestDocLimits(t *testing.T) {
	same(t, "limits of a Worker", fieldsOf[lineman.Limits](regexp.MustCompile(``)), map[string][]string{
		"docs/limits.md": all(inCode, firstCells(section(t, "docs/limits.md", "Limits"))),
	})
	same(t, "times of a Master", fieldsOf[lineman.Master](regexp.MustCompile(`Timeout$`)), map[string][]string{
		"docs/operations.md": all(inCode, firstCells(section(t, "docs/operations.md", "Times"))),
	})
}

// TestDocClosing compares the errors of OnClose with the table of the guide.
func TestDocClosing(t *testing.T) {
	said := between(t, theCode, "The error says why:\n\t//\n", "\tOnClose func")
	var errors []string
	for _, names := range all(regexp.MustCompile(`(?m)^\t//\t(\S.*?)  `), said) {
		errors = append(errors, strings.Split(names, ", ")...)
	}
	errors = without(errors, []string{"nil", "other"})
	same(t, "errors of OnClose", errors, map[string][]string{
		"docs/guide.md": all(inCode,
			firstCells(between(t, "docs/guide.md", "and its error says why:\n", "| others |"))),
	})
}

// TestDocSchemes compares the schemes that an address may have with what the error and the documents say.
func TestDocSchemes(t *testing.T) {
	var schemes []string
	for _, fn := range rootFunctions(t) {
		if fn.Name.Name == "parseAddress" {
			schemes = cases(fn, "name")
		}
	}
	same(t, "schemes", schemes, map[string][]string{
		"the error of an unknown one": all(regexp.MustCompile(`[a-z]+`),
			between(t, theCode, "const schemes = \"", ", or")),
		"docs/protocols.md": all(inCode, firstCells(between(t, "docs/protocols.md", "# Protocols\n", "\n## "))),
	})
}

// TestDocMain compares the commands that Main takes with those that its documentation, its help and the page
// about it name, and the exit codes with what they are said to mean.
func TestDocMain(t *testing.T) {
	var commands []string
	said := map[string]string{}
	for _, fn := range rootFunctions(t) {
		switch fn.Name.Name {
		case "command":
			commands = append(commands, cases(fn, "args[0]")...)
		case "usage":
			said["the help"] = literals(fn)
		case "Main":
			said["the documentation of Main"] += fn.Doc.Text()
		case "ExitCode":
			said["the documentation of ExitCode"] = flat(fn.Doc)
		}
	}
	commands = slices.DeleteFunc(commands,
		func(c string) bool { return strings.HasPrefix(c, "-") || c == "version" || c == "help" })
	named := regexp.MustCompile(`(?m)^(?:  |\t)(\w+) +(?:\[|in |end |how |which |run )`)
	same(t, "commands of Main", commands, map[string][]string{
		"the help":                  all(named, said["the help"]),
		"the documentation of Main": all(named, said["the documentation of Main"]),
	})
	page, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commands {
		if !regexp.MustCompile("(`|\\./echo )" + c + `\b`).Match(page) {
			t.Errorf("docs/operations.md does not name %s", c)
		}
	}
	_, codes, _ := strings.Cut(said["the help"], "\nExit codes: ")
	same(t, "exit codes", all(numbered, codes), map[string][]string{
		"the documentation of ExitCode": all(numbered, said["the documentation of ExitCode"]),
		"docs/operations.md":            exitCodes(section(t, "docs/operations.md", "Start")),
	})
}

// numbered is an exit code with its meaning.
var numbered = regexp.MustCompile(`\d [a-z ]+`)

// exitCodes are the rows of a table, as "0 done".
func exitCodes(text string) (codes []string) {
	for _, row := range regexp.MustCompile(`(?m)^\| (\d) \| ([a-z ]+)`).FindAllStringSubmatch(text, -1) {
		codes = append(codes, row[1]+" "+strings.TrimSpace(row[2]))
	}
	return codes
}

// TestDocLayout compares the folders that have code with those in the layout of DESIGN.md, and wants each page of
// design to be named there.
func TestDocLayout(t *testing.T) {
	folders := map[string]bool{}
	for file := range sources(t, ".go") {
		if folder := path.Dir(file); folder != "." && !strings.HasPrefix(folder, "examples/") {
			folders[folder] = true
		}
	}
	var told []string
	var above []string // the folders that the next line may be in
	_, layout, _ := strings.Cut(section(t, "DESIGN.md", "Layout"), "```\n")
	for line := range strings.Lines(layout) {
		names := regexp.MustCompile(`^( *)((?:[\w/]+/ ?)+)`).FindStringSubmatch(line)
		if names == nil {
			continue
		}
		above = above[:min(len(names[1])/2, len(above))]
		for _, name := range strings.Fields(names[2]) {
			told = append(told, path.Join(append(above, name)...))
		}
		above = append(above, strings.Fields(names[2])[0])
	}
	for _, folder := range told {
		if _, err := os.Stat(folder); err != nil {
			t.Errorf("the layout of DESIGN.md: %v", err)
		}
	}
	for folder := range folders {
		if !slices.Contains(told, folder) {
			t.Errorf("the layout of DESIGN.md has no %s", folder)
		}
	}
	design, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	for file := range sources(t, ".md") {
		if path.Base(file) == "DESIGN.md" && file != "DESIGN.md" && !strings.Contains(string(design), "]("+file+")") {
			t.Errorf("DESIGN.md does not name %s", file)
		}
	}
}

// goFiles are the files of Go that a document names.
var goFiles = regexp.MustCompile("`([\\w/.-]+\\.go)`")

// TestDocFiles wants the files of Go that pages of design and CONTRIBUTING.md name to be there: beside the page, or
// by their paths.
func TestDocFiles(t *testing.T) {
	n := 0
	for file, text := range sources(t, ".md") {
		if base := path.Base(file); base != "DESIGN.md" && base != "CONTRIBUTING.md" {
			continue
		}
		for _, name := range all(goFiles, string(text)) {
			n++
			if _, err := os.Stat(path.Join(path.Dir(file), name)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
	if n < 10 {
		t.Errorf("found only %d files named", n)
	}
}
