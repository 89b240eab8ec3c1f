//go:build linux

package main

import (
	"fmt"
	"math"
	"slices"
)

// memories are what a server holds for idle connections that have exchanged something.
func (m *measurement) memories() []testCase {
	small, whole := masked(64), masked(maxRecord-8)
	http := []contender{
		{"Lineman", "subject", "http"}, {"Handler", "subject", "handler"}, {"net/http", "rival", "nethttp"},
		{"fasthttp", "rival", "fasthttp"}, {"nginx", "nginx", "http"},
	}
	wss := []contender{{"Lineman", "subject", "wss"}}
	tenth := []aim{{"Lineman", "net/http", 0.1}, {"Handler", "net/http", 0.1}}
	return []testCase{
		m.held("memory of an idle WebSocket", bare("ws")[2:], webSocket, echo(small, 1, 66), aim{"Lineman", "", 400}),
		m.held("memory of an idle HTTP connection", http, plain, hello(1), tenth...),
		m.held("TLS: memory of an idle WebSocket after small messages", wss, secureSockets, echo(small, 1, 66), aim{"Lineman", "", 10 << 10}),
		m.held("TLS: memory of an idle WebSocket after a full-size record", wss, secureSockets, echo(whole, 1, maxRecord-4), aim{"Lineman", "", 20 << 10}),
		m.held("TLS: memory of an idle HTTP connection", securedHTTP, secure, hello(1)),
	}
}

const maxRecord = 16 << 10 // bytes of plaintext (RFC 8446, 5.1)

// held is a case of what a server holds for a connection that has done something: the slope between few and many.
func (m *measurement) held(name string, contenders []contender, how opening, d drive, aims ...aim) testCase {
	few, many := m.many*9/10, m.many*19/10
	once := func(r *running) ([]float64, error) {
		var loads []*load
		defer func() {
			for _, l := range loads {
				l.close()
			}
		}()
		var at [2][]float64
		for i, n := range []int{few, many - few} {
			l, err := connect(r.addrs[0], n, how)
			if err != nil {
				return nil, err
			}
			loads = append(loads, l)
			if _, err := d(l, 0); err != nil {
				return nil, err
			}
			if at[i], err = r.holds(); err != nil {
				return nil, err
			}
		}
		slope := slices.Clone(at[1])
		for i := range slope {
			slope[i] = (slope[i] - at[0][i]) / float64(many-few)
		}
		return slope, nil
	}
	rows := []row{
		{unit: "bytes", aims: aims},
		{what: ", when garbage is collected", unit: "bytes"},
		{what: ", heap in use", unit: "bytes"},
		{what: ", goroutines", unit: "each"},
	}
	return testCase{fmt.Sprintf("%s, between %d and %d", name, few, many), contenders, rows, 1, once}
}

// holds is what the rows of memory are about.
func (r *running) holds() ([]float64, error) {
	before, err := r.memory()
	if err != nil || !r.counts {
		return []float64{float64(before), math.NaN(), math.NaN(), math.NaN()}, err
	}
	c, err := r.census()
	if err != nil {
		return nil, err
	}
	after, err := r.memory()
	return []float64{float64(before), float64(after), float64(c.Heap), float64(c.Goroutines)}, err
}
