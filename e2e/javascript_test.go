package e2e

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
)

// scripts is the folder of lineman.js.
const scripts = "../client/js"

// mostScript is how many bytes a build of lineman.js may have, so that a page has it at once.
const mostScript = 6143

// builds are those of lineman.js, by the names of their files.
var builds = map[string]struct {
	source string
	format api.Format
}{
	"lineman.min.js":  {"src/classic.js", api.FormatIIFE},
	"lineman.min.mjs": {"src/lineman.js", api.FormatESModule},
}

var update = flag.Bool("update", false, "write the builds of lineman.js anew")

// TestScriptBuilds has the builds of lineman.js that the server serves be those of its source, and small. With -update
// it writes them.
func TestScriptBuilds(t *testing.T) {
	for name, b := range builds {
		built := api.Build(api.BuildOptions{
			EntryPoints: []string{filepath.Join(scripts, b.source)}, Bundle: true, Format: b.format, Target: api.ES2022,
			MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
			MangleProps: "^(subs|due|start|joined|unasked|onMessage|wake)$", // nobody else sees them
		})
		if len(built.Errors) > 0 {
			t.Fatalf("%s: %+v", name, built.Errors)
		}
		want := built.OutputFiles[0].Contents
		if len(want) > mostScript {
			t.Errorf("%s has %d bytes, more than %d", name, len(want), mostScript)
		}
		file := filepath.Join(scripts, name)
		if *update {
			write(t, file, string(want))
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what its source gives: go -C e2e test -run TestScriptBuilds . -update", file)
		}
	}
}

// TestScript runs the tests of lineman.js, with its source and with each build.
func TestScript(t *testing.T) {
	t.Parallel()
	need(t, "node")
	tests, err := filepath.Glob(filepath.Join(scripts, "test", "*.test.js"))
	if err != nil || len(tests) == 0 {
		t.Fatalf("%s has no tests: %v", scripts, err)
	}
	sources := []string{"src/lineman.js"}
	for name := range builds {
		sources = append(sources, name)
	}
	for _, source := range sources {
		t.Run(filepath.Base(source), func(t *testing.T) {
			path, err := filepath.Abs(filepath.Join(scripts, source))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, "node", append([]string{"--test"}, tests...)...)
			cmd.Env = append(os.Environ(), "LINEMAN_JS="+path)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
