//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/lineman-go/lineman/bench/chart"
)

// introduction is the first paragraph of a report.
const introduction = `What runs found, as it was written by the program that measured. A figure is CPU time of the
server for an operation, where it has no other unit; less is better. Figures are for comparing what stands side by side,
which was measured in turns; a note tells what was disturbed.`

// outside is what the row is called that tells how much of the row before is the program's own.
const outside = ", outside the kernel"

// write writes the report into a folder, in place of the one that is there: report.json, report.md, and its charts.
func (r *report) write(folder string, judged bool) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	old, err := readReport(folder)
	if err != nil {
		return err
	}
	if err := old.removeCharts(folder); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "report.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	var page strings.Builder
	charts := r.printPage(&page, judged)
	for name, svg := range charts {
		if err := os.WriteFile(filepath.Join(folder, name), svg, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(folder, "report.md"), []byte(page.String()), 0o644)
}

// printPage prints the report in Markdown, and returns the charts that it shows, by the names of their files.
func (r *report) printPage(w io.Writer, judged bool) (charts map[string][]byte) {
	charts = map[string][]byte{}
	fmt.Fprintf(w, "# Measurements\n\n%s\n", introduction)
	fmt.Fprintf(w, "\n%s\n", r.Machine)
	commands := commandsOf(r.Sections...)
	if len(commands) == 1 {
		fmt.Fprintf(w, "\nBy %s.\n", commands[0])
	}
	if failed := r.failed(); len(failed) > 0 {
		fmt.Fprintf(w, "\n## Failed\n\n%s\n", strings.Join(failed, "\n"))
	}
	if judged {
		r.printGoals(w)
	}
	for _, s := range r.Sections {
		fmt.Fprintf(w, "\n## %s\n", s.Title)
		if s.About != "" {
			fmt.Fprintf(w, "\n%s\n", s.About)
		}
		if len(commands) > 1 {
			fmt.Fprintf(w, "\nBy %s.\n", strings.Join(commandsOf(s), "; and by "))
		}
		for _, c := range s.Cases {
			c.printPage(w, charts)
		}
	}
	r.printAbsences(w)
	fmt.Fprintf(w, "\n## Aims\n")
	r.printAims(w, judged)
	return charts
}

// commandsOf are the commands that have measured sections, each once.
func commandsOf(all ...section) (commands []string) {
	for _, s := range all {
		for _, c := range s.Cases {
			if !slices.Contains(commands, c.By) {
				commands = append(commands, c.By)
			}
		}
	}
	return commands
}

func (o outcome) printPage(w io.Writer, charts map[string][]byte) {
	fmt.Fprintf(w, "\n### %s\n\n", o.Name)
	if svg := o.chart(); svg != nil {
		name := fileName(o.Name)
		charts[name] = svg
		fmt.Fprintf(w, "![%s](%s)\n\n", o.Name, name)
	}
	for _, sentence := range o.sentences() {
		fmt.Fprintf(w, "- %s\n", sentence)
	}
	if o.Axis != "" {
		fmt.Fprintln(w)
	}
	o.printTable(w)
}

// printTable prints a row for each contender.
func (o outcome) printTable(w io.Writer) {
	beside := o.beside()
	fmt.Fprint(w, "| |")
	for _, row := range o.Rows {
		fmt.Fprintf(w, " %s |", row.head())
	}
	if beside != "" {
		fmt.Fprintf(w, " beside %s |", beside)
	}
	fmt.Fprint(w, " |\n|---|")
	fmt.Fprintln(w, strings.Repeat("---|", len(o.Rows)+1+min(len(beside), 1)))
	for _, who := range o.Contenders {
		fmt.Fprintf(w, "| %s |", who)
		for _, row := range o.Rows {
			fmt.Fprintf(w, "%s |", row.cell(who))
		}
		if beside != "" {
			fmt.Fprintf(w, "%s |", o.Rows[0].ratio(who, beside))
		}
		if note := o.Notes[who]; note != "" {
			fmt.Fprint(w, " ", note)
		}
		fmt.Fprintln(w, " |")
	}
}

// head is the head of the column of a row.
func (r result) head() string {
	what := strings.TrimPrefix(r.What, ", ")
	switch {
	case what == "":
		return r.Unit
	case r.Unit == "":
		return what
	}
	return what + ", " + r.Unit
}

// cell is a figure of somebody, with a blank before it.
func (r result) cell(who string) string {
	if v, ok := r.Figures[who]; ok {
		return " " + chart.Number(v)
	}
	return ""
}

// ratio is how many times another one's figure somebody's is, with a blank before it.
func (r result) ratio(who, of string) string {
	v, ok := r.Figures[who]
	if !ok || r.Figures[of] == 0 {
		return ""
	}
	return fmt.Sprintf(" %.2f", v/r.Figures[of])
}

// beside is who the others are compared with: ours, where there are others and each has one figure of its own.
func (o outcome) beside() string {
	if len(o.Contenders) < 2 || o.Axis != "" || len(o.Rows) == 0 {
		return ""
	}
	for _, who := range o.Contenders {
		if isOurs(who) && o.Rows[0].Figures[who] > 0 {
			return who
		}
	}
	return ""
}

func isOurs(who string) bool { return who == "Lineman" || who == "push server" }

// chart is nil for a case that a chart does not make clearer.
func (o outcome) chart() []byte {
	if o.Axis != "" {
		return o.lines().SVG()
	}
	if bars := o.bars(); len(bars.Bars) > 2 {
		return bars.SVG()
	}
	return nil
}

func (o outcome) lines() chart.Lines {
	l := chart.Lines{Title: o.Name, X: o.Axis}
	for _, who := range o.Contenders {
		line := chart.Line{Name: who, Ours: isOurs(who)}
		for _, row := range o.Rows {
			if v, ok := row.Figures[who]; ok {
				line.Points = append(line.Points, chart.Point{X: row.At, Y: v})
				l.Y = row.Unit
			}
		}
		l.Lines = append(l.Lines, line)
	}
	return l
}

// bars are those of the first row, with the part outside the kernel if the second one tells it.
func (o outcome) bars() chart.Bars {
	if len(o.Rows) == 0 {
		return chart.Bars{}
	}
	b := chart.Bars{Title: o.Name + o.Rows[0].What, Unit: o.Rows[0].Unit}
	parts := map[string]float64{}
	if len(o.Rows) > 1 && o.Rows[1].What == outside {
		b.Part, parts = strings.TrimPrefix(outside, ", "), o.Rows[1].Figures
	}
	for _, who := range o.Contenders {
		if v, ok := o.Rows[0].Figures[who]; ok {
			note := o.Notes[who]
			b.Bars = append(b.Bars, chart.Bar{Name: who, Value: v, Part: parts[who], Ours: isOurs(who), Note: note})
		}
	}
	return b
}

// fileName is that of the chart of a case.
func fileName(of string) string {
	words := strings.FieldsFunc(strings.ToLower(of), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	return strings.Join(words, "-") + ".svg"
}
