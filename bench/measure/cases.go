//go:build linux

package main

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

// testCase is something that contenders are compared by.
type testCase struct {
	name       string
	contenders []contender
	rows       []row // what once measures, in this order
	rounds     int
	once       func(r *running) ([]float64, error) // NaN where it is not known of this contender
}

// contender is a program that serves something, under the name of its column.
type contender struct{ name, program, proto string }

// row is a figure of a case.
type row struct {
	what string // follows the case's name
	unit string
	aims []aim
}

// drive has clients do something for d, and returns how often.
type drive func(l *load, d time.Duration) (ops int, err error)

func (m *measurement) cases() []testCase {
	return slices.Concat(m.messages(), m.answers(), m.secured(), m.memories(), m.besideBusyLoop(), m.pushes(),
		m.followed(), m.heard(), m.overNodes())
}

// least is the contender that Lineman is compared with where there is nothing to do but to write.
func (m *measurement) least() string {
	if m.programs["goepoll"] != nil {
		return "goepoll"
	}
	return "floor"
}

// bare are the contenders that speak a protocol without a limit or a check, and Lineman.
func bare(proto string) []contender {
	return []contender{{"goepoll", "goepoll", proto}, {"floor", "floor", proto}, {"Lineman", "subject", proto}}
}

// cost is a case of the server's CPU time for an operation.
func (m *measurement) cost(name string, contenders []contender, conns int, how opening, d drive, aims ...aim) testCase {
	once := func(r *running) ([]float64, error) {
		l, err := connect(r.addrs[0], conns, how)
		if err != nil {
			return nil, err
		}
		defer l.close()
		return m.perOperation(r, func(length time.Duration) (int, error) { return d(l, length) })
	}
	return testCase{name, contenders, costs(aims...), m.rounds, once}
}

// costs are the rows of what perOperation returns.
func costs(aims ...aim) []row {
	return []row{{unit: "us/op", aims: aims}, {what: ", outside the kernel", unit: "us/op"}}
}

// perOperation is the CPU time in microseconds that an operation costs the server, and the part outside the kernel.
func (m *measurement) perOperation(r *running, do func(time.Duration) (ops int, err error)) ([]float64, error) {
	if _, err := do(m.length / 10); err != nil {
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
	each := float64(ops) * float64(time.Microsecond)
	return []float64{float64(after.total-before.total) / each, float64(after.user-before.user) / each}, err
}

// messages are echoes and broadcasts.
func (m *measurement) messages() []testCase {
	line, frame := []byte(strings.Repeat("x", 63)+"\n"), masked(64)
	toAll := func(underWay int) drive {
		return func(l *load, d time.Duration) (int, error) { return l.fanout(masked(128), 128+4, underWay, d) }
	}
	least := m.least()
	return []testCase{
		m.cost("text echo 64 B, 100 connections", bare("text"), 100, plain, echo(line, 1, 64),
			aim{"Lineman", least, 1.20}),
		m.cost("text echo 64 B, 100 connections, 16 pipelined", bare("text"), 100, plain, echo(line, 16, 64),
			aim{"Lineman", least, 1.6}),
		m.cost("ws echo 64 B, 100 connections", bare("ws"), 100, webSocket, echo(frame, 1, 66),
			aim{"Lineman", least, 1.20}),
		m.cost("ws echo 64 B, 100 connections, 16 pipelined", bare("ws"), 100, webSocket, echo(frame, 16, 66),
			aim{"Lineman", least, 1.6}),
		m.cost(fmt.Sprintf("ws broadcast 128 B to %d", m.many), bare("wsbc"), m.many, webSocket, toAll(1),
			aim{"Lineman", least, 1.20}),
		m.cost("ws broadcast 128 B to 1000, 16 under way", bare("wsbc"), 1000, webSocket, toAll(16),
			aim{"Lineman", least, 0.25}),
	}
}

var get = []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")

// answers are plain HTTP answers, by both doors.
func (m *measurement) answers() []testCase {
	contenders := append(bare("http"),
		contender{"Handler", "subject", "handler"}, contender{"net/http", "rival", "nethttp"},
		contender{"fasthttp", "rival", "fasthttp"}, contender{"nginx", "nginx", "http"})
	return []testCase{
		m.cost("http GET, 100 connections", contenders, 100, plain, hello(1),
			aim{"Lineman", m.least(), 1.35}, aim{"Lineman", "net/http", 1 / 2.5}, aim{"Handler", "net/http", 1.5}),
		m.cost("http GET, 100 connections, 16 pipelined", contenders, 100, plain, hello(16),
			aim{"Lineman", "fasthttp", 1}),
	}
}

var securedHTTP = []contender{
	{"Lineman", "subject", "https"}, {"Handler", "subject", "handlers"},
	{"net/http", "rival", "nethttps"}, {"nginx", "nginx", "https"},
}

// secured are messages and handshakes over TLS.
func (m *measurement) secured() []testCase {
	lineman := []contender{{"Lineman", "subject", "wss"}}
	return []testCase{
		m.cost("TLS: ws echo 64 B, 100 connections", lineman, 100, secureSockets, echo(masked(64), 1, 66)),
		m.cost("TLS: http GET, 100 connections", securedHTTP, 100, secure, hello(1)),
		{"TLS: handshake, http GET and close", securedHTTP, costs(), m.rounds, func(r *running) ([]float64, error) {
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

// echo keeps so many requests under way on each connection, each of which has a reply of so many bytes.
func echo(request []byte, pipelined, reply int) drive {
	return func(l *load, d time.Duration) (int, error) {
		return l.echo(bytes.Repeat(request, pipelined), pipelined, pipelined*reply, d)
	}
}

// hello is echo of answers, whose size is not known.
func hello(pipelined int) drive {
	return func(l *load, d time.Duration) (int, error) {
		reply, err := l.replySize(get)
		if err != nil {
			return 0, err
		}
		return echo(get, pipelined, reply)(l, d)
	}
}

// masked is a client's text frame with so many bytes of payload, below 64 KiB.
func masked(size int) []byte { return maskedText(strings.Repeat("x", size)) }

// maskedText is a client's text frame, below 64 KiB.
func maskedText(text string) []byte {
	b := []byte{0x81, 0x80 | byte(len(text))}
	if len(text) >= 126 {
		b = binary.BigEndian.AppendUint16([]byte{0x81, 0x80 | 126}, uint16(len(text)))
	}
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, mask[:]...)
	for i := range len(text) {
		b = append(b, text[i]^mask[i&3])
	}
	return b
}

// replySize asks once and sees how long the answer is, which must not change.
func (l *load) replySize(request []byte) (size int, err error) {
	if err := l.send(0, request); err != nil {
		return 0, err
	}
	return size, l.each(5*time.Second, func(_, n int) error {
		size = n
		return nil
	}, func() bool { return size > 0 })
}
