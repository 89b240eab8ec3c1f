//go:build linux

// Command measure measures Lineman beside the least that a program has to do (floors) and beside other servers, in
// turns, each server alone on one core, with GOMAXPROCS=1, and the clients on another. What counts is the server's CPU
// time for an operation, user and system, from /proc: it holds where absolute times do not.
//
//	go -C bench run ./measure
//	go -C bench run ./measure -only TLS        a section, or else the cases whose name contains this; may be repeated
//	go -C bench run ./measure -baseline DIR    beside a further raw loop, goepoll, built from DIR
//	go -C bench run ./measure -before DIR      beside a push server of another commit, built from DIR
//	go -C bench run ./measure -with gnet=DIR   also a rival whose files are there; may be said for each of them
//	go -C bench run ./measure -quick           one short round: whether it runs, not how fast
//	go -C bench run ./measure -report DIR      also write report.md, report.json and charts there; with -only, what
//	                                           the report there has of other cases stays
//	go -C bench run ./measure -json            print JSON in place of tables
//
// What is not installed is left out, and the report says so.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each server is measured; the median counts")
	flag.DurationVar(&o.length, "time", 3*time.Second, "how long each time")
	flag.IntVar(&o.many, "conns", 10000, "connections of the broadcast, and for the slope of memory")
	flag.StringVar(&o.baseline, "baseline", "",
		"folder of the source of another raw loop, called as: goepoll PROTO PORT")
	flag.StringVar(&o.before, "before", "",
		"folder of this project at another commit: its push server is compared with")
	flag.IntVar(&o.repeats, "repeats", 2, "how often a run is measured again that was disturbed; 0: nobody looks")
	flag.DurationVar(&o.again, "again", 5*time.Minute, "how long all runs together may take that are measured again")
	flag.DurationVar(&o.far, "far", 0, "how long a cache line takes from core to core and back when they are too far "+
		"apart for a figure to count; 0: half as long again as at the start, and 150ns at least")
	flag.Var(&o.only, "only", "only the section of this title, or else the cases whose name contains this; "+
		"may be said again")
	flag.Var(&o.with, "with", "NAME=PATH: where the files of a rival are; may be said for each")
	folder := flag.String("report", "", "folder for a report: report.md, report.json and charts")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.BoolVar(&o.quick, "quick", false, "one round of 200 ms, a tenth of the connections, no verdict")
	flag.Parse()
	if o.quick {
		o.rounds, o.length, o.many, o.repeats = 1, 50*time.Millisecond, o.many/20, 0
	}
	if err := o.run(*folder, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

// run measures, prints and writes. That something could not be measured is an error, when all else was.
func (o options) run(folder string, asJSON bool) error {
	save := func(*report) error { return nil }
	if folder != "" {
		old, err := readReport(folder)
		if err != nil {
			return err
		}
		if len(o.only) == 0 {
			old = &report{} // of which nothing stays
		}
		save = func(r *report) error { return r.mergedWith(old).write(folder, !o.quick) }
	}
	report, err := measureAll(o, save)
	if err != nil {
		return err
	}
	if asJSON {
		_ = json.NewEncoder(os.Stdout).Encode(report) // nobody reads it
	} else {
		report.printTables(os.Stdout)
		report.printAims(os.Stdout, !o.quick)
	}
	if failed := report.failed(); len(failed) > 0 {
		return fmt.Errorf("failed:\n%s", strings.Join(failed, "\n"))
	}
	return nil
}

// options are what the command line says.
type options struct {
	rounds           int
	length           time.Duration
	many             int
	baseline, before string
	only             names
	repeats          int
	again            time.Duration // of all runs that are repeated
	far              time.Duration
	with             files
	quick            bool
}

// names are what -only says.
type names []string

func (n *names) String() string { return strings.Join(*n, ", ") }

// Set takes a further one.
func (n *names) Set(text string) error {
	*n = append(*n, text)
	return nil
}

// has reports whether a case of a section is meant. All are if there are no names.
func (n names) has(section, name string) bool {
	return len(n) == 0 || slices.ContainsFunc(n, func(one string) bool {
		title := slices.ContainsFunc(scenarios, func(s scenario) bool { return s.title == one })
		return one == section || !title && strings.Contains(name, one)
	})
}

// files are where those of rivals are, by name.
type files map[string]string

func (f *files) String() string { return "" }

// Set takes NAME=PATH.
func (f *files) Set(text string) error {
	name, path, ok := strings.Cut(text, "=")
	if !ok || name == "" || path == "" {
		return fmt.Errorf("%q: want NAME=PATH", text)
	}
	if *f == nil {
		*f = files{}
	}
	(*f)[name] = path
	return nil
}
