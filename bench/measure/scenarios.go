//go:build linux

package main

import "time"

// scenario is a section of the report: cases that belong together.
type scenario struct {
	title string
	about string // sentences beneath the title; may be empty
	cases func(*measurement) []testCase
}

// scenarios are all that is measured, in the order of the report. A further one is a file with a function, and a line
// here.
var scenarios = []scenario{
	{"Messages", "Echoes of 64 B.", (*measurement).messages},
	{"Large messages", "One under way on each connection; and compressed ones.", (*measurement).sizes},
	{"Fan-out", "128 B to many; a cost for each delivery.", (*measurement).fanouts},
	{"HTTP", "Plain answers of 13 bytes, keep-alive.", (*measurement).answers},
	{"TLS", "The same over TLS 1.3, and handshakes.", (*measurement).secured},
	{"Memory", "Of idle connections that have exchanged something.", (*measurement).memories},
	{"Beside a busy loop", "What clients wait for goroutines of the server.", (*measurement).besideBusyLoop},
	{"The push server", "Publications are counted with their delivery.", (*measurement).pushes},
	{"Calls", "Publications by HTTP, keep-alive; pages that connect.", (*measurement).calls},
	{"Beside other push servers", "Pages have credentials and follow a channel; back ends publish by HTTP.",
		(*measurement).besideHubs},
	{"Level 1 and history", "What the push server keeps.", (*measurement).followed},
	{"The Pusher protocol", "Pages on a channel of an app, beside those of level 0 on it.", (*measurement).pushers},
	{"What back ends hear", "What pages say, until a back end has it.", (*measurement).heard},
	{"Growth", "What one more connection, channel, subscription or byte costs.", (*measurement).growths},
	{"Loops", "Two loops of a process beside one.", (*measurement).loops},
	{"Several nodes", "Push servers that meet in Redis.", (*measurement).overNodes},
}

// testCase is something that contenders are compared by.
type testCase struct {
	name       string
	contenders []contender // those whose programs cannot be had are left out
	rows       []row       // what once measures, in this order
	rounds     int
	once       func(r *running) ([]float64, error) // NaN where it is not known of this contender

	longer []string // contenders that are measured longer, as a part of their time is to be told that is short

	takes time.Duration // a run; 0: m.length and a little, and connecting
	conns int           // at most so many at once: who does not take them is left out; 0: few
	needs string        // a further program, without which it is left out
	axis  string        // what row.at counts, for a chart of growth; empty: no such chart
}

// longer is how many times as long testCase.longer are measured.
const longer = 4

// contender is a program that serves something, under the name of its column.
type contender struct{ name, program, proto string }

// row is a figure of a case.
type row struct {
	what string // follows the case's name
	unit string
	aims []aim
	at   float64 // where on the axis of the case

	byTicks bool // the kernel counts it in ticks, which are few in a round: the rounds are added up
}

// typical is what rounds have in common.
func (r row) typical(rounds []float64) float64 {
	if r.byTicks {
		return mean(rounds)
	}
	return median(rounds)
}

// aim is what a figure is to be at most, or its ratio to another contender's.
type aim struct {
	Of   string  `json:"of"`
	To   string  `json:"to,omitempty"`
	Most float64 `json:"most"`
}

// bestPeer is whoever of the rivals in Go, in PHP and of Node does best, in each round.
const bestPeer = "the best peer"

var peers = []string{
	"gnet", "nbio", "net", "net/http", "fasthttp", "gws", "gobwas/ws", "gorilla", "coder", "melody", "Node",
	"Workerman",
}

// best are the lowest figures of the peers by round, nil if there are none.
func best(figures map[string][]float64) (lowest []float64) {
	for _, name := range peers {
		for i, v := range figures[name] {
			if i == len(lowest) {
				lowest = append(lowest, v)
			}
			lowest[i] = min(lowest[i], v)
		}
	}
	return lowest
}

// reached is what an aim says of the rounds' figures by contender: the figure, or the ratio.
func (r row) reached(a aim, figures map[string][]float64) float64 {
	if a.To == "" {
		return r.typical(figures[a.Of])
	}
	if r.byTicks {
		return mean(figures[a.Of]) / mean(figures[a.To])
	}
	var ratios []float64
	for i, v := range figures[a.Of] { // of the same round: what disturbs it disturbs both
		ratios = append(ratios, v/figures[a.To][i])
	}
	return median(ratios)
}
