//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	slowMessage = 1 << 10
	moreMessage = 60 << 10
	slowRounds  = 120 // publications of each phase
	slowEvery   = 200 * time.Millisecond
)

// slowReaders is the case of one connection in a hundred that stops reading what all are sent. The server cuts a connection for which 64 KiB
// wait; the case fails if one is not cut.
func (m *measurement) slowReaders() testCase {
	rows := []row{
		{what: ", 99th percentile before", unit: "ms"}, {what: ", 99th percentile of the others", unit: "ms"},
		{what: ", ratio", aims: []aim{{"push server", "", 1.2}}},
		{what: ", memory beyond that before", unit: "MB"},
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
	before, err := l.latencies(r, m.many, stalled)
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
	with, err := l.latencies(r, m.many, stalled)
	if err != nil {
		return nil, err
	}
	peak, err := r.peak()
	if err != nil {
		return nil, err
	}
	if err := r.known(m.many - stalled); err != nil { // they have been cut
		return nil, err
	}
	return []float64{before, with, with / before, (peak - calm) / 1e6}, nil
}

// latencies publishes to all pages, at a steady rate, and returns the 99th percentile, in milliseconds, of the time until all but the first
// have it. Those first, which stop reading at some time, get more beside it.
func (l *load) latencies(r *running, pages, first int) (p99 float64, err error) {
	line := []byte(`{"cmd":"pub","to":"*","text":"` + strings.Repeat("x", slowMessage) + "\"}\n")
	var some []string
	for _, c := range l.conns[:first] {
		some = append(some, `"u:`+uid(c.port)+`"`)
	}
	more := `{"cmd":"pub","to":[` + strings.Join(some, ",") + `],"text":"` + strings.Repeat("x", moreMessage) + `"}`
	size := slowMessage + 4
	var took []time.Duration
	for range slowRounds {
		if _, err := r.ask(more); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := l.send(pages, line); err != nil {
			return 0, err
		}
		missing := pages - first
		answered := false
		if err := l.each(20*time.Second, func(i, n int) error {
			if i == pages {
				answered = true
				return nil
			}
			if i < first {
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
