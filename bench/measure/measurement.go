//go:build linux

package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// measurement is one run of this program.
type measurement struct {
	options
	*builder
	shown  map[contender]bool // by enough
	may    tolerance
	seen   *disturbance  // of the run that is under way
	waited time.Duration // by near
}

func newMeasurement(o options, b *builder) *measurement {
	return &measurement{
		options: o, builder: b, shown: map[contender]bool{}, seen: &disturbance{},
		may: tolerance{foreign: mostForeign, trip: o.far},
	}
}

// measureAll measures all cases that the options do not leave out.
func measureAll(o options) (*report, error) {
	if runtime.NumCPU() < 2 {
		return nil, fmt.Errorf("want two cores, one for the server and one for the clients")
	}
	runtime.LockOSThread()
	runtime.GOMAXPROCS(2) // also when all threads are on one core: the clients' thread does not sleep
	dir, err := os.MkdirTemp("", "lineman-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b, err := newBuilder(dir, o)
	if err != nil {
		return nil, err
	}
	m := newMeasurement(o, b)
	if err := pin(os.Getpid(), clientCore); err != nil {
		return nil, err
	}
	r := &report{}
	for _, s := range scenarios {
		section, err := m.section(s)
		if err != nil {
			return nil, err
		}
		if len(section.Cases) > 0 {
			r.Sections = append(r.Sections, section)
		}
	}
	r.Machine, r.LeftOut = m.machine(), m.leftOut()
	return r, nil
}

// section measures the cases of a scenario.
func (m *measurement) section(s scenario) (section, error) {
	out := section{Title: s.title, About: s.about}
	for _, c := range s.cases(m) {
		if !strings.Contains(c.name, m.only) {
			continue
		}
		result, err := m.measure(c)
		if err != nil {
			return out, fmt.Errorf("%s: %w", c.name, err)
		}
		if len(result.Contenders) > 0 {
			out.Cases = append(out.Cases, result)
		}
		fmt.Fprintf(os.Stderr, "%s: done\n", c.name)
	}
	return out, nil
}

// measure runs a case on each contender that can be had, in turns.
func (m *measurement) measure(c testCase) (outcome, error) {
	present, err := m.present(c)
	if err != nil {
		return outcome{}, err
	}
	figures := map[string][][]float64{} // by contender, row and round
	disturbed := map[string][]disturbance{}
	for _, who := range present {
		figures[who.name] = make([][]float64, len(c.rows))
	}
	for range c.rounds {
		for _, who := range present {
			row, d, err := m.once(c, who)
			if err != nil {
				return outcome{}, fmt.Errorf("%s: %w", who.name, err)
			}
			disturbed[who.name] = append(disturbed[who.name], d)
			for i, v := range row {
				figures[who.name][i] = append(figures[who.name][i], v)
			}
		}
	}
	o := c.outcome(present, figures)
	for name, rounds := range disturbed {
		if note := m.may.note(m.may.typical(rounds)); note != "" {
			o.Notes[name] = note
		}
	}
	return o, nil
}

// present are the contenders of a case that take part. Who stands there twice takes part once.
func (m *measurement) present(c testCase) (some []contender, err error) {
	if c.needs != "" {
		if p, err := m.program(c.needs); p == nil {
			return nil, err
		}
	}
	for _, who := range c.contenders {
		p, err := m.program(who.program)
		if err != nil {
			return nil, err
		}
		if p != nil && (p.most == 0 || c.conns <= p.most) && !slices.Contains(some, who) && !m.enough(who) {
			some = append(some, who)
		}
	}
	return some, nil
}

// enough is whether a rival has shown that it runs, if that is all that is wanted.
func (m *measurement) enough(who contender) bool {
	if !m.quick || ours[who.program] != nil || variants[who.program] != nil {
		return false
	}
	before := m.shown[who]
	m.shown[who] = true
	return before
}

// outcome is what figures, by contender, row and round, say.
func (c testCase) outcome(present []contender, figures map[string][][]float64) outcome {
	o := outcome{Name: c.name, Axis: c.axis, Notes: map[string]string{}}
	for _, who := range present {
		o.Contenders = append(o.Contenders, who.name)
	}
	for i, row := range c.rows {
		r := result{What: row.what, Unit: row.unit, At: row.at, Figures: map[string]float64{}}
		of := map[string][]float64{}
		for name, all := range figures {
			if of[name] = all[i]; len(all[i]) > 0 && known(median(all[i])) {
				r.Figures[name] = median(all[i])
			}
		}
		if lowest := best(of); lowest != nil {
			of[bestPeer] = lowest
		}
		for _, a := range row.aims {
			if of[a.Of] == nil || a.To != "" && of[a.To] == nil {
				continue
			}
			if is := a.reached(of); known(is) {
				r.Aims = append(r.Aims, verdict{a, is})
			}
		}
		o.Rows = append(o.Rows, r)
	}
	return o
}

// once measures a contender once, and again if it was disturbed.
func (m *measurement) once(c testCase, who contender) ([]float64, disturbance, error) {
	return m.may.steadily(m.repeats, func() ([]float64, disturbance, error) {
		*m.seen = disturbance{trip: m.near()}
		figures, err := m.attempt(c, who)
		if m.repeats > 0 {
			m.seen.trip = max(m.seen.trip, roundTrip(serverCore, clientCore))
		}
		return figures, *m.seen, err
	})
}

// near waits until the cores are near each other, and tells how near they are; it does not wait for long.
func (m *measurement) near() (trip time.Duration) {
	if m.repeats == 0 {
		return 0
	}
	trip = roundTrip(serverCore, clientCore)
	for until := time.Now().Add(waitForNear); trip > m.may.trip && time.Now().Before(until) && m.waited < allWaiting; {
		time.Sleep(lookAgain)
		m.waited += lookAgain
		trip = roundTrip(serverCore, clientCore)
	}
	return trip
}

func (m *measurement) attempt(c testCase, who contender) ([]float64, error) {
	run, err := m.start(who.program, who.proto)
	if err != nil {
		return nil, err
	}
	defer run.stop()
	run.as = who.name
	return c.once(run)
}

// start starts a program that can be had.
func (m *measurement) start(program, protos string) (*running, error) {
	p, err := m.program(program)
	if err != nil {
		return nil, err
	}
	return p.start(protos)
}

// startOn starts a push server on ports, in a folder; an empty one means in a new one.
func (m *measurement) startOn(program string, ports []string, folder string) (*running, error) {
	p, err := m.program(program)
	if err != nil {
		return nil, err
	}
	return p.startOn("pages,lines", ports, folder)
}

// known is whether a figure is a number: a contender does not tell all, and in a short run the clock may stand still.
func known(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}
