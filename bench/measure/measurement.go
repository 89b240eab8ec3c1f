//go:build linux

package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

// measurement is one run of this program.
type measurement struct {
	options
	*builder
	shown    map[contender]bool // by enough
	may      tolerance
	seen     *disturbance  // of the run that is under way
	waited   time.Duration // by near
	repeated time.Duration // by once
	apart    time.Duration // are the cores, by lookHowFar
	commit   string
}

func newMeasurement(o options, b *builder) *measurement {
	return &measurement{
		options: o, builder: b, shown: map[contender]bool{}, seen: &disturbance{},
		may: tolerance{foreign: mostForeign, trip: o.far}, commit: commit(),
	}
}

// measureAll measures all cases that the options do not leave out, and saves what there is after each section.
func measureAll(o options, save func(*report) error) (*report, error) {
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
	b.makeAll([]string{"c-floor"}) // by which cases choose whom they compare with
	all := m.plan()
	if len(all) == 0 {
		return nil, fmt.Errorf("no case and no section is called %s", o.only.String())
	}
	wanted := programsOf(all)
	b.makeAll(wanted)
	if err := pin(os.Getpid(), clientCore); err != nil {
		return nil, err
	}
	m.lookHowFar()
	if err := adopt(); err != nil {
		return nil, err
	}
	r := &report{wanted: wanted}
	return r, m.measureSections(all, r, save)
}

// measureSections measures the sections of a plan, and says meanwhile how far it is.
func (m *measurement) measureSections(all []planned, r *report, save func(*report) error) error {
	p := m.begin(all)
	by := m.by()
	for _, s := range all {
		out := section{Title: s.title, About: s.about}
		for _, c := range s.selected {
			began := time.Now()
			result := m.measure(c)
			result.By, result.Seconds = by, math.Round(time.Since(began).Seconds()*10)/10
			if len(result.Contenders)+len(result.Failures) > 0 {
				out.Cases = append(out.Cases, result)
			}
			p.done(c, time.Since(began))
		}
		if len(out.Cases) > 0 {
			r.Sections = append(r.Sections, out)
		}
		r.Machine, r.LeftOut = m.machine(), m.leftOut()
		if err := save(r); err != nil {
			return err
		}
	}
	p.sum(r)
	return nil
}

// measure runs a case on each contender that can be had, in turns. Who fails is left out, and the outcome says so.
func (m *measurement) measure(c testCase) outcome {
	failures := map[string]string{}
	fail := func(who contender, err error) {
		failures[who.name] = err.Error()
		fmt.Fprintf(os.Stderr, "measure: %s: %s: FAILED: %v\n", c.name, who.name, err)
	}
	present := m.present(c, fail)
	figures := map[string][][]float64{} // by contender, row and round
	disturbed := map[string][]disturbance{}
	for _, who := range present {
		figures[who.name] = make([][]float64, len(c.rows))
	}
	for range c.rounds {
		for _, who := range present {
			if failures[who.name] != "" {
				continue
			}
			row, d, err := m.once(c, who)
			if err != nil {
				fail(who, err)
				continue
			}
			disturbed[who.name] = append(disturbed[who.name], d)
			for i, v := range row {
				figures[who.name][i] = append(figures[who.name][i], v)
			}
		}
	}
	present = slices.DeleteFunc(present, func(who contender) bool { return failures[who.name] != "" })
	for name := range failures {
		delete(figures, name)
		delete(disturbed, name)
	}
	o := c.outcome(present, figures)
	o.Failures = failures
	for name, rounds := range disturbed {
		if note := m.may.note(m.may.typical(rounds)); note != "" {
			o.Notes[name] = note
		}
	}
	return o
}

// present are the contenders of a case that take part. Who stands there twice takes part once.
func (m *measurement) present(c testCase, fail func(contender, error)) (some []contender) {
	if c.needs != "" {
		if p, err := m.program(c.needs); p == nil {
			if err != nil {
				fail(contender{name: c.needs}, err)
			}
			return nil
		}
	}
	for _, who := range c.contenders {
		p, err := m.program(who.program)
		if err != nil {
			fail(who, err)
			continue
		}
		if p != nil && p.takes(c) && !slices.Contains(some, who) && !m.enough(who) {
			some = append(some, who)
		}
	}
	return some
}

// takes is whether the program takes the connections of a case.
func (p *program) takes(c testCase) bool { return p.most == 0 || c.conns <= p.most }

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
			if of[name] = all[i]; len(all[i]) > 0 && known(row.typical(all[i])) {
				r.Figures[name] = row.typical(all[i])
			}
		}
		if lowest := best(of); lowest != nil {
			of[bestPeer] = lowest
		}
		for _, a := range row.aims {
			if of[a.Of] == nil || a.To != "" && of[a.To] == nil {
				continue
			}
			if is := row.reached(a, of); known(is) {
				r.Aims = append(r.Aims, verdict{a, is})
			}
		}
		o.Rows = append(o.Rows, r)
	}
	return o
}

// once measures a contender once, and again if it was disturbed, as long as there is time for that.
func (m *measurement) once(c testCase, who contender) ([]float64, disturbance, error) {
	repeats := m.repeats
	if m.repeated > m.again {
		repeats = 0
	}
	began, first := time.Now(), time.Duration(0)
	defer func() {
		if first > 0 {
			m.repeated += time.Since(began) - first
		}
	}()
	return m.may.steadily(repeats, func() ([]float64, disturbance, error) {
		*m.seen = disturbance{trip: m.near()}
		figures, err := m.attempt(c, who)
		if m.repeats > 0 {
			m.seen.trip = max(m.seen.trip, roundTrip(serverCore, clientCore))
		}
		if first == 0 {
			first = time.Since(began)
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
	defer m.tidy()
	defer run.stop()
	run.as = who.name
	if slices.Contains(c.longer, who.name) && !m.quick {
		whole := m.length
		m.length *= longer
		defer func() { m.length = whole }()
	}
	return c.once(run)
}

// tidy removes what programs have left that have run.
func (m *measurement) tidy() {
	left, _ := filepath.Glob(filepath.Join(m.runs(), "*")) // the pattern is good
	for _, folder := range left {
		_ = os.RemoveAll(folder) // or it stays until the end
	}
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

func mean(v []float64) (sum float64) {
	for _, one := range v {
		sum += one / float64(len(v))
	}
	return sum
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}
