//go:build linux

package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/lineman-go/lineman/bench/chart"
)

// goal is what the project wants of some aims together: a line at the top of a report.
type goal struct {
	scenario string
	wants    string
	aims     *regexp.Regexp // matches aims as keys tell them; nil: what another program measures
}

func of(scenario, wants, aims string) goal { return goal{scenario, wants, regexp.MustCompile(aims)} }

// goals are in the order of the report. The numbers are those of the aims.
var goals = []goal{
	of("every scenario", "ahead of every rival in Go, of Node and of PHP",
		`: Lineman / the best peer$|: push server / Mercure$`),
	of("echo, one at a time", "at most 1.08 of the floor",
		`^(tcp|text|ws) echo 64 B, 100 connections: Lineman / (C|Go) floor$`),
	of("echo, one at a time", "outside the kernel, at most 1.1 of uWebSockets",
		`^ws echo 64 B, 100 connections, outside the kernel: Lineman / uWebSockets$`),
	of("echo, 16 pipelined", "at most 1.18 of the floor",
		`^(text|ws) echo 64 B, 100 connections, 16 pipelined: Lineman / (C|Go) floor$`),
	of("echo, 16 pipelined", "outside the kernel, at most 1.1 of uWebSockets",
		`^ws echo 64 B, 100 connections, 16 pipelined, outside the kernel: Lineman / uWebSockets$`),
	of("HTTP, one at a time", "at most 1.15 of the floor",
		`^http GET, 100 connections: Lineman / (C|Go) floor$`),
	of("HTTP, 16 pipelined", "at most 1.4 of the floor",
		`^http GET, 100 connections, 16 pipelined: Lineman / (C|Go) floor$`),
	of("HTTP", "outside the kernel, at most 1.1 of uWebSockets",
		`^http GET, .*, outside the kernel: Lineman / uWebSockets$`),
	of("HTTP", "Handler at most 1.4 of net/http", `^http GET, .*: Handler / net/http$`),
	of("fan-out, one under way", "at most 1.05 of the floor; below 1 by io_uring, where it is allowed",
		`^ws broadcast 128 B to \d+: Lineman / (C|Go) floor$`),
	of("fan-out, 16 under way", "at most 1.05 of a floor that gathers",
		`^ws broadcast 128 B to \d+, 16 under way: Lineman / C floor, gathers$`),
	of("echo of 1 KiB to 1 MB", "ahead of gws, gnet and uWebSockets at each",
		`^ws echo (1 KiB|16 KiB|64 KiB|256 KiB|1 MB), \d+ connections: Lineman / (gws|gnet|uWebSockets)$`),
	of("60 KiB to 500 pages", "at most 1.05 of the floor", `^60 KiB to 500 pages: .* / (C|Go) floor$`),
	of("memory of an idle WebSocket", "at most 300 bytes", `^memory of an idle WebSocket,.*: Lineman$`),
	of("the same in the push server, with uid and group", "at most 600 bytes",
		`^push: memory of an idle connection with its uid and a group,.*: push server$`),
	of("two loops", "an echo and a delivery at most 1.08 of one loop's", `^loops: ws .*: two loops.* / one loop$`),
	of("two loops", "a publication to pages on both at most 1.15", `^loops: push, channel.*: two loops.* / one loop$`),
	of("beside Centrifugo: fan-out to 10,000", "at most a half",
		`^hubs: 128 B to \d+ of a channel: push server / Centrifugo$`),
	of("beside Centrifugo: fan-out to 1,000, 16 under way", "at most a quarter",
		`^hubs: 128 B to \d+ of a channel, 16 under way: push server / Centrifugo$`),
	of("beside Centrifugo: a publication by HTTP", "at most a fifth",
		`^hubs: a publication by HTTP .*: push server / Centrifugo$`),
	of("a publication by HTTP, keep-alive", "at most 10 microseconds", `(^hubs: a p|: by HTTP).*: push server$`),
	of("beside Centrifugo: to connect", "at most a fifth", `^hubs: connect .*: push server / Centrifugo$`),
	of("beside Centrifugo: memory of an idle page", "at most a fiftieth",
		`^hubs: memory .*: push server / Centrifugo$`),
	{scenario: "a million connections", wants: "held; at most 400 bytes of user memory each; " +
		"to all in at most 1.25 of the floor's time"},
	{scenario: "100,000 idle connections, pinged every 25 s", wants: "at most half a core"},
}

// judged is an aim with all that a report has about it.
type judged struct {
	outcome outcome
	row     int
	verdict verdict
}

