//go:build linux

package main

import (
	"crypto/tls"
	"strings"
	"time"
)

// least is the contender that Lineman is compared with where there is nothing to do but to write.
func (m *measurement) least() string {
	if m.baseline != "" {
		return "goepoll"
	}
	if p, _ := m.program("c-floor"); p != nil { // a failure to make it comes to light when it is measured
		return "C floor"
	}
	return "Go floor"
}

// cost is a case of the server's CPU time for an operation.
func (m *measurement) cost(name string, contenders []contender, conns int, how opening, d drive, aims ...aim) testCase {
	once := func(r *running) ([]float64, error) {
		l, err := connect(r.addrs[0], conns, how)
		if err != nil {
			return nil, err
		}
		defer l.close()
		if err := d.check(l); err != nil {
			return nil, err
		}
		return m.perOperation(r, func(length time.Duration) (int, error) { return d.run(l, length) })
	}
	return testCase{
		name: name, contenders: contenders, rows: costs(append(aims, ahead)...), rounds: m.rounds, once: once,
		conns: conns,
	}
}

// ahead is the aim of all that others serve too.
var ahead = aim{"Lineman", bestPeer, 1}

// costs are the rows of what perOperation returns.
func costs(aims ...aim) []row {
	return []row{{unit: "us/op", aims: aims}, {what: outside, unit: "us/op", byTicks: true}}
}

// outside has aims of the part outside the kernel.
func (c testCase) outside(aims ...aim) testCase {
	c.rows[1].aims = aims
	for _, a := range aims {
		c.longer = append(c.longer, a.Of, a.To)
	}
	return c
}

// perOperation is the CPU time in microseconds that an operation costs the server, and the part outside the kernel.
func (m *measurement) perOperation(r *running, do func(time.Duration) (ops int, err error)) ([]float64, error) {
	if _, err := do(m.length / 10); err != nil {
		return nil, err
	}
	w, err := beginWatch()
	if err != nil {
		return nil, err
	}
	before, err := r.cpu()
	if err != nil {
		return nil, err
	}
	ops, err := do(m.length)
	if err != nil {
		return nil, err
	}
	after, err := r.cpu()
	if err != nil {
		return nil, err
	}
	foreign, err := w.foreign()
	*m.seen = m.seen.worse(disturbance{foreign: foreign})
	each := float64(ops) * float64(time.Microsecond)
	return []float64{float64(after.total-before.total) / each, float64(after.user-before.user) / each}, err
}

// messages are echoes of small messages.
func (m *measurement) messages() []testCase {
	line, frame := strings.Repeat("x", 63)+"\n", strings.Repeat("x", 64)
	least := m.least()
	return []testCase{
		m.cost("tcp echo 64 B, 100 connections", serving("tcp"), 100, plain, echoPlain(line, 1),
			aim{"Lineman", least, 1.08}),
		m.cost("text echo 64 B, 100 connections", serving("text"), 100, plain, echoPlain(line, 1),
			aim{"Lineman", least, 1.08}),
		m.cost("text echo 64 B, 100 connections, 16 pipelined", serving("text"), 100, plain, echoPlain(line, 16),
			aim{"Lineman", least, 1.18}),
		m.cost("ws echo 64 B, 100 connections", serving("ws"), 100, webSocket, echoText(frame, 1),
			aim{"Lineman", least, 1.08}).outside(aim{"Lineman", "uWebSockets", 1.1}),
		m.cost("ws echo 64 B, 100 connections, 16 pipelined", serving("ws"), 100, webSocket, echoText(frame, 16),
			aim{"Lineman", least, 1.18}).outside(aim{"Lineman", "uWebSockets", 1.1}),
		m.cost("udp echo 64 B, 100 sockets", serving("udp"), 100, udp, echoPlain(line, 1)),
	}
}

var get = []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")

// answers are plain HTTP answers, by both doors.
func (m *measurement) answers() []testCase {
	contenders := serving("http")
	return []testCase{
		m.cost("http GET, 100 connections", contenders, 100, plain, hello(1),
			aim{"Lineman", m.least(), 1.15}, aim{"Handler", "net/http", 1.4}).
			outside(aim{"Lineman", "uWebSockets", 1.1}),
		m.cost("http GET, 100 connections, 16 pipelined", contenders, 100, plain, hello(16),
			aim{"Lineman", m.least(), 1.4}, aim{"Handler", "net/http", 1.4}).
			outside(aim{"Lineman", "uWebSockets", 1.1}),
	}
}

// secured are messages and handshakes over TLS.
func (m *measurement) secured() []testCase {
	return []testCase{
		m.cost("TLS: ws echo 64 B, 100 connections", serving("wss"), 100, secureSockets,
			echoText(strings.Repeat("x", 64), 1)),
		m.cost("TLS: ws echo 64 B, 100 connections, 16 pipelined", serving("wss"), 100, secureSockets,
			echoText(strings.Repeat("x", 64), 16)),
		m.cost("TLS: http GET, 100 connections", serving("https"), 100, secure, hello(1)),
		{name: "TLS: handshake, http GET and close", contenders: serving("https"), rows: costs(ahead), rounds: m.rounds,
			once: func(r *running) ([]float64, error) {
				return m.perOperation(r, func(d time.Duration) (int, error) { return visit(r.addrs[0], d) })
			}},
	}
}

// curious is a client that offers the one key exchange that every server here knows, and no session to resume.
var curious = &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}}

// visit connects, asks once and leaves, again and again, and returns how often.
func visit(addr string, d time.Duration) (ops int, err error) {
	for end := time.Now().Add(d); ops == 0 || time.Now().Before(end); ops++ {
		c, err := tls.Dial("tcp", addr, curious)
		if err != nil {
			return ops, err
		}
		if _, err := ask(c, string(get)); err != nil {
			return ops, err
		}
		if err := c.Close(); err != nil {
			return ops, err
		}
	}
	return ops, nil
}
