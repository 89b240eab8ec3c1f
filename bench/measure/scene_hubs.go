//go:build linux

package main

import (
	"fmt"
	"time"
)

// besideHubs are what push servers do that others do too, by the door that all of them have.
func (m *measurement) besideHubs() []testCase {
	all := serving("hub")
	delivery := func(p publication, most float64) testCase {
		name := fmt.Sprintf("hubs: %d B to %d of a channel", p.size, p.pages)
		if p.underWay > 1 {
			name += fmt.Sprintf(", %d under way", p.underWay)
		}
		once := m.onHub(func(r *running, h hub) ([]float64, error) { return m.deliveredBy(r, h, p) })
		return testCase{name: name, contenders: all, rounds: m.rounds, conns: p.pages,
			rows: costs(aim{"push server", "Centrifugo", most}, aheadOfMercure), once: once}
	}
	return []testCase{
		delivery(publication{m.many, 128, 1}, 1.0/2), delivery(publication{m.many / 10, 128, 16}, 1.0/4),
		{name: "hubs: a publication by HTTP to one page, 16 at once", contenders: all, rounds: m.rounds,
			rows: costs(aim{"push server", "Centrifugo", 1.0 / 5}, aim{"push server", "", 10}, aheadOfMercure),
			once: m.onHub(m.publishedBy)},
		{name: "hubs: connect with a token, follow a channel and leave", contenders: all, rounds: m.rounds,
			rows: costs(aim{"push server", "Centrifugo", 1.0 / 5}, aheadOfMercure), once: m.onHub(m.connectedBy)},
		m.heldByHubs(all),
	}
}

// aheadOfMercure is what holds for each of them.
var aheadOfMercure = aim{"push server", "Mercure", 1}

// onHub is once with what is known of a hub.
func (m *measurement) onHub(do func(*running, hub) ([]float64, error)) func(*running) ([]float64, error) {
	return func(r *running) ([]float64, error) { return do(r, hubs[r.as]) }
}

// followers are pages that follow the channel, and so many back ends after them.
func (h hub) followers(r *running, pages, backEnds int) (*load, error) {
	l, err := connect(r.addrs[0], pages, h.page)
	if err != nil {
		return nil, err
	}
	for range backEnds {
		if err := l.add(r.addrs[h.api], plain); err != nil {
			l.close()
			return nil, err
		}
	}
	if _, err := l.settle(); err != nil { // what is said first is over
		l.close()
		return nil, err
	}
	return l, nil
}

// deliveredBy is what a delivery costs of a publication to all.
func (m *measurement) deliveredBy(r *running, h hub, p publication) ([]float64, error) {
	l, err := h.followers(r, p.pages, 1)
	if err != nil {
		return nil, err
	}
	defer l.close()
	request := h.publish(marked(p.size))
	return m.perOperation(r, func(d time.Duration) (int, error) {
		return l.fanoutCounted(func() error { return l.send(p.pages, request) }, p.pages, l.marks, p.underWay, d)
	})
}

// publishedBy is what a publication costs that one page gets, and its answer; 16 back ends have one under way each.
func (m *measurement) publishedBy(r *running, h hub) ([]float64, error) {
	l, err := h.followers(r, 1, 16)
	if err != nil {
		return nil, err
	}
	defer l.close()
	request := h.publish(marked(64))
	answer, err := l.answerTo(request, 1)
	if err != nil {
		return nil, err
	}
	return m.perOperation(r, func(d time.Duration) (int, error) { return l.publishEach(request, answer, d) })
}

// answerTo has a connection ask once, and returns how long the answer is, which must not change.
func (l *load) answerTo(request []byte, asks int) (size int, err error) {
	if err := l.send(asks, request); err != nil {
		return 0, err
	}
	last, came := time.Now(), 0
	err = l.each(5*time.Second, func(i, n int) error {
		last = time.Now()
		came += l.marks(i, n)
		if i == asks {
			size += n
		}
		return nil
	}, func() bool { return size > 0 && came > 0 && time.Since(last) > 100*time.Millisecond })
	if err == nil && came != 1 {
		err = fmt.Errorf("one publication came %d times", came)
	}
	return size, err
}

// publishEach has all connections but the first, which is a page, publish for d, and waits until the page has it all.
func (l *load) publishEach(request []byte, answer int, d time.Duration) (ops int, err error) {
	sent, came := 0, 0
	send := func(i int) error {
		sent++
		return l.send(i, request)
	}
	for i := 1; i < len(l.conns); i++ {
		if err := send(i); err != nil {
			return 0, err
		}
	}
	end := time.Now().Add(d)
	err = l.each(10*time.Second, func(i, n int) error {
		if i == 0 {
			came += l.marks(i, n)
			return nil
		}
		c := &l.conns[i]
		if c.received += n; c.received < answer {
			return nil
		}
		c.received -= answer
		ops++
		if time.Now().After(end) {
			return nil
		}
		return send(i)
	}, func() bool { return ops == sent && came == sent })
	return ops, err
}

// connectedBy is what it costs that a page comes and leaves.
func (m *measurement) connectedBy(r *running, h hub) ([]float64, error) {
	return m.perOperation(r, func(d time.Duration) (n int, err error) {
		const atOnce = 50
		for end := time.Now().Add(d); n == 0 || time.Now().Before(end); n += atOnce {
			l, err := connect(r.addrs[0], atOnce, h.page)
			if err != nil {
				return n, err
			}
			err = l.eachHasSaid()
			l.close()
			if err != nil {
				return n, err
			}
		}
		return n, nil
	})
}

// eachHasSaid waits until something has come from each connection that says something first.
func (l *load) eachHasSaid() error {
	said, missing := make([]bool, len(l.conns)), 0
	for _, c := range l.conns {
		if c.asks {
			missing++
		}
	}
	return l.each(5*time.Second, func(i, _ int) error {
		if !said[i] && l.conns[i].asks {
			said[i] = true
			missing--
		}
		return nil
	}, func() bool { return missing == 0 })
}

// heldByHubs is what a page takes that is idle.
func (m *measurement) heldByHubs(all []contender) testCase {
	few, many := m.many*9/10, m.many
	once := m.onHub(func(r *running, h hub) ([]float64, error) {
		var at [2]float64
		for i, n := range []int{many - few, few} {
			l, err := h.followers(r, n, 0)
			if err != nil {
				return nil, err
			}
			defer l.close()
			time.Sleep(m.quiet())
			if at[i], err = r.memory(); err != nil {
				return nil, err
			}
		}
		return []float64{(at[1] - at[0]) / float64(few)}, nil
	})
	rows := []row{{what: fmt.Sprintf(", between %d and %d", many-few, many), unit: "bytes",
		aims: []aim{{"push server", "Centrifugo", 1.0 / 50}, aheadOfMercure}}}
	return testCase{name: "hubs: memory of an idle page that follows a channel", contenders: all, rows: rows, rounds: 1,
		once: once, conns: many, takes: 2*m.quiet() + 2*m.arrival(many)}
}
