//go:build linux

package main

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// storm is the case of clients that all come back at once when the server was killed and started again, with
// credentials that are checked.
func (m *measurement) storm() testCase {
	rows := []row{
		{what: ", all served", unit: "s"}, {what: ", CPU of a connection", unit: "us"},
		{what: ", CPU of a connection outside the kernel", unit: "us"},
		{what: ", peak memory", unit: "MB"},
	}
	return testCase{
		name: fmt.Sprintf("push: %d reconnect at once", m.many), contenders: strict, rows: rows, rounds: 1,
		once: m.reconnect, takes: 4 * m.arrival(m.many),
	}
}

func (m *measurement) reconnect(r *running) ([]float64, error) {
	how, err := strictPage()
	if err != nil {
		return nil, err
	}
	first, err := storm(r.addrs[0], m.many, how)
	if err != nil {
		return nil, err
	}
	if err := r.known(m.many); err != nil {
		return nil, err
	}
	r.stop()
	for _, c := range first {
		c.Close()
	}
	again, err := m.startOn("lineman-strict", r.ports(), "")
	if err != nil {
		return nil, err
	}
	defer again.stop()
	before, err := again.cpu()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	conns, err := storm(again.addrs[0], m.many, how)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	if err := again.known(m.many); err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, err := again.cpu()
	if err != nil {
		return nil, err
	}
	peak, err := again.peak()
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(m.many) }
	return []float64{took.Seconds(), each(after.total - before.total), each(after.user - before.user), peak / 1e6}, err
}

// ports are those that it listens on.
func (r *running) ports() (all []string) {
	for _, addr := range r.addrs {
		_, port, _ := net.SplitHostPort(addr)
		all = append(all, port)
	}
	return all
}

// storm opens n WebSockets, all at once.
func storm(addr string, n int, how opening) ([]net.Conn, error) {
	conns, errs := make([]net.Conn, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Add(1)
		go func() {
			defer all.Done()
			conns[i], errs[i] = arrive(addr, how)
		}()
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return conns, nil
}

func arrive(addr string, how opening) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, 30*time.Second)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	c := client{socket: &socket{Conn: conn, fd: -1}, port: conn.LocalAddr().(*net.TCPAddr).Port}
	return conn, c.shakeHands(how)
}
