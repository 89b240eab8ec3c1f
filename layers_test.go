package lineman_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is what the import paths of this module begin with.
const module = "github.com/lineman-go/lineman"

// layer says what the files of some folders may import beside the standard library and each other.
type layer struct {
	folder  string   // as path.Match has it; "." is the root
	module  []string // folders of this module, likewise
	foreign []string // modules of others, without their version
}

// inTests begins the row for what every test may import beside what its folder may.
const inTests = "tests, beside what their folder may"

// layers is the table of DESIGN.md, with a row for each folder, and last the row for tests. A build that breaks it is
// to be changed, not the table.
func layers(t *testing.T) (rows []layer, tests layer) {
	t.Helper()
	text, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| folder | of this module | of others |\n|---|---|---|\n")
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 3 {
			break
		}
		module, foreign := items(t, cells[1]), items(t, cells[2])
		if cells[0] == inTests {
			return rows, layer{inTests, module, foreign}
		}
		for _, folder := range items(t, cells[0]) {
			rows = append(rows, layer{folder, module, foreign})
		}
	}
	t.Fatalf("DESIGN.md has no table of layers that ends with %q", inTests)
	return nil, layer{}
}

// items are what a cell of the table lists, each as code, "the root" or "nothing".
func items(t *testing.T, cell string) (all []string) {
	t.Helper()
	for _, item := range strings.Split(cell, ", ") {
		switch name := strings.Trim(item, "`"); {
		case item == "the root":
			all = append(all, ".")
		case item == "`"+name+"`":
			all = append(all, name)
		case item != "nothing":
			t.Fatalf("the table of layers in DESIGN.md: %q: want names as code, the root, or nothing", item)
		}
	}
	return all
}

// row is that of a folder: the first that fits.
func row(rows []layer, folder string) (layer, bool) {
	i := slices.IndexFunc(rows, func(l layer) bool { return matches(l.folder, folder) })
	if i < 0 {
		return layer{}, false
	}
	return rows[i], true
}

// TestLayers reads the files of every system and build tag, not what go would build here.
func TestLayers(t *testing.T) {
	rows, tests := layers(t)
	used := map[string]bool{}
	for file, text := range sources(t, ".go") {
		folder := path.Dir(file)
		own, ok := row(rows, folder)
		if !ok {
			t.Errorf("%s: folder %s is in no row of the table", file, folder)
			continue
		}
		used[own.folder] = true
		allowed := []layer{own}
		if strings.HasSuffix(file, "_test.go") {
			allowed = append(allowed, tests)
		}
		for _, name := range imports(t, file, text) {
			by, ok := mayImport(allowed, folder, name)
			if !ok {
				t.Errorf("%s imports %s, which its row does not allow", file, name)
			}
			used[by] = true
		}
	}
	for _, l := range append(rows, tests) {
		if l.folder != inTests && !used[l.folder] {
			t.Errorf("no file is in the row of %s", l.folder)
		}
		for _, f := range l.foreign {
			if !used[l.folder+" "+f] {
				t.Errorf("the row of %s lists %s, which no file imports", l.folder, f)
			}
		}
	}
}

// imports are the packages that a file imports.
func imports(t *testing.T, file string, text []byte) (names []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range parsed.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		names = append(names, name)
	}
	return names
}

// mayImport reports whether one of the rows lets a file of a folder import a package, and by which module of others.
func mayImport(rows []layer, folder, name string) (by string, ok bool) {
	if inside, ok := folderOf(name); ok {
		return "", inside == folder || slices.ContainsFunc(rows, func(l layer) bool {
			return slices.ContainsFunc(l.module, func(m string) bool { return matches(m, inside) })
		})
	}
	if first, _, _ := strings.Cut(name, "/"); !strings.Contains(first, ".") {
		return "", name != "C" // the standard library
	}
	for _, l := range rows {
		for _, f := range l.foreign {
			if name == f || strings.HasPrefix(name, f+"/") {
				return l.folder + " " + f, true
			}
		}
	}
	return "", false
}

// folderOf is the folder of a package of this module.
func folderOf(name string) (folder string, ok bool) {
	if name == module {
		return ".", true
	}
	return strings.CutPrefix(name, module+"/")
}

func matches(pattern, folder string) bool {
	ok, err := path.Match(pattern, folder)
	return ok && err == nil
}

// TestMayImport has the table say no where it must.
func TestMayImport(t *testing.T) {
	rows, _ := layers(t)
	for _, c := range []struct {
		folder, name string
		want         bool
	}{
		{"protocol/text", "bytes", true},
		{"protocol/text", module + "/protocol", true},
		{"protocol/text", module + "/protocol/text", true}, // its own tests
		{"protocol/text", module + "/protocol/frame", false},
		{"protocol/text", module, false},
		{"protocol", module + "/protocol/text", false},
		{"internal/poll", "golang.org/x/sys/unix", true},
		{"internal/poll", "golang.org/x/system", false},
		{"internal/poll", module + "/internal/sock", false},
		{"internal/wheel", "golang.org/x/sys/unix", false},
		{".", module + "/internal/poll", true},
		{".", module + "/linemantest", false},
		{".", "golang.org/x/sys/unix", false},
		{".", "C", false},
		{"linemantest", module + "/internal/poll", false},
		{"examples/echo", module + "/examples/chat", false},
		{"examples/echo", module + "/linemantest", false},
	} {
		own, _ := row(rows, c.folder)
		if _, got := mayImport([]layer{own}, c.folder, c.name); got != c.want {
			t.Errorf("%s imports %s: %v, want %v", c.folder, c.name, got, c.want)
		}
	}
}

// TestModules has every go.mod name the same Go, and the documents that say which Go is needed agree.
func TestModules(t *testing.T) {
	files, err := filepath.Glob("*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := filepath.Glob("*/*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	wanted := regexp.MustCompile(`(?m)^go (1\.\d+)\.\d+\n\ntoolchain go1\.\d+\.\d+\n`)
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	said := wanted.FindStringSubmatch(read("go.mod"))
	if said == nil {
		t.Fatalf("go.mod does not match %s", wanted)
	}
	for _, name := range append(files, deeper...) {
		if !strings.Contains(read(name), said[0]) {
			t.Errorf("%s does not say %q, as go.mod does", name, said[0])
		}
	}
	for _, name := range []string{"README.md", "README.ja.md", "docs/getting-started.md"} {
		if !strings.Contains(read(name), "Go "+said[1]+" ") {
			t.Errorf("%s does not say that it needs Go %s", name, said[1])
		}
	}
}

// sources are the files of this module with these extensions, by their paths with slashes. Other modules below it and
// folders that go does not build are left out.
func sources(t *testing.T, extensions ...string) map[string][]byte {
	t.Helper()
	return sourcesOf(t, ".", extensions...)
}

// sourcesOf are the same of another checkout.
func sourcesOf(t *testing.T, root string, extensions ...string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skip(root, name)
		}
		if !slices.Contains(extensions, filepath.Ext(name)) {
			return nil
		}
		below, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(below)], err = os.ReadFile(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no file of %s ends with %q", root, extensions)
	}
	return files
}

// skip is fs.SkipDir for a folder below root that is not of this module's code.
func skip(root, name string) error {
	if name == root {
		return nil
	}
	base := filepath.Base(name)
	hidden := strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" ||
		base == "node_modules"
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil || hidden {
		return fs.SkipDir
	}
	return nil
}
