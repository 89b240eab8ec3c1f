//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// growths are how costs change with the number of connections, channels and subscriptions, and with the size of
// messages.
func (m *measurement) growths() []testCase {
	few := func(all []contender) []contender {
		return only(all, "C floor", "Go floor", "Lineman", "uWebSockets", "gws")
	}
	server := contender{"push server", "lineman-growth", "pages,lines"}
	pages := append(few(serving("wsbc")), server)
	return []testCase{
		m.grow("an echo of 64 B", "connections", few(serving("ws")), m.crowds(), m.echoAmong),
		m.grow("a delivery of 128 B to all", "connections", pages, m.crowds(), m.deliveryTo),
		m.grow("a publication to one page", "channels", []contender{server}, m.upTo(m.many*100), m.followedBy(100)),
		m.grow("a publication to one page", "subscriptions of the page", []contender{server}, m.upTo(m.many),
			m.followedBy(1)),
		m.grow("an echo", "bytes of a message", few(serving("ws")),
			[]int{16, 128, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1_000_000}, m.echoOf),
	}
}

// crowds are numbers of connections up to what one process may have.
func (m *measurement) crowds() []int {
	return []int{m.many / 10, m.many / 5, m.many / 2, m.many, m.many * 19 / 10}
}

// upTo are the powers of ten up to a number.
func (m *measurement) upTo(most int) (all []int) {
	for n := 1; n <= most; n *= 10 {
		all = append(all, n)
	}
	return all
}

// cost is what something costs with n of what grows.
type cost func(r *running, n int) (us float64, err error)

// by stands in the name of a case of growth between what costs and what grows.
const by = ", by "

// grow is the case of a cost at several points, of one server.
func (m *measurement) grow(what, axis string, contenders []contender, at []int, of cost) testCase {
	if m.quick {
		at = []int{at[0], at[len(at)/2], at[len(at)-1]}
	}
	c := testCase{name: "growth: " + what + by + axis, axis: axis, contenders: contenders, rounds: min(m.rounds, 3)}
	if axis == "connections" {
		c.conns = slices.Max(at)
	}
	for _, n := range at {
		c.takes += m.arrival(min(n, 2*m.many)) + max(m.length/3, 100*time.Millisecond)
		c.rows = append(c.rows, row{what: ", " + number(float64(n)) + " " + axis, unit: "us", at: float64(n)})
	}
	c.once = func(r *running) (costs []float64, err error) {
		for _, n := range at {
			us, err := of(r, n)
			if err != nil {
				return nil, fmt.Errorf("%d %s: %w", n, axis, err)
			}
			costs = append(costs, us)
		}
		return costs, nil
	}
	return c
}

// point is what do costs, in a shorter time.
func (m *measurement) point(do func() (figures []float64, err error)) (float64, error) {
	whole := m.length
	m.length = max(whole/3, 100*time.Millisecond)
	defer func() { m.length = whole }()
	figures, err := do()
	if err != nil {
		return 0, err
	}
	return figures[0], nil
}

// echoAmong is an echo of n connections, all of which have one under way.
func (m *measurement) echoAmong(r *running, n int) (float64, error) {
	return m.echoesBy(r, n, echoText(fox(64), 1))
}

// echoOf is an echo of n bytes.
func (m *measurement) echoOf(r *running, n int) (float64, error) {
	return m.echoesBy(r, 20, echoText(fox(n), 1))
}

func (m *measurement) echoesBy(r *running, conns int, d drive) (float64, error) {
	l, err := connect(r.addrs[0], conns, webSocket)
	if err != nil {
		return 0, err
	}
	defer l.close()
	if err := d.check(l); err != nil {
		return 0, err
	}
	return m.point(func() ([]float64, error) {
		return m.perOperation(r, func(length time.Duration) (int, error) { return d.run(l, length) })
	})
}

// deliveryTo is a delivery to one of n connections, or pages, all of which get it.
func (m *measurement) deliveryTo(r *running, n int) (float64, error) {
	return m.point(func() ([]float64, error) { return m.published(r, publication{n, 128, 1}) })
}

// followedBy is a publication on one of n channels, in turns, each of which is followed by one of some pages.
func (m *measurement) followedBy(pages int) cost {
	return func(r *running, n int) (float64, error) {
		const backEnds, underWay, size = 16, 100, 64
		l, err := connect(r.addrs[0], pages, page)
		if err != nil {
			return 0, err
		}
		defer l.close()
		for range backEnds {
			if err := l.add(r.addrs[1], plain); err != nil {
				return 0, err
			}
		}
		if err := r.known(pages); err != nil {
			return 0, err
		}
		if err := r.askAll(n, func(i int) string {
			return fmt.Sprintf(`{"cmd":"subscribe","to":"u:%s","channel":"of:%d"}`, uid(l.conns[i%pages].port), i)
		}); err != nil {
			return 0, err
		}
		text := strings.Repeat("x", size)
		p := &publishing{l, pages, underWay, func(i int) []byte {
			const stride = 7919 // a prime: all channels come, and not one beside the other
			return fmt.Appendf(nil, "{\"cmd\":\"pub\",\"to\":\"of:%d\",\"text\":%q}\n", i*stride%n, text)
		}, size + 2, len(`{"ok":true,"n":1}` + "\n")}
		return m.point(func() ([]float64, error) { return m.perOperation(r, p.run) })
	}
}

// askAll asks n times, many lines at once.
func (r *running) askAll(n int, line func(i int) string) error {
	const atOnce = 1000
	if err := r.reach(); err != nil {
		return err
	}
	for i := 0; i < n; {
		var batch []byte
		first := i
		for ; i < n && i < first+atOnce; i++ {
			batch = append(append(batch, line(i)...), '\n')
		}
		if err := r.lines.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		if _, err := r.lines.Write(batch); err != nil {
			return err
		}
		for range i - first {
			answer, err := r.answers.ReadString('\n')
			if err != nil {
				return err
			}
			if !strings.HasPrefix(answer, `{"ok":true`) {
				return fmt.Errorf("%s: %s", line(first), answer)
			}
		}
	}
	return nil
}
