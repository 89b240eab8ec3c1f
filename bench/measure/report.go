//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// result is one row of the table.
type result struct {
	Case   string             `json:"case"`
	Unit   string             `json:"unit"`
	Figure map[string]float64 `json:"figure"` // by contender
	Aims   []outcome          `json:"aims,omitempty"`
}

// aim is what a figure is to be at most, or its ratio to another contender's.
type aim struct {
	Of   string  `json:"of"`
	To   string  `json:"to,omitempty"`
	Most float64 `json:"most"`
}

// outcome is what became of an aim.
type outcome struct {
	aim
	Is float64 `json:"is"`
}

// reached is the figure, or the ratio, of the rounds' figures by contender.
func (a aim) reached(figures map[string][]float64) float64 {
	if a.To == "" {
		return median(figures[a.Of])
	}
	var ratios []float64
	for i, v := range figures[a.Of] { // of the same round: what disturbs it disturbs both
		ratios = append(ratios, v/figures[a.To][i])
	}
	return median(ratios)
}

// order is that of the columns.
var order = []string{
	"goepoll", "floor", "Lineman", "before", "push server", "back end", "page", "level 0", "level 1", "events",
	"in memory", "journal", "Handler", "net/http", "fasthttp", "nginx",
}

// columns are the contenders that were measured.
func columns(results []result) (names []string) {
	for _, name := range order {
		if slices.ContainsFunc(results, func(r result) bool { _, ok := r.Figure[name]; return ok }) {
			names = append(names, name)
		}
	}
	return names
}

func printFigures(results []result) {
	names := columns(results)
	fmt.Printf("| case | unit | %s |\n|---|---|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	for _, r := range results {
		fmt.Printf("| %s | %s |", r.Case, r.Unit)
		for _, name := range names {
			if v, ok := r.Figure[name]; ok {
				fmt.Printf(" %.3g |", v)
			} else {
				fmt.Printf(" |")
			}
		}
		fmt.Println()
	}
}

func printAims(results []result, verdict bool) {
	fmt.Printf("\n| case | of | is | at most | |\n|---|---|---|---|---|\n")
	for _, r := range results {
		for _, a := range r.Aims {
			of, word := a.Of, ""
			if a.To != "" {
				of += " / " + a.To
			}
			switch {
			case !verdict:
			case a.Is > a.Most:
				word = "missed"
			default:
				word = "met"
			}
			fmt.Printf("| %s | %s | %.3g | %.4g | %s |\n", r.Case, of, a.Is, a.Most, word)
		}
	}
}
