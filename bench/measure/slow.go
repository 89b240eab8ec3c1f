//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	slowMessage = 4 << 10
	slowRounds  = 60 // publications of each phase
	slowEvery   = 200 * time.Millisecond
)

// slowReaders is the case of one connection in a hundred that stops reading what all are sent. The server cuts a connection for which 64 KiB
// wait.
func (m *measurement) slowReaders() testCase {
	rows := []row{
		{what: ", 99th percentile before", unit: "ms"}, {what: ", 99th percentile of the others", unit: "ms"},
		{what: ", ratio", aims: []aim{{"push server", "", 1.2}}},
		{what: ", memory beyond that before", unit: "MB"}, {what: ", cut", unit: "of 1"}, {what: ", of these told 4102", unit: "of 1"},
	}
	return testCase{fmt.Sprintf("push: 1 %% of %d stop reading", m.many), strict, rows, 1, m.stall}
}

func (m *measurement) stall(r *running) ([]float64, error) {
	how, err := strictPage()
	if err != nil {
		return nil, err
	}
	l, err := connect(r.addrs[0], m.many, how)
	if err != nil {
		return nil, err
	}
	defer l.close()
	if err := l.add(r.addrs[1], plain); err != nil {
		return nil, err
	}
	if err := r.known(m.many); err != nil {
		return nil, err
	}
	stalled := m.many / 100
	before, err := l.latencies(m.many, 0)
	if err != nil {
		return nil, err
	}
	calm, err := r.peak()
	if err != nil {
		return nil, err
	}
	for i := range stalled {
		c := l.conns[i]
		if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 8<<10); err != nil {
			return nil, err
		}
		if err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_DEL, c.fd, nil); err != nil {
			return nil, err
		}
	}
	with, err := l.latencies(m.many, stalled)
	if err != nil {
		return nil, err
	}
	peak, err := r.peak()
	if err != nil {
		return nil, err
	}
	if err := r.known(m.many - stalled); err != nil {
		return nil, err
	}
	told := 0
	for i := range stalled {
		if l.conns[i].toldTooSlow() {
			told++
		}
	}
	cut := float64(stalled) // known has seen it
	return []float64{before, with, with / before, (peak - calm) / 1e6, cut / float64(stalled), float64(told) / float64(stalled)}, nil
}

// latencies publishes to all pages, at a steady rate, and returns the 99th percentile, in milliseconds, of the time until those have it
// that read: all but the first.
func (l *load) latencies(pages, stalled int) (p99 float64, err error) {
	line := []byte(`{"cmd":"pub","to":"*","text":"` + strings.Repeat("x", slowMessage) + "\"}\n")
	size := slowMessage + 4
	var took []time.Duration
	for range slowRounds {
		began := time.Now()
		if err := l.send(pages, line); err != nil {
			return 0, err
		}
		missing := pages - stalled
		answered := false
		if err := l.each(20*time.Second, func(i, n int) error {
			if i == pages {
				answered = true
				return nil
			}
			c := &l.conns[i]
			if c.received += n; c.received == size {
				c.received = 0
				took = append(took, time.Since(began))
				missing--
			}
			return nil
		}, func() bool { return missing == 0 && answered }); err != nil {
			return 0, err
		}
		time.Sleep(time.Until(began.Add(slowEvery)))
	}
	slices.Sort(took)
	return float64(took[len(took)*99/100].Microseconds()) / 1000, nil
}

// toldTooSlow reads to the end of the stream, and reports whether that was a goodbye with 4102.
func (c *client) toldTooSlow() bool {
	var last []byte
	buf := make([]byte, 64<<10)
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); {
		n, err := c.receive(buf)
		last = append(last, buf[:n]...)
		last = last[max(0, len(last)-200):]
		if err != nil {
			break
		}
	}
	code := binary.BigEndian.AppendUint16(nil, 4102)
	i := bytes.LastIndexByte(last, 0x88)
	return i >= 0 && len(last) >= i+4 && bytes.Equal(last[i+2:i+4], code)
}
