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
	slowRounds  = 120 // publications to each
)

// slowReaders is the case of one connection in a hundred that has stopped reading what all are sent, beside a server
// whose pages all read: publications go to one and the other in turns. A server cuts a connection for which 64 KiB
// wait; the case fails if one is not cut.
func (m *measurement) slowReaders() testCase {
	rows := []row{
		{what: ", 99th percentile without", unit: "ms"}, {what: ", 99th percentile of the others", unit: "ms"},
		{what: ", ratio", aims: []aim{{"push server", "", 1.2}}},
		{what: ", peak memory beyond that without", unit: "MB"},
	}
	return testCase{
		name: fmt.Sprintf("push: 1 %% of %d stop reading", m.half()), contenders: strict, rows: rows, rounds: 1,
		once: m.stall, takes: 2*m.arrival(m.many) + slowRounds*m.arrival(m.many)/8,
	}
}

// half is how many pages each of two servers has: a little less than the others, for 20,000 descriptors are all that
// many a system gives.
func (m *measurement) half() int { return m.many * 99 / 100 }

// audience are the pages of a server and a back end behind them.
type audience struct {
	*load
	server *running
	pages  int
	first  int // of them, which get more and are not looked at
}

func (m *measurement) audience(r *running) (*audience, error) {
	how, err := strictPage()
	if err != nil {
		return nil, err
	}
	l, err := connect(r.addrs[0], m.half(), how)
	if err != nil {
		return nil, err
	}
	if err := l.add(r.addrs[1], plain); err != nil {
		return nil, err
	}
	return &audience{l, r, m.half(), m.half() / 100}, r.known(m.half())
}

func (m *measurement) stall(r *running) ([]float64, error) {
	other, err := m.start("lineman-strict", "pages,lines")
	if err != nil {
		return nil, err
	}
	defer other.stop()
	stalled, err := m.audience(r)
	if err != nil {
		return nil, err
	}
	defer stalled.close()
	calm, err := m.audience(other)
	if err != nil {
		return nil, err
	}
	defer calm.close()
	for _, c := range stalled.conns[:stalled.first] {
		if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 8<<10); err != nil {
			return nil, err
		}
		if err := unix.EpollCtl(stalled.epfd, unix.EPOLL_CTL_DEL, c.fd, nil); err != nil {
			return nil, err
		}
	}
	var without, with, ratio []float64
	for range slowRounds {
		a, err := calm.publish()
		if err != nil {
			return nil, err
		}
		b, err := stalled.publish()
		if err != nil {
			return nil, err
		}
		without, with, ratio = append(without, a), append(with, b), append(ratio, b/a)
	}
	if err := r.known(stalled.pages - stalled.first); err != nil { // they have been cut
		return nil, err
	}
	a, err := other.peak()
	if err != nil {
		return nil, err
	}
	b, err := r.peak()
	return []float64{median(without), median(with), median(ratio), (b - a) / 1e6}, err
}

// publish publishes to all pages, after more to the first, and returns the 99th percentile of the time until the others
// have it, in milliseconds.
func (l *audience) publish() (p99 float64, err error) {
	var first []string
	for _, c := range l.conns[:l.first] {
		first = append(first, `"u:`+uid(c.port)+`"`)
	}
	more := `{"cmd":"pub","to":[` + strings.Join(first, ",") + `],"text":"` + strings.Repeat("x", moreMessage) + `"}`
	if _, err := l.server.ask(more); err != nil {
		return 0, err
	}
	line := []byte(`{"cmd":"pub","to":"*","text":"` + strings.Repeat("x", slowMessage) + "\"}\n")
	size := slowMessage + 4
	var took []time.Duration
	missing, answered := l.pages-l.first, false
	began := time.Now()
	if err := l.send(l.pages, line); err != nil {
		return 0, err
	}
	err = l.each(20*time.Second, func(i, n int) error {
		switch c := &l.conns[i]; {
		case i == l.pages:
			answered = true
		case i < l.first:
		default:
			if c.received += n; c.received == size {
				c.received = 0
				took = append(took, time.Since(began))
				missing--
			}
		}
		return nil
	}, func() bool { return missing == 0 && answered })
	if err != nil {
		return 0, err
	}
	slices.Sort(took)
	return float64(took[len(took)*99/100].Microseconds()) / 1000, nil
}
