package lineman_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	maxLines    = 400 // of a file: past it, a noun is missing
	maxFunction = 60  // lines of a function, but for those of tests, whose tables are long
	maxColumns  = 120
	tabColumns  = 4
)

// written is a document that a program has written.
const written = "docs/benchmarks/report.md"

func TestFileLength(t *testing.T) {
	for file, text := range sources(t, ".go", ".html", ".js", ".md") {
		if n := bytes.Count(text, []byte("\n")); n > maxLines && file != "CHANGELOG.md" && file != written {
			t.Errorf("%s has %d lines, more than %d", file, n, maxLines)
		}
	}
}

func TestFunctionLength(t *testing.T) {
	for file, text := range project(t, ".go") {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; n > maxFunction {
				t.Errorf("%s: %s has %d lines, more than %d", set.Position(f.Pos()), f.Name.Name, n, maxFunction)
			}
		}
	}
}

// TestColumns has no line be longer than a screen is wide, in any file that people write. In documents, rows of tables,
// the targets of links and what programs print cannot be wrapped, and do not count.
func TestColumns(t *testing.T) {
	for file, text := range project(t, ".go", ".md", ".html", ".js", ".sh") {
		if file == written {
			continue
		}
		for _, wide := range wideLines(file, text) {
			t.Error(wide)
		}
	}
}

// printed begin the blocks of a document that show what programs print.
var printed = []string{"```console", "```text"}

// wideLines are the lines of a file that are too long, and how long.
func wideLines(file string, text []byte) (found []string) {
	n, shows := 0, false
	for line := range strings.Lines(string(text)) {
		n++
		if filepath.Ext(file) == ".md" && strings.HasPrefix(line, "```") {
			shows = slices.Contains(printed, strings.TrimSpace(line))
		}
		if w := columns(file, line); w > maxColumns && !shows {
			found = append(found, fmt.Sprintf("%s:%d has %d columns, more than %d", file, n, w, maxColumns))
		}
	}
	return found
}

var linkTarget = regexp.MustCompile(`\]\([^)\s]+\)`)

// columns is how wide a line is, as far as it could be wrapped.
func columns(file, line string) int {
	line = strings.TrimRight(line, "\r\n")
	if filepath.Ext(file) == ".md" {
		if strings.HasPrefix(strings.TrimLeft(line, " "), "|") {
			return 0
		}
		line = linkTarget.ReplaceAllString(line, "]()")
	}
	return utf8.RuneCountInString(line) + (tabColumns-1)*strings.Count(line, "\t")
}

// project are all files with these extensions, those of other modules below this one and the scripts of .ci too. What
// tests only read, and what is minified, is left out.
func project(t *testing.T, extensions ...string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		script := filepath.Dir(name) == ".ci"
		if entry.IsDir() {
			if base == "testdata" || base == "node_modules" || base != "." && base != ".ci" && base[0] == '.' {
				return fs.SkipDir
			}
			return nil
		}
		if strings.Contains(base, ".min.") {
			return nil
		}
		if slices.Contains(extensions, filepath.Ext(name)) || script && slices.Contains(extensions, ".sh") {
			files[filepath.ToSlash(name)], err = os.ReadFile(name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
