//go:build linux

package main

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"time"
)

// besideBusyLoop are the times that clients wait for goroutines of the server while echoes keep its loop busy.
func (m *measurement) besideBusyLoop() []testCase {
	contenders := []contender{{"Lineman", "subject", "text,handler,https"}}
	rows := []row{
		{what: ", median", unit: "ms"},
		{what: ", 99th percentile", unit: "ms", aims: []aim{{"Lineman", "", 20}}},
		{what: ", CPU of the server", unit: "%"},
	}
	handler := func(r *running) ([]float64, error) {
		c, err := net.Dial("tcp", r.addrs[1])
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return m.beside(r, func() error {
			_, err := ask(c, string(get))
			return err
		})
	}
	handshake := func(r *running) ([]float64, error) {
		return m.beside(r, func() error {
			c, err := tls.Dial("tcp", r.addrs[2], curious)
			if err != nil {
				return err
			}
			return c.Close()
		})
	}
	return []testCase{
		{name: "Handler's answer beside a busy loop", contenders: contenders, rows: rows, rounds: m.rounds,
			once: handler},
		{name: "TLS: handshake beside a busy loop", contenders: contenders, rows: rows, rounds: m.rounds,
			once: handshake},
	}
}

// beside does something again and again while other connections keep the loop busy, and measures how long it takes.
func (m *measurement) beside(r *running, do func() error) ([]float64, error) {
	l, err := connect(r.addrs[0], 100, plain)
	if err != nil {
		return nil, err
	}
	defer l.close()
	over, failed := make(chan struct{}), make(chan error)
	var took []float64
	go func() {
		var err error
		defer func() { failed <- err }()
		for ended := false; !ended; { // a median needs one at least
			begin := time.Now()
			if err = do(); err != nil {
				return
			}
			took = append(took, time.Since(begin).Seconds()*1000)
			select {
			case <-over:
				ended = true
			case <-time.After(time.Millisecond): // a rate: the loop is busy with other work
			}
		}
	}()
	keep := echoPlain(strings.Repeat("x", 63)+"\n", 16)
	before, beforeErr := r.cpu()
	begin := time.Now()
	_, loadErr := keep.run(l, m.length)
	after, afterErr := r.cpu()
	busy := 100 * float64(after.total-before.total) / float64(time.Since(begin))
	close(over)
	if err := errors.Join(<-failed, beforeErr, loadErr, afterErr); err != nil {
		return nil, err
	}
	slices.Sort(took)
	return []float64{median(took), took[len(took)*99/100], busy}, nil
}
