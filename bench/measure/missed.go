//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
)

// printMissed prints, of each missed goal that compares two programs, what no program could save: the part of the
// kernel, and the floors.
func (r *report) printMissed(w io.Writer) {
	var lines []string
	for _, g := range goals {
		if g.aims == nil {
			continue
		}
		for _, j := range r.judgements(g) {
			if line := j.least(); j.verdict.Is > j.verdict.Most && line != "" {
				lines = append(lines, fmt.Sprintf("- %s: %s. %s", j.outcome.Name, j.said(), line))
			}
		}
	}
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n### What no program could save where a goal is missed\n\n%s\n", strings.Join(lines, "\n"))
}

// least is what the part of the kernel, and the floors, are of the figure that an aim is compared with. It is empty
// where that says nothing: the aim is about the part outside the kernel, or that part was not measured.
func (j judged) least() string {
	rows := j.outcome.Rows
	figures, other := rows[j.row].Figures, j.verdict.To
	if other == bestPeer {
		other = bestOf(figures)
	}
	theirs, compared := figures[other]
	next := j.row + 1
	if !compared || next >= len(rows) || rows[next].What != rows[j.row].What+outside {
		return ""
	}
	ours := figures[j.verdict.Of] - rows[next].Figures[j.verdict.Of]
	said := []string{fmt.Sprintf("Its part in the kernel alone is %.3g of %s", ours/theirs, other)}
	for _, floor := range []string{"C floor", "C floor, gathers", "Go floor"} {
		if v, ok := figures[floor]; ok && floor != other {
			said = append(said, fmt.Sprintf("the %s %.3g", floor, v/theirs))
		}
	}
	return strings.Join(said, ", ") + "."
}
