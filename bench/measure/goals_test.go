//go:build linux

package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// planning is a measurement of which only the cases are looked at.
func planning() *measurement {
	floor := func(*builder) (*program, error) { return &program{}, nil }
	b := &builder{recipes: map[string]recipe{"c-floor": floor}, made: map[string]*product{}}
	return newMeasurement(options{rounds: 1, many: 10000}, b)
}

// TestGoals has aims for each goal among those of the scenarios, of the number that it tells.
func TestGoals(t *testing.T) {
	m := planning()
	aims := map[string][]float64{}
	for _, s := range m.plan() {
		for _, c := range s.selected {
			for _, row := range c.rows {
				for _, a := range row.aims {
					k := key(c.name, row.what, a)
					aims[k] = append(aims[k], a.Most)
				}
			}
		}
	}
	numbers := map[string]float64{"half": 0.5, "quarter": 0.25, "fifth": 0.2, "fiftieth": 0.02, "ahead": 1}
	for _, g := range goals {
		if g.aims == nil {
			continue
		}
		found := false
		for k, most := range aims {
			if !g.aims.MatchString(k) {
				continue
			}
			found = true
			if want := told(g.wants, numbers); fmt.Sprint(most[0]) != fmt.Sprint(want) {
				t.Errorf("%s, %s: %s is to be at most %v", g.scenario, g.wants, k, most)
			}
		}
		if !found {
			t.Errorf("%s, %s: no case has such an aim", g.scenario, g.wants)
		}
	}
}

// told is the number that the words of a goal tell.
func told(words string, numbers map[string]float64) (n float64) {
	for word, n := range numbers {
		if regexp.MustCompile(`\b` + word + `\b`).MatchString(words) {
			return n
		}
	}
	_, rest, _ := strings.Cut(words, "at most ")
	_, _ = fmt.Sscan(strings.TrimRight(rest, ";"), &n) // 0 is no goal
	return n
}

// TestPrintGoals says of each goal what became of it, with the floors, and sums up what is of many cases.
func TestPrintGoals(t *testing.T) {
	r := &report{}
	var s section
	for i := range 12 {
		s.Cases = append(s.Cases, outcome{Name: fmt.Sprint("case ", i), Rows: []result{{
			Figures: map[string]float64{"Lineman": 2, "gws": 3, "gorilla": 4}, Aims: []verdict{{ahead, 2.0 / 3}},
		}}})
	}
	s.Cases[7].Rows[0] = result{
		Figures: map[string]float64{"Lineman": 6, "gws": 5, "C floor": 4, "uWebSockets": 3},
		Aims:    []verdict{{ahead, 1.2}},
	}
	s.Cases = append(s.Cases, outcome{Name: "http GET, 100 connections", Rows: []result{
		{
			Figures: map[string]float64{"Lineman": 6, "C floor": 5, "Go floor": 5.5},
			Aims:    []verdict{{aim{"Lineman", "C floor", 1.15}, 1.2}},
		},
		{What: outside, Figures: map[string]float64{"Lineman": 1, "C floor": 0.5}},
	}})
	r.Sections = []section{s}
	var text strings.Builder
	r.printGoals(&text)
	for _, want := range []string{
		"| 12 cases | met in 11 | missed | |",
		"| case 7 | Lineman / the best peer: 1.2 of at most 1 | missed | Lineman 6; gws 5; C floor 4 |",
		"| http GET, 100 connections | Lineman / C floor: 1.2 of at most 1.15 | missed | " +
			"Lineman 6 (1); C floor 5 (0.5); Go floor 5.5 |",
		"| memory of an idle WebSocket | at most 300 bytes | | | not measured | |",
		"- http GET, 100 connections: Lineman / C floor: 1.2 of at most 1.15. " +
			"Its part in the kernel alone is 1 of C floor, the Go floor 1.1.",
		"- case 7: Lineman takes 2.00 of it: Lineman 6; uWebSockets 3; C floor 4.",
		"- It is ahead in 1 of 1 cases.",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}
