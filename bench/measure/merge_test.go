//go:build linux

package main

import (
	"path/filepath"
	"testing"
)

func measured(title, by string, cases ...string) section {
	s := section{Title: title}
	for _, name := range cases {
		s.Cases = append(s.Cases, outcome{Name: name, By: by})
	}
	return s
}

// TestMerge keeps what was not measured again, in the order of the scenarios, with the command that it is by.
func TestMerge(t *testing.T) {
	folder := t.TempDir()
	first := &report{
		Machine:  machine{Versions: map[string]string{"gws": "v1", "nginx": "1.22"}},
		Sections: []section{measured("Messages", "first", "a", "b"), measured("Growth", "first", "c")},
		LeftOut:  []absence{{"gnet", "not given"}, {"redis", "not installed"}},
	}
	if err := first.write(folder, true); err != nil {
		t.Fatal(err)
	}
	again := &report{
		Machine:  machine{Versions: map[string]string{"gws": "v2"}},
		Sections: []section{measured("Messages", "again", "b", "d"), measured("TLS", "again", "e")},
		wanted:   []string{"gnet", "gws"},
	}
	old, err := readReport(folder)
	if err != nil {
		t.Fatal(err)
	}
	again = again.mergedWith(old)
	want := []section{
		{Title: "Messages", Cases: []outcome{
			{Name: "a", By: "first"}, {Name: "b", By: "again"}, {Name: "d", By: "again"},
		}},
		measured("TLS", "again", "e"), measured("Growth", "first", "c"),
	}
	if len(again.Sections) != len(want) {
		t.Fatalf("sections are %+v", again.Sections)
	}
	for i, s := range want {
		got := again.Sections[i]
		if got.Title != s.Title || len(got.Cases) != len(s.Cases) {
			t.Errorf("section %d is %+v, want %+v", i, got, s)
			continue
		}
		for j, c := range s.Cases {
			if got.Cases[j].Name != c.Name || got.Cases[j].By != c.By {
				t.Errorf("%s: case %d is %+v, want %+v", s.Title, j, got.Cases[j], c)
			}
		}
	}
	if v := again.Machine.Versions; v["gws"] != "v2" || v["nginx"] != "1.22" {
		t.Errorf("versions are %v", v)
	}
	if len(again.LeftOut) != 1 || again.LeftOut[0].Program != "redis" {
		t.Errorf("left out are %v, want redis: gnet was asked for", again.LeftOut)
	}
}

// TestReplace leaves nothing of a report that was there before, not its charts either.
func TestReplace(t *testing.T) {
	folder := t.TempDir()
	if err := example().write(folder, true); err != nil {
		t.Fatal(err)
	}
	if err := (&report{}).write(folder, true); err != nil {
		t.Fatal(err)
	}
	charts, err := filepath.Glob(filepath.Join(folder, "*.svg"))
	if err != nil || len(charts) != 0 {
		t.Errorf("%v, %v; want none", charts, err)
	}
	if left, err := readReport(folder); err != nil || len(left.Sections) != 0 {
		t.Errorf("%v, %v; want nothing", left, err)
	}
}

// TestOnly knows sections by their titles, and other cases by a part of their names.
func TestOnly(t *testing.T) {
	for _, c := range []struct {
		only          names
		section, name string
		want          bool
	}{
		{nil, "TLS", "x", true},
		{names{"TLS"}, "TLS", "x", true},
		{names{"TLS"}, "Memory", "TLS: memory", false},
		{names{"TLS: mem"}, "Memory", "TLS: memory", true},
		{names{"Growth", "echo"}, "Messages", "ws echo", true},
		{names{"Growth", "echo"}, "Growth", "x", true},
	} {
		if got := c.only.has(c.section, c.name); got != c.want {
			t.Errorf("%v of %s, %s: %v", c.only, c.section, c.name, got)
		}
	}
}

// TestNames has no two cases with one name, or with charts in one file.
func TestNames(t *testing.T) {
	m := planning()
	seen := map[string]string{}
	for _, s := range m.plan() {
		for _, c := range s.selected {
			if other, ok := seen[fileName(c.name)]; ok {
				t.Errorf("%q and %q have one chart", other, c.name)
			}
			seen[fileName(c.name)] = c.name
		}
	}
}
