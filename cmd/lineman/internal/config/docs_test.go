package config

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of settings into docs/configuration.md")

const (
	page    = "../../../../docs/configuration.md"
	heading = "\n## Settings\n\n"
)

// TestDocs has docs/configuration.md end with the table of all settings.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(text), heading)
	if !ok {
		t.Fatalf("no heading %q", heading)
	}
	want := table()
	if *update {
		if err := os.WriteFile(page, []byte(before+heading+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if after != want {
		t.Errorf("the table is another: go test ./cmd/lineman/internal/config -run TestDocs -update")
	}
}

// table are the settings in Markdown.
func table() string {
	c := Default()
	var b strings.Builder
	b.WriteString("| key | default | what |\n|---|---|---|\n")
	row := func(key, def, what string) { fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key, def, what) }
	for _, s := range leaves(settings()) {
		def := ""
		if v := c.value(&s); !s.composed() && (!v.IsZero() || s.kind() != "text" && s.kind() != "list") {
			def = "`" + flow(plain(&s, v)) + "`"
		}
		if !s.composed() {
			row(s.key, def, s.document())
			continue
		}
		row(s.key, def, s.doc)
		at := s.key + "[]."
		if s.typ.Kind() == reflect.Map {
			at = s.key + ".NAME."
		}
		for _, f := range leaves(s.inside(at)) {
			def := ""
			if v := f.of(s.newElement()); !v.IsZero() {
				def = "`" + flow(plain(&f, v)) + "`"
			}
			row(f.key, def, f.document())
		}
	}
	return b.String()
}
