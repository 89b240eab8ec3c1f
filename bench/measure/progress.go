//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// planned is a section with those of its cases that are to be measured.
type planned struct {
	scenario
	selected []testCase
}

// plan are the sections that the options do not leave out.
func (m *measurement) plan() (all []planned) {
	for _, s := range scenarios {
		p := planned{scenario: s}
		for _, c := range s.cases(m) {
			if m.only.has(s.title, c.name) {
				p.selected = append(p.selected, c)
			}
		}
		if len(p.selected) > 0 {
			all = append(all, p)
		}
	}
	return all
}

// programsOf are those that cases want, each once.
func programsOf(all []planned) (names []string) {
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, s := range all {
		for _, c := range s.selected {
			for _, who := range c.contenders {
				add(who.program)
			}
			add(c.needs)
		}
	}
	return names
}

// progress says how far a measurement is. It knows no times but those that cases are said to take, and corrects them
// by those that they have taken.
type progress struct {
	out         io.Writer
	began       time.Time
	expects     func(testCase) time.Duration
	whole, past time.Duration // as expected
}

// begin says what is to come.
func (m *measurement) begin(all []planned) *progress {
	p := &progress{out: os.Stderr, began: time.Now(), expects: m.expects}
	cases := 0
	for _, s := range all {
		for _, c := range s.selected {
			p.whole += m.expects(c)
			cases++
		}
	}
	fmt.Fprintf(p.out, "%d cases, about %v\n", cases, p.whole.Round(time.Minute/6))
	return p
}

const (
	starting   = 350 * time.Millisecond // a server, and looking how near the cores are
	connecting = 100 * time.Microsecond // a client
)

// arrival is how long clients take to connect.
func (m *measurement) arrival(n int) time.Duration { return time.Duration(n) * connecting }

// expects is how long a case takes where nothing is disturbed.
func (m *measurement) expects(c testCase) (sum time.Duration) {
	for _, who := range c.contenders {
		if p, _ := m.program(who.program); p == nil || !p.takes(c) {
			continue
		}
		run := cmp.Or(c.takes, m.length*11/10+m.arrival(c.conns))
		if slices.Contains(c.longer, who.name) && !m.quick {
			run += (longer - 1) * m.length * 11 / 10
		}
		sum += time.Duration(c.rounds) * (starting + run)
	}
	return sum
}

// done says that a case is done, and how long the rest will take.
func (p *progress) done(c testCase, took time.Duration) {
	p.past += p.expects(c)
	left := p.whole - p.past
	if p.past > p.whole/10 {
		left = time.Duration(float64(left) * float64(time.Since(p.began)) / float64(p.past))
	}
	fmt.Fprintf(p.out, "%s: %.1f s; about %v left\n", c.name, took.Seconds(), left.Round(time.Second))
}

// sum says what each section took.
func (p *progress) sum(r *report) {
	for _, s := range r.Sections {
		seconds := 0.0
		for _, c := range s.Cases {
			seconds += c.Seconds
		}
		fmt.Fprintf(p.out, "%6.0f s  %s\n", seconds, s.Title)
	}
	fmt.Fprintf(p.out, "%6.0f s  all\n", time.Since(p.began).Seconds())
}
