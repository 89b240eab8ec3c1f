//go:build linux

package main

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// memories are what a server holds for idle connections that have exchanged something.
func (m *measurement) memories() []testCase {
	small, whole := strings.Repeat("x", 64), strings.Repeat("x", maxRecord-8)
	tenth := []aim{{"Lineman", "net/http", 0.1}, {"Handler", "net/http", 0.1}}
	return []testCase{
		m.held("memory of an idle WebSocket", serving("ws"), webSocket, echoText(small, 1),
			aim{"Lineman", "", 300}),
		m.held("memory of an idle HTTP connection", serving("http"), plain, hello(1), tenth...),
		m.held("TLS: memory of an idle WebSocket after small messages", serving("wss"), secureSockets,
			echoText(small, 1), aim{"Lineman", "", 10 << 10}),
		m.held("TLS: memory of an idle WebSocket after a full-size record", serving("wss"), secureSockets,
			echoText(whole, 1), aim{"Lineman", "", 20 << 10}),
		m.held("TLS: memory of an idle HTTP connection", serving("https"), secure, hello(1)),
	}
}

const maxRecord = 16 << 10 // bytes of plaintext (RFC 8446, 5.1)

// held is a case of what a server holds for a connection that has done something: the slope between few and many, which
// leaves out what it needs anyway, and what it holds at last for each of them when garbage is collected.
func (m *measurement) held(name string, contenders []contender, how opening, d drive, aims ...aim) testCase {
	return m.heldAfter(name, contenders, how, 0, func(_ *running, l *load) error {
		if err := d.check(l); err != nil {
			return err
		}
		_, err := d.run(l, 0)
		return err
	}, append(aims, ahead)...)
}

// heldAfter is held after something else, and after a while.
func (m *measurement) heldAfter(name string, contenders []contender, how opening, wait time.Duration,
	do func(*running, *load) error, aims ...aim) testCase {
	few, many, each := m.many*9/10, m.many*19/10, connecting
	if how.secure { // a handshake takes long, and what it leaves is much
		few, many, each = few/5, many/5, 10*connecting
	}
	once := func(r *running) ([]float64, error) {
		how := how
		before, err := r.holds()
		if err != nil {
			return nil, err
		}
		var loads []*load
		defer func() {
			for _, l := range loads {
				l.close()
			}
		}()
		var at [2]float64
		for i, n := range []int{few, many - few} {
			l, err := connect(r.addrs[0], n, how)
			if err != nil {
				return nil, err
			}
			loads, how.before = append(loads, l), n
			if err := do(r, l); err != nil {
				return nil, err
			}
			time.Sleep(wait)
			if at[i], err = r.memory(); err != nil {
				return nil, err
			}
		}
		figures := []float64{(at[1] - at[0]) / float64(many-few)}
		after, err := r.holds()
		for i := range after {
			figures = append(figures, (after[i]-before[i])/float64(many))
		}
		return figures, err
	}
	collected := fmt.Sprintf(", each of %d when garbage is collected", many)
	rows := []row{
		{what: fmt.Sprintf(", between %d and %d", few, many), unit: "bytes", aims: aims},
		{what: collected, unit: "bytes"},
		{what: collected + ", heap in use", unit: "bytes"},
		{what: collected + ", goroutines", unit: "each"},
	}
	return testCase{name: name, contenders: contenders, rows: rows, rounds: 1, once: once, conns: many,
		takes: time.Duration(many)*each + 2*wait}
}

// holds is memory, heap in use and goroutines after a collection; NaN of a program that does not tell.
func (r *running) holds() ([]float64, error) {
	if !r.counts {
		return []float64{math.NaN(), math.NaN(), math.NaN()}, nil
	}
	c, err := r.census()
	if err != nil {
		return nil, err
	}
	memory, err := r.memory()
	return []float64{memory, float64(c.Heap), float64(c.Goroutines)}, err
}
