package lineman_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
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
	foreign []string // packages and modules of others
	tests   []string // likewise, in its tests only
}

// layers is the policy: imports go strictly downward. A build that breaks it is to be changed, not the table.
var layers = []layer{
	{folder: "protocol"},
	{folder: "protocol/websocket", module: []string{"protocol"}, foreign: []string{"github.com/klauspost/compress"}},
	{folder: "protocol/*", module: []string{"protocol"}},
	{folder: "internal/poll", foreign: []string{"golang.org/x/sys"}},
	{folder: "internal/sock", foreign: []string{"golang.org/x/sys"}},
	{folder: "internal/proxyheader"},
	{folder: "internal/wheel"},
	{folder: "internal/channel", foreign: []string{"golang.org/x/sys"}},
	{folder: "internal/master", module: []string{"internal/channel", "internal/sock"}, foreign: []string{"golang.org/x/sys"}},
	{folder: "push"},
	{folder: "push/command", module: []string{"push"}},
	{folder: "push/metrics", module: []string{"push"}, foreign: []string{"github.com/prometheus/client_golang"}},
	{folder: "push/pushtest", module: []string{"push"}},
	{folder: "push/redis", module: []string{"push"}, foreign: []string{"github.com/redis/rueidis"}, tests: []string{"github.com/alicebob/miniredis/v2"}},
	{folder: "push/token", module: []string{"push"}, foreign: []string{"github.com/golang-jwt/jwt/v5", "github.com/MicahParks/jwkset", "github.com/MicahParks/keyfunc/v3"}},
	{folder: ".", module: []string{"internal/*", "protocol", "protocol/*"}},
	{folder: "linemantest", module: []string{".", "protocol", "protocol/*"}, foreign: []string{"go.uber.org/goleak"}},
	{folder: "cmd/*", module: []string{".", "push", "push/*", "protocol", "protocol/*", "cmd/*/internal/*"}, foreign: []string{"github.com/spf13/cobra", "golang.org/x/crypto/acme"}},
	{folder: "cmd/*/internal/config", foreign: []string{"github.com/knadh/koanf", "github.com/spf13/pflag", "go.yaml.in/yaml/v3"}},
	{folder: "cmd/*/internal/bench", module: []string{".", "push", "protocol", "protocol/*", "cmd/*/internal/config", "cmd/*/internal/server"}}, // the server for its tests
	{folder: "cmd/*/internal/doctor", module: []string{"."}, foreign: []string{"github.com/redis/rueidis"}},
	{folder: "cmd/*/internal/*", module: []string{".", "push", "push/*", "protocol", "protocol/*", "cmd/*/internal/config"}},
	{folder: "examples/*", module: []string{".", "protocol", "protocol/*"}},
}

// inTests is what every test may import beside what its folder may.
var inTests = layer{module: []string{"linemantest", "push/pushtest"}, foreign: []string{"github.com/alicebob/miniredis/v2", "go.uber.org/goleak", "golang.org/x/sys"}}

// TestLayers reads the files of every system and build tag, not what go would build here.
func TestLayers(t *testing.T) {
	used := map[string]bool{}
	for file, text := range sources(t, ".go") {
		folder := path.Dir(file)
		i := slices.IndexFunc(layers, func(l layer) bool { return matches(l.folder, folder) })
		if i < 0 {
			t.Errorf("%s: folder %s is in no row of the table", file, folder)
			continue
		}
		used[layers[i].folder] = true
		allowed := []layer{layers[i]}
		if strings.HasSuffix(file, "_test.go") {
			allowed = append(allowed, inTests, layer{foreign: layers[i].tests})
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			if !mayImport(allowed, folder, name) {
				t.Errorf("%s imports %s, which its row does not allow", file, name)
			}
		}
	}
	for _, l := range layers {
		if !used[l.folder] {
			t.Errorf("no file is in the row of %s", l.folder)
		}
	}
}

// mayImport reports whether one of the rows lets a file of a folder import a package.
func mayImport(rows []layer, folder, name string) bool {
	if inside, ok := folderOf(name); ok {
		return inside == folder || slices.ContainsFunc(rows, func(l layer) bool {
			return slices.ContainsFunc(l.module, func(m string) bool { return matches(m, inside) })
		})
	}
	if first, _, _ := strings.Cut(name, "/"); !strings.Contains(first, ".") {
		return name != "C" // the standard library
	}
	return slices.ContainsFunc(rows, func(l layer) bool {
		return slices.ContainsFunc(l.foreign, func(f string) bool { return name == f || strings.HasPrefix(name, f+"/") })
	})
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
	row := func(folder string) []layer {
		i := slices.IndexFunc(layers, func(l layer) bool { return matches(l.folder, folder) })
		return layers[i : i+1]
	}
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
		if got := mayImport(row(c.folder), c.folder, c.name); got != c.want {
			t.Errorf("%s imports %s: %v, want %v", c.folder, c.name, got, c.want)
		}
	}
}

// maxLines is how long a file may be: past it, a noun is missing.
const maxLines = 400

func TestFileLength(t *testing.T) {
	for file, text := range sources(t, ".go", ".html", ".js", ".md") {
		if n := bytes.Count(text, []byte("\n")); n > maxLines && file != "CHANGELOG.md" {
			t.Errorf("%s has %d lines, more than %d", file, n, maxLines)
		}
	}
}

// sources are the files of this module with these extensions, by their paths with slashes. Other modules below it and
// folders that go does not build are left out.
func sources(t *testing.T, extensions ...string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skip(name, entry.Name())
		}
		if !slices.Contains(extensions, filepath.Ext(name)) {
			return nil
		}
		files[filepath.ToSlash(name)], err = os.ReadFile(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no file ends with %q", extensions)
	}
	return files
}

// skip is fs.SkipDir for a folder that is not of this module's code.
func skip(name, base string) error {
	if name == "." {
		return nil
	}
	hidden := strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules"
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil || hidden {
		return fs.SkipDir
	}
	return nil
}
