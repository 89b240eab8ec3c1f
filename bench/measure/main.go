//go:build linux

// Command measure measures Lineman beside the least that a Go program can do (floor) and beside other servers, in
// turns, each server alone on one core, with GOMAXPROCS=1, and the clients on another. What counts is the server's CPU
// time for an operation, user and system, from /proc: it holds where absolute times do not.
//
//	go -C bench run ./measure
//	go -C bench run ./measure -only TLS        the cases whose name contains this
//	go -C bench run ./measure -baseline DIR    beside a further raw loop, goepoll, built from DIR
//	go -C bench run ./measure -before DIR      beside a push server of another commit, built from DIR
//	go -C bench run ./measure -quick           one short round: whether it runs, not how fast
//
// nginx is measured where it is installed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 5, "how often each server is measured; the median counts")
	length := flag.Duration("time", 3*time.Second, "how long each time")
	many := flag.Int("conns", 10000, "connections of the broadcast, and for the slope of memory")
	baseline := flag.String("baseline", "", "folder of the source of another raw loop, called as: goepoll PROTO PORT")
	before := flag.String("before", "", "folder of this project at another commit: its push server is compared with")
	only := flag.String("only", "", "only the cases whose name contains this")
	asJSON := flag.Bool("json", false, "print JSON")
	quick := flag.Bool("quick", false, "one round of 200 ms, a tenth of the connections, no verdict")
	flag.Parse()
	m := &measurement{rounds: *rounds, length: *length, many: *many}
	if *quick {
		m.rounds, m.length, m.many = 1, 200*time.Millisecond, *many/10
	}
	results, err := m.run(*baseline, *before, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
	if *asJSON {
		_ = json.NewEncoder(os.Stdout).Encode(results) // nobody reads it
		return
	}
	printFigures(results)
	printAims(results, !*quick)
}

type measurement struct {
	rounds   int
	length   time.Duration
	many     int
	programs programs
}

func (m *measurement) run(baseline, before, only string) ([]result, error) {
	runtime.LockOSThread()
	if runtime.NumCPU() < 2 {
		return nil, fmt.Errorf("want two cores, one for the server and one for the clients")
	}
	dir, err := os.MkdirTemp("", "lineman-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if m.programs, err = build(dir, baseline, before); err != nil {
		return nil, err
	}
	if err := pin(os.Getpid(), clientCore); err != nil {
		return nil, err
	}
	var results []result
	for _, c := range m.cases() {
		if !strings.Contains(c.name, only) {
			continue
		}
		r, err := m.measure(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		results = append(results, r...)
		fmt.Fprintf(os.Stderr, "%s: done\n", c.name)
	}
	return results, nil
}

// measure runs a case on each contender in turns.
func (m *measurement) measure(c testCase) ([]result, error) {
	results := make([]result, len(c.rows))
	figures := map[string][][]float64{} // by contender, row and round
	for i, row := range c.rows {
		results[i] = result{Case: c.name + row.what, Unit: row.unit, Figure: map[string]float64{}}
	}
	for range c.rounds {
		for _, who := range c.contenders {
			if m.programs[who.program] == nil {
				continue // not installed
			}
			row, err := m.once(c, who)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", who.name, err)
			}
			if figures[who.name] == nil {
				figures[who.name] = make([][]float64, len(c.rows))
			}
			for i, v := range row {
				figures[who.name][i] = append(figures[who.name][i], v)
			}
		}
	}
	for i, row := range c.rows {
		of := map[string][]float64{}
		for name, all := range figures {
			if of[name] = all[i]; !math.IsNaN(all[i][0]) {
				results[i].Figure[name] = median(all[i])
			}
		}
		for _, a := range row.aims {
			if a.To != "" && of[a.To] == nil {
				continue
			}
			results[i].Aims = append(results[i].Aims, outcome{a, a.reached(of)})
		}
	}
	return results, nil
}

func (m *measurement) once(c testCase, who contender) ([]float64, error) {
	run, err := m.programs[who.program].start(who.proto)
	if err != nil {
		return nil, err
	}
	defer run.stop()
	run.as = who.name
	return c.once(run)
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}