// key is how goals tell an aim.
func key(name, what string, a aim) string { return name + what + ": " + a.who() }

// judgements are those of a goal.
func (r *report) judgements(g goal) (all []judged) {
	for _, s := range r.Sections {
		for _, c := range s.Cases {
			for i, row := range c.Rows {
				for _, a := range row.Aims {
					if g.aims.MatchString(key(c.Name, row.What, a.aim)) {
						all = append(all, judged{c, i, a})
					}
				}
			}
		}
	}
	return all
}

// printGoals prints what became of each goal.
func (r *report) printGoals(w io.Writer) {
	fmt.Fprintf(w, "\n## Goals\n\nIn brackets: of a figure, the part outside the kernel.\n\n"+
		"| scenario | goal | case | is | | figures of the same run |\n|---|---|---|---|---|---|\n")
	for _, g := range goals {
		if g.aims == nil {
			fmt.Fprintf(w, "| %s | %s | | | | by another program: `go -C bench run ./million` |\n", g.scenario, g.wants)
			continue
		}
		all := r.judgements(g)
		if len(all) == 0 {
			fmt.Fprintf(w, "| %s | %s | | | not measured | |\n", g.scenario, g.wants)
		}
		if len(all) > 10 {
			all = g.summary(w, all)
		}
		for _, j := range all {
			fmt.Fprintf(w, "| %s | %s | %s%s | %s | %s | %s |\n", g.scenario, g.wants, j.outcome.Name,
				j.outcome.Rows[j.row].What, j.said(), j.verdict.word(true), j.beside())
		}
	}
	r.printMissed(w)
	r.printAhead(w)
}

// summary prints how many of many aims were met, and returns those that were not.
func (g goal) summary(w io.Writer, all []judged) (missed []judged) {
	for _, j := range all {
		if j.verdict.Is > j.verdict.Most {
			missed = append(missed, j)
		}
	}
	word := "met"
	if len(missed) > 0 {
		word = "missed"
	}
	fmt.Fprintf(w, "| %s | %s | %d cases | met in %d | %s | |\n", g.scenario, g.wants, len(all), len(all)-len(missed),
		word)
	return missed
}

// said is the figure of an aim, and whose it is.
func (j judged) said() string {
	v := j.verdict
	if v.To == "" {
		return fmt.Sprintf("%s %s of at most %s", chart.Number(v.Is), j.outcome.Rows[j.row].Unit, chart.Number(v.Most))
	}
	return fmt.Sprintf("%s: %.3g of at most %.3g", v.who(), v.Is, v.Most)
}

// beside are the figures that an aim compares, and those of the floors.
func (j judged) beside() string {
	var said []string
	rows := j.outcome.Rows
	figures := rows[j.row].Figures
	names := []string{j.verdict.Of, j.verdict.To, "C floor", "C floor, gathers", "Go floor"}
	if j.verdict.To == bestPeer {
		names[1] = bestOf(figures)
	}
	for i, name := range names {
		v, ok := figures[name]
		if !ok || slices.Contains(names[:i], name) {
			continue
		}
		text := name + " " + chart.Number(v)
		if next := j.row + 1; next < len(rows) && rows[next].What == rows[j.row].What+outside {
			if part, ok := rows[next].Figures[name]; ok {
				text += " (" + chart.Number(part) + ")"
			}
		}
		said = append(said, text)
	}
	return strings.Join(said, "; ")
}

// bestOf is the peer with the lowest figure.
func bestOf(figures map[string]float64) (name string) {
	for _, one := range peers {
		if v, ok := figures[one]; ok && (name == "" || v < figures[name]) {
			name = one
		}
	}
	return name
}

// printAhead prints where uWebSockets, which is in C++, is ahead, and by how much.
func (r *report) printAhead(w io.Writer) {
	const other = "uWebSockets"
	fmt.Fprintf(w, "\n### Where %s is ahead\n\n", other)
	cases, ahead := 0, 0
	for _, s := range r.Sections {
		for _, c := range s.Cases {
			if c.Axis != "" || len(c.Rows) == 0 {
				continue
			}
			us, ours := c.Rows[0].Figures["Lineman"]
			them, theirs := c.Rows[0].Figures[other]
			if !ours || !theirs {
				continue
			}
			cases++
			if us > them {
				ahead++
				j := judged{c, 0, verdict{aim: aim{Of: "Lineman", To: other}}}
				fmt.Fprintf(w, "- %s: Lineman takes %.2f of it: %s.\n", c.Name, us/them, j.beside())
			}
		}
	}
	fmt.Fprintf(w, "- It is ahead in %d of %d cases.\n", ahead, cases)
}
