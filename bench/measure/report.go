//go:build linux

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// report is what a run has found.
type report struct {
	Machine  machine   `json:"machine"`
	Sections []section `json:"sections"`
	LeftOut  []absence `json:"left_out,omitempty"`

	wanted []string // programs that this run asked for
}

// section is what a scenario has found.
type section struct {
	Title string    `json:"title"`
	About string    `json:"about,omitempty"`
	Cases []outcome `json:"cases"`
}

// outcome is what a case has found.
type outcome struct {
	Name       string   `json:"name"`
	Axis       string   `json:"axis,omitempty"` // what At of its rows counts
	Contenders []string `json:"contenders"`     // in the order of the columns
	Rows       []result `json:"rows"`

	// Notes are why figures of a contender are doubtful.
	Notes map[string]string `json:"notes,omitempty"`

	Failures map[string]string `json:"failures,omitempty"` // why somebody was not measured
	By       string            `json:"by,omitempty"`       // when, and by which command
	Seconds  float64           `json:"seconds,omitempty"`  // that it took
}

// failed says what could not be measured.
func (r *report) failed() (all []string) {
	for _, s := range r.Sections {
		for _, c := range s.Cases {
			for _, who := range slices.Sorted(maps.Keys(c.Failures)) {
				all = append(all, fmt.Sprintf("- %s, %s: %s", c.Name, who, c.Failures[who]))
			}
		}
	}
	return all
}

// result is a figure of each contender.
type result struct {
	What    string             `json:"what"` // follows the case's name
	Unit    string             `json:"unit"`
	At      float64            `json:"at,omitempty"`
	Figures map[string]float64 `json:"figures"` // by contender
	Aims    []verdict          `json:"aims,omitempty"`
}

// verdict is what became of an aim.
type verdict struct {
	aim
	Is float64 `json:"is"`
}

// printTables prints a table for each section, with the contenders as columns.
func (r *report) printTables(w io.Writer) {
	for _, s := range r.Sections {
		fmt.Fprintf(w, "\n## %s\n\n", s.Title)
		s.printTable(w)
	}
	r.printAbsences(w)
}

// printAbsences prints what was left out.
func (r *report) printAbsences(w io.Writer) {
	if len(r.LeftOut) > 0 {
		fmt.Fprintf(w, "\n## Left out\n\n")
	}
	for _, a := range r.LeftOut {
		fmt.Fprintf(w, "- %s: %s\n", a.Program, a.Why)
	}
}

func (s *section) printTable(w io.Writer) {
	names := s.columns()
	fmt.Fprintf(w, "| case | unit | %s |\n|---|---|%s\n", strings.Join(names, " | "),
		strings.Repeat("---|", len(names)))
	for _, c := range s.Cases {
		for _, row := range c.Rows {
			fmt.Fprintf(w, "| %s%s | %s |", c.Name, row.What, row.Unit)
			for _, name := range names {
				cell := row.cell(name)
				if c.Notes[name] != "" && cell != "" {
					cell += "*"
				}
				fmt.Fprintf(w, "%s |", cell)
			}
			fmt.Fprintln(w)
		}
	}
	for _, c := range s.Cases {
		for _, sentence := range c.sentences() {
			fmt.Fprintf(w, "\n- %s", sentence)
		}
		for _, name := range c.Contenders {
			if note := c.Notes[name]; note != "" {
				fmt.Fprintf(w, "\n\\* %s, %s: %s.\n", c.Name, name, note)
			}
		}
	}
	fmt.Fprintln(w)
}

// columns are the contenders of all cases, in the order of the rivals, and then as the cases name them.
func (s *section) columns() (names []string) {
	seen := map[string]bool{}
	for _, c := range s.Cases {
		for _, name := range c.Contenders {
			seen[name] = true
		}
	}
	add := func(name string) {
		if seen[name] {
			names = append(names, name)
			delete(seen, name)
		}
	}
	for _, r := range rivals {
		add(r.name)
	}
	for _, c := range s.Cases {
		for _, name := range c.Contenders {
			add(name)
		}
	}
	return names
}

// printAims prints what became of the aims, and with judged also whether each was met.
func (r *report) printAims(w io.Writer, judged bool) {
	fmt.Fprintf(w, "\n| case | of | is | at most | |\n|---|---|---|---|---|\n")
	for _, s := range r.Sections {
		for _, c := range s.Cases {
			for _, row := range c.Rows {
				for _, a := range row.Aims {
					fmt.Fprintf(w, "| %s%s | %s | %.3g | %.4g | %s |\n", c.Name, row.What, a.who(), a.Is, a.Most,
						a.word(judged))
				}
			}
		}
	}
}

func (a aim) who() string {
	if a.To == "" {
		return a.Of
	}
	return a.Of + " / " + a.To
}

func (a verdict) word(judged bool) string {
	switch {
	case !judged:
		return ""
	case a.Is > a.Most:
		return "missed"
	}
	return "met"
}
