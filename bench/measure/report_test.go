//go:build linux

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// example is a report with all that there may be.
func example() *report {
	return &report{
		Machine: machine{
			When: "2026-01-02", Processor: "a processor", Cores: 2, Kernel: "6.18", Go: "go1.26",
			Versions: map[string]string{"gws": "v1", "nginx": "nginx/1.22"},
		},
		Sections: []section{
			{Title: "Echoes", About: "Some of them.", Cases: []outcome{{
				Name: "ws echo 64 B", Contenders: []string{"C floor", "Lineman", "gws"},
				Rows: []result{
					{
						Unit: "us/op", Figures: map[string]float64{"C floor": 5, "Lineman": 6.25, "gws": 1234},
						Aims: []verdict{{aim{"Lineman", "gws", 1}, 0.005}, {aim{"Lineman", "C floor", 1.08}, 1.25}},
					},
					{What: outside, Unit: "us/op", Figures: map[string]float64{"Lineman": 1.5}},
				},
				Notes:    map[string]string{"gws": "disturbed, 9 %"},
				Failures: map[string]string{"nbio": "no reply"},
				By:       "a command",
			}}},
			{Title: "Growth", Cases: []outcome{{
				Name: "growth: an echo, by connections", By: "another command", Axis: "connections",
				Contenders: []string{"Lineman"},
				Rows: []result{
					{What: ", 10 connections", Unit: "us", At: 10, Figures: map[string]float64{"Lineman": 5}},
					{What: ", 100 connections", Unit: "us", At: 100, Figures: map[string]float64{"Lineman": 50}},
				},
			}}},
		},
		LeftOut: []absence{{"gnet", "its folder of sources is not given"}},
	}
}

const printed = `# Measurements

INTRODUCTION

2026-01-02, a processor, 2 cores, Linux 6.18, go1.26. With gws v1, nginx nginx/1.22.

## Failed

- ws echo 64 B, nbio: no reply
GOALS

## Echoes

Some of them.

By a command.

### ws echo 64 B

![ws echo 64 B](ws-echo-64-b.svg)

| | us/op | outside the kernel, us/op | beside Lineman | |
|---|---|---|---|---|
| C floor | 5 | | 0.80 | |
| Lineman | 6.25 | 1.5 | 1.00 | |
| gws | 1,230 | | 197.44 | disturbed, 9 % |

## Growth

By another command.

### growth: an echo, by connections

![growth: an echo, by connections](growth-an-echo-by-connections.svg)

SENTENCES

| | 10 connections, us | 100 connections, us | |
|---|---|---|---|
| Lineman | 5 | 50 | |

## Left out

- gnet: its folder of sources is not given

## Aims

| case | of | is | at most | |
|---|---|---|---|---|
| ws echo 64 B | Lineman / gws | 0.005 | 1 | met |
| ws echo 64 B | Lineman / C floor | 1.25 | 1.08 | missed |
`

func TestPage(t *testing.T) {
	r := example()
	var text strings.Builder
	charts := r.printPage(&text, true)
	said := "- " + strings.Join(r.Sections[1].Cases[0].sentences(), "\n- ")
	var goals strings.Builder
	r.printGoals(&goals)
	want := strings.NewReplacer("INTRODUCTION", introduction, "GOALS\n", goals.String(), "SENTENCES", said).
		Replace(printed)
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &text, want)
	}
	for _, name := range []string{"ws-echo-64-b.svg", "growth-an-echo-by-connections.svg"} {
		if !strings.HasPrefix(string(charts[name]), "<svg ") {
			t.Errorf("no chart %s", name)
		}
	}
	if len(charts) != 2 {
		t.Errorf("%d charts, want 2", len(charts))
	}
}

// TestWrite has all files in the folder, and JSON that tells the same.
func TestWrite(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "report")
	if err := example().write(folder, false); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"report.md", "ws-echo-64-b.svg", "growth-an-echo-by-connections.svg"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var again report
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if got := again.Sections[0].Cases[0].Rows[0].Figures["Lineman"]; got != 6.25 {
		t.Errorf("the figure is %v", got)
	}
}

// TestTables has columns in the order of the rivals, and marks what was disturbed.
func TestTables(t *testing.T) {
	r := example()
	c := &r.Sections[0].Cases[0]
	c.Contenders = []string{"nobody else", "gws", "Lineman", "C floor"}
	var text strings.Builder
	r.printTables(&text)
	for _, want := range []string{
		"| case | unit | C floor | Lineman | gws | nobody else |", "| ws echo 64 B | us/op | 5 | 6.25 | 1,230* | |",
		"\\* ws echo 64 B, gws: disturbed, 9 %.",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}

// TestOutcome takes medians, and leaves out what is not known.
func TestOutcome(t *testing.T) {
	none := 0.0
	aims := []aim{{"a", "b", 1}, {"a", "gone", 1}, {"a", "", 5}}
	c := testCase{name: "c", rows: []row{{aims: aims}, {what: ", more"}}}
	o := c.outcome([]contender{{name: "a"}, {name: "b"}}, map[string][][]float64{
		"a": {{1, 9, 3}, {none / none, none / none, none / none}}, "b": {{2, 3, 6}, {4, 4, 4}},
	})
	if got := o.Rows[0].Figures; got["a"] != 3 || got["b"] != 3 {
		t.Errorf("medians are %v", got)
	}
	if got := o.Rows[1].Figures; len(got) != 1 || got["b"] != 4 {
		t.Errorf("of one row is known: %v", got)
	}
	want := []verdict{{aim{"a", "b", 1}, 0.5}, {aim{"a", "", 5}, 3}} // 1/2, 9/3 and 3/6
	if got := o.Rows[0].Aims; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("aims are %v, want %v", got, want)
	}
}
