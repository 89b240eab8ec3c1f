//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// follower is a page of level 1, of a uid of its own, that follows a channel from now on.
var follower = opening{webSocket: true, hello: func(port int) string {
	return fmt.Sprintf(`{"op":"hello","token":%q,"sub":{"news":""}}`, uid(port))
}}

// subscriber is the same page of level 0.
var subscriber = opening{webSocket: true, query: func(port int) string { return "?sub=news&token=" + uid(port) }}

// listener is the same page of level 1, by server-sent events.
var listener = opening{events: func(port int) string { return "/sse?sub=news&token=" + uid(port) }}

// followed are what the push server does that keeps history, for pages that follow it and for others.
func (m *measurement) followed() []testCase {
	channels := []contender{{"push server", "lineman-channels", "pages,lines"}}
	levels := []contender{
		{"level 0", "lineman-channels", "pages,lines"}, {"level 1", "lineman-channels", "pages,lines"},
		{"events", "lineman-channels", "pages,lines"},
	}
	keeps := append([]contender{}, pushServer...)
	keeps = append(keeps, contender{"in memory", "lineman-uids", "pages,lines"},
		contender{"journal", "lineman-journal", "pages,lines"})
	lines := m.lines(m.many/10, 16, keeps, aim{"in memory", "push server", 1.3}, aim{"journal", "in memory", 1.5})
	lines.name = "history: " + strings.TrimPrefix(lines.name, "push: ")
	recovers := costs(aim{"push server", "", 50})
	return []testCase{
		m.fanout(fmt.Sprintf("history: 128 B to %d of a channel", m.many), levels, publication{m.many, 128, 1},
			aim{"level 1", "level 0", 1.15}),
		lines,
		{name: "history: 100 messages, missed by all alike", contenders: channels, rows: recovers, rounds: m.rounds,
			once: func(r *running) ([]float64, error) {
				return m.recovery(r, func(int) string { return "news" })
			}},
		{name: "history: 100 messages, missed by each of its own channel", contenders: channels, rows: recovers,
			rounds: m.rounds,
			once: func(r *running) ([]float64, error) {
				return m.recovery(r, func(i int) string { return fmt.Sprint("news:", i) })
			}},
		m.heldAfter("history: memory of an idle page of level 1 with one channel", channels, follower, m.quiet(),
			m.here, aim{"push server", "", 1200}),
		m.heldAfter("history: memory of an idle page of server-sent events with one channel", channels, listener,
			m.quiet(), m.here, aim{"push server", "", 1200}),
		m.stormOfFollowers(),
	}
}

// digits is how many an offset has as it is written.
func digits(offset int) int { return len(strconv.FormatInt(int64(offset), 36)) }

// top is the newest position of a channel.
func (r *running) top(channel string) (epoch string, offset int, err error) {
	answer, err := r.ask(fmt.Sprintf(`{"cmd":"history","to":%q,"limit":0}`, channel))
	if err != nil {
		return "", 0, err
	}
	var told struct{ Top string }
	if err := json.Unmarshal([]byte(answer), &told); err != nil {
		return "", 0, err
	}
	epoch, text, _ := strings.Cut(told.Top, ".")
	n, err := strconv.ParseInt(text, 36, 64)
	return epoch, int(n), err
}

// recovery is what it costs a page to get 100 messages that it has missed, of a channel that depends on its number.
func (m *measurement) recovery(r *running, channel func(page int) string) ([]float64, error) {
	const pages = 100
	l, err := connect(r.addrs[0], pages, opening{webSocket: true, hello: func(port int) string {
		return fmt.Sprintf(`{"op":"hello","token":%q,"batch":true}`, uid(port))
	}})
	if err != nil {
		return nil, err
	}
	defer l.close()
	requests, published := make([][]byte, pages), map[string]bool{}
	for i := range requests {
		ch := channel(i)
		if !published[ch] {
			published[ch] = true
			if err := r.publish(ch, missed); err != nil {
				return nil, err
			}
		}
		epoch, top, err := r.top(ch)
		if err != nil {
			return nil, err
		}
		since := position(epoch, top-missed)
		requests[i] = maskedText(fmt.Sprintf(`{"op":"sub","ch":%q,"since":%q}`, ch, since))
	}
	if _, err := l.settle(); err != nil {
		return nil, err
	}
	for i, request := range requests {
		if err := l.send(i, request); err != nil {
			return nil, err
		}
	}
	sizes, err := l.settle()
	if err != nil {
		return nil, err
	}
	if sizes[0] < missed*128 {
		return nil, fmt.Errorf("what was missed has only %d bytes", sizes[0])
	}
	return m.perOperation(r, func(d time.Duration) (int, error) {
		return l.echoEach(func(i int) []byte { return requests[i] }, 1, func(i int) int { return sizes[i] }, d)
	})
}

// settle takes what comes until nothing does for a while, and tells how much each connection got.
func (l *load) settle() (got []int, err error) {
	got, last := make([]int, len(l.conns)), time.Now()
	err = l.each(time.Minute, func(i, n int) error {
		got[i] += n
		last = time.Now()
		return nil
	}, func() bool { return time.Since(last) > 300*time.Millisecond })
	return got, err
}

// here waits until all pages are known.
func (m *measurement) here(r *running, l *load) error {
	r.pages += len(l.conns)
	return r.known(r.pages)
}
