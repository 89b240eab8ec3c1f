//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// testCase is something that servers are measured by.
type testCase struct {
	name  string
	proto string
	conns int
	most  float64 // that the ratio may be
	drive func(l *load, d time.Duration) (ops int, err error)
}

func (m *measurement) cases() []testCase {
	line := []byte(strings.Repeat("x", 63) + "\n")
	frame := masked(64)
	get := []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	echo := func(request []byte, pipelined, reply int) func(*load, time.Duration) (int, error) {
		return func(l *load, d time.Duration) (int, error) {
			return l.echo(bytes.Repeat(request, pipelined), pipelined, pipelined*reply, d)
		}
	}
	hello := func(pipelined int) func(*load, time.Duration) (int, error) {
		return func(l *load, d time.Duration) (int, error) {
			reply, err := l.replySize(get)
			if err != nil {
				return 0, err
			}
			return l.echo(bytes.Repeat(get, pipelined), pipelined, pipelined*reply, d)
		}
	}
	toAll := func(underWay int) func(*load, time.Duration) (int, error) {
		return func(l *load, d time.Duration) (int, error) { return l.fanout(masked(128), 128+4, underWay, d) }
	}
	return []testCase{
		{"text echo 64 B, 100 connections", "text", 100, 1.20, echo(line, 1, 64)},
		{"text echo 64 B, 100 connections, 16 pipelined", "text", 100, 1.6, echo(line, 16, 64)},
		{"ws echo 64 B, 100 connections", "ws", 100, 1.20, echo(frame, 1, 66)},
		{"ws echo 64 B, 100 connections, 16 pipelined", "ws", 100, 1.6, echo(frame, 16, 66)},
		{"http GET, 100 connections", "http", 100, 0, hello(1)},
		{"http GET, 100 connections, 16 pipelined", "http", 100, 0, hello(16)},
		{fmt.Sprintf("ws broadcast 128 B to %d", m.many), "wsbc", m.many, 1.20, toAll(1)},
		{"ws broadcast 128 B to 1000, 16 under way", "wsbc", 1000, 0.25, toAll(16)},
	}
}

// masked is a client's text frame with so many bytes of payload, below 64 KiB.
func masked(size int) []byte {
	b := []byte{0x81, 0x80 | byte(size)}
	if size >= 126 {
		b = binary.BigEndian.AppendUint16([]byte{0x81, 0x80 | 126}, uint16(size))
	}
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, mask[:]...)
	for i := range size {
		b = append(b, 'x'^mask[i&3])
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

const memoryCase = "memory of an idle WebSocket connection"

// memory is the slope of the server's memory between few and many connections that have exchanged a message.
func (m *measurement) memory(s server) (result, error) {
	few, many := m.many*9/10, m.many*19/10
	run, err := s.start("ws")
	if err != nil {
		return result{}, err
	}
	defer run.stop()
	var loads []*load
	defer func() {
		for _, l := range loads {
			l.close()
		}
	}()
	grow := func(n int) (int, error) {
		l, err := connect(run.addr, n, true)
		if err != nil {
			return 0, err
		}
		loads = append(loads, l)
		if _, err := l.echo(masked(64), 1, 66, 0); err != nil {
			return 0, err
		}
		return run.memory(), nil
	}
	before, err := grow(few)
	if err != nil {
		return result{}, err
	}
	after, err := grow(many - few)
	if err != nil {
		return result{}, err
	}
	slope := float64(after-before) / float64(many-few)
	return result{Case: fmt.Sprintf("%s, between %d and %d", memoryCase, few, many), Unit: "bytes", Figure: map[string]float64{s.name: slope}, Most: 400}, nil
}
