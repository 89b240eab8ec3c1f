//go:build linux

// Command measure measures Lineman beside the least that a Go program can do (floor), in turns, each server alone on one
// core and the clients on another. What counts is the server's CPU time for an operation, user and system, from /proc: it
// holds where absolute times do not.
//
//	go -C bench run ./measure
//	go -C bench run ./measure -baseline DIR    beside a further raw loop, goepoll, built from DIR
//	go -C bench run ./measure -quick           one short round: whether it runs, not how fast
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 5, "how often each server is measured; the median counts")
	length := flag.Duration("time", 3*time.Second, "how long each time")
	many := flag.Int("conns", 10000, "connections of the broadcast")
	baseline := flag.String("baseline", "", "folder of the source of another raw loop, called as: goepoll PROTO PORT")
	only := flag.String("only", "", "only the cases whose name contains this")
	asJSON := flag.Bool("json", false, "print JSON")
	quick := flag.Bool("quick", false, "one round of 200 ms, a tenth of the connections, no verdict")
	flag.Parse()
	m := &measurement{rounds: *rounds, length: *length, many: *many, verdict: !*quick}
	if *quick {
		m.rounds, m.length, m.many = 1, 200*time.Millisecond, *many/10
	}
	if err := m.run(*baseline, *only, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

type measurement struct {
	rounds  int
	length  time.Duration
	many    int
	verdict bool
}

// result is one row of the table.
type result struct {
	Case   string             `json:"case"`
	Unit   string             `json:"unit"`
	Figure map[string]float64 `json:"figure"` // by server
	Ratio  float64            `json:"ratio,omitempty"`
	Most   float64            `json:"most,omitempty"` // of the ratio, or of the figure where there is none
}

func (m *measurement) run(baseline, only string, asJSON bool) error {
	runtime.LockOSThread()
	if runtime.NumCPU() < 2 {
		return fmt.Errorf("want two cores, one for the server and one for the clients")
	}
	dir, err := os.MkdirTemp("", "lineman-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	servers, err := build(dir, baseline)
	if err != nil {
		return err
	}
	if err := pin(os.Getpid(), clientCore); err != nil {
		return err
	}
	var results []result
	for _, c := range m.cases() {
		if !strings.Contains(c.name, only) {
			continue
		}
		r, err := m.measure(c, servers)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		results = append(results, r)
		fmt.Fprintf(os.Stderr, "%s: done\n", c.name)
	}
	if strings.Contains(memoryCase, only) {
		r, err := m.memory(servers[len(servers)-1])
		if err != nil {
			return fmt.Errorf("%s: %w", memoryCase, err)
		}
		results = append(results, r)
	}
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(results)
	}
	m.print(servers, results)
	return nil
}

// measure runs a case on each server in turns.
func (m *measurement) measure(c testCase, servers []server) (result, error) {
	costs := map[string][]float64{}
	for range m.rounds {
		for _, s := range servers {
			cost, err := m.once(c, s)
			if err != nil {
				return result{}, fmt.Errorf("%s: %w", s.name, err)
			}
			costs[s.name] = append(costs[s.name], cost)
		}
	}
	r := result{Case: c.name, Unit: "us/op", Figure: map[string]float64{}, Most: c.most}
	for name, all := range costs {
		r.Figure[name] = median(all)
	}
	var ratios []float64
	for i := range m.rounds { // of the same round: what disturbs it disturbs both
		ratios = append(ratios, costs["subject"][i]/costs[servers[0].name][i])
	}
	r.Ratio = median(ratios)
	return r, nil
}

// once is the CPU time in microseconds that an operation costs the server.
func (m *measurement) once(c testCase, s server) (float64, error) {
	run, err := s.start(c.proto)
	if err != nil {
		return 0, err
	}
	defer run.stop()
	l, err := connect(run.addr, c.conns, strings.HasPrefix(c.proto, "ws"))
	if err != nil {
		return 0, err
	}
	defer l.close()
	if _, err := c.drive(l, m.length/10); err != nil {
		return 0, err
	}
	before := run.cpu()
	ops, err := c.drive(l, m.length)
	if err != nil {
		return 0, err
	}
	return float64(run.cpu()-before) / float64(time.Microsecond) / float64(ops), nil
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

func (m *measurement) print(servers []server, results []result) {
	fmt.Printf("| case | unit |")
	for _, s := range servers {
		fmt.Printf(" %s |", s.name)
	}
	fmt.Printf(" subject / %s | at most | |\n|---|---|%s---|---|---|\n", servers[0].name, strings.Repeat("---|", len(servers)))
	for _, r := range results {
		fmt.Printf("| %s | %s |", r.Case, r.Unit)
		for _, s := range servers {
			if v, ok := r.Figure[s.name]; ok {
				fmt.Printf(" %.3g |", v)
			} else {
				fmt.Printf(" |")
			}
		}
		counts := r.Ratio
		if r.Ratio == 0 {
			counts = r.Figure["subject"]
			fmt.Printf(" |")
		} else {
			fmt.Printf(" %.2f |", r.Ratio)
		}
		verdict := ""
		switch {
		case r.Most == 0:
			fmt.Printf(" |")
		case counts > r.Most:
			verdict = "missed"
			fmt.Printf(" %.4g |", r.Most)
		default:
			verdict = "met"
			fmt.Printf(" %.4g |", r.Most)
		}
		if !m.verdict {
			verdict = ""
		}
		fmt.Printf(" %s |\n", verdict)
	}
}
