//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/lineman-go/lineman/push/token"
)

// stormOfFollowers is the case of clients of level 1 that come back all at once when the server was killed and started
// again. Each has missed 100 messages. With a journal it gets them, without one it is told that there is a gap.
func (m *measurement) stormOfFollowers() testCase {
	rows := []row{
		{what: ", all told", unit: "s"}, {what: ", CPU of a client", unit: "us"},
		{what: ", CPU of a client outside the kernel", unit: "us"}, {what: ", peak memory", unit: "MB"},
		{what: ", recovered", unit: "clients"}, {what: ", told of a gap", unit: "clients"},
	}
	return testCase{
		name: fmt.Sprintf("history: %d come back at once", m.many),
		contenders: []contender{
			{"in memory", "lineman-forgets", "pages,lines"}, {"journal", "lineman-storm", "pages,lines"},
		},
		rows: rows, rounds: 1, once: m.comeBack, takes: 10 * m.arrival(m.many),
	}
}

const missed = 100 // messages of 128 B

func (m *measurement) comeBack(r *running) ([]float64, error) {
	if err := r.publish("news", 1); err != nil {
		return nil, err
	}
	how, err := strictFollower("")
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
	for _, c := range first {
		c.Close()
	}
	epoch, had, err := r.top("news")
	if err != nil {
		return nil, err
	}
	if err := r.publish("news", missed); err != nil {
		return nil, err
	}
	r.stop()
	program := "lineman-storm"
	if r.as == "in memory" {
		program = "lineman-forgets"
	}
	again, err := m.startOn(program, r.ports(), r.cmd.Dir)
	if err != nil {
		return nil, err
	}
	defer again.stop()
	if how, err = strictFollower(position(epoch, had)); err != nil {
		return nil, err
	}
	return m.allTold(again, how, position(epoch, had+missed))
}

// allTold has all clients come, and waits until each has the last message, or was told of a gap.
func (m *measurement) allTold(r *running, how opening, last string) ([]float64, error) {
	before, err := r.cpu()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	conns, err := storm(r.addrs[0], m.many, how)
	if err != nil {
		return nil, err
	}
	gaps, errs := make([]bool, m.many), make([]error, m.many)
	var all sync.WaitGroup
	for i, c := range conns {
		all.Add(1)
		go func() {
			defer all.Done()
			defer c.Close()
			gaps[i], errs[i] = recovered(c, last)
		}()
	}
	all.Wait()
	took := time.Since(began)
	told := 0.0
	for i := range conns {
		if errs[i] != nil {
			return nil, errs[i]
		}
		if gaps[i] {
			told++
		}
	}
	after, err := r.cpu()
	if err != nil {
		return nil, err
	}
	peak, err := r.peak()
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(m.many) }
	return []float64{
		took.Seconds(), each(after.total - before.total), each(after.user - before.user), peak / 1e6,
		float64(m.many) - told, told,
	}, err
}

// recovered reads until the message at a position has come, or that there is a gap.
func recovered(c net.Conn, last string) (gap bool, err error) {
	message := []byte(`{"op":"msg","ch":"news","pos":"` + last + `"`)
	var got []byte
	for b := make([]byte, 4096); ; {
		n, err := c.Read(b)
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return false, fmt.Errorf("a client that came back: %w", err)
		}
		got = append(got, b[:n]...)
		switch {
		case bytes.Contains(got, message):
			return false, nil
		case bytes.Contains(got, []byte(`"gap":`)):
			return true, nil
		}
		got = append(got[:0], got[max(0, len(got)-len(message)):]...) // what is not looked for is not kept
	}
}

// publish publishes messages of 128 B.
func (r *running) publish(channel string, n int) error {
	return r.askAll(n, func(i int) string { return fmt.Sprintf(`{"cmd":"pub","to":%q,"text":"%0128d"}`, channel, i) })
}

func position(epoch string, offset int) string {
	return epoch + "." + strconv.FormatInt(int64(offset), 36)
}

// strictFollower is a follower with a credential that is checked, since a position.
func strictFollower(since string) (opening, error) {
	s, err := token.NewSigner(token.Key{Secret: []byte(tokenSecret)}, "HS256")
	return opening{webSocket: true, hello: func(port int) string {
		now := time.Now()
		// such claims can be signed
		credential, _ := s.Sign(token.Claims{UID: uid(port), Issued: now, Expires: now.Add(time.Hour)})
		return fmt.Sprintf(`{"op":"hello","token":%q,"sub":{"news":%q},"batch":true}`, credential, since)
	}}, err
}
