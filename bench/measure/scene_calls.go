//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// calls are what back ends ask by HTTP, on connections that stay, and pages that connect.
func (m *measurement) calls() []testCase {
	server := []contender{{"push server", "lineman", "pages,lines,api"}}
	byHTTP := func(to string, pages int, target func(l *load, i int) string, aims ...aim) testCase {
		return testCase{name: "push: by HTTP, one publication each, to " + to, contenders: server, rows: costs(aims...),
			rounds: m.rounds, once: func(r *running) ([]float64, error) {
				l, err := connect(r.addrs[0], pages, page)
				if err != nil {
					return nil, err
				}
				defer l.close()
				return m.called(r, &calling{load: l, pages: pages, to: func(i int) string { return target(l, i) }})
			}}
	}
	const uids = 1000
	return []testCase{
		byHTTP("a channel without pages", 0, func(*load, int) string { return "news" }, aim{"push server", "", 10}),
		byHTTP(fmt.Sprintf("%d uids in turn", uids), uids, func(l *load, i int) string {
			return "u:" + uid(l.conns[i%uids].port)
		}),
		m.connects(),
	}
}

// calling has the connections that follow the pages publish by HTTP, one request under way each.
type calling struct {
	*load
	pages  int
	to     func(i int) string // target of a publication
	answer int                // its size
}

// called is what a publication costs that 16 connections ask for.
func (m *measurement) called(r *running, c *calling) ([]float64, error) {
	const callers = 16
	if err := r.known(c.pages); err != nil {
		return nil, err
	}
	for range callers {
		if err := c.add(r.addrs[2], plain); err != nil {
			return nil, err
		}
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return m.perOperation(r, c.run)
}

const called = 64 // bytes of a text

func (c *calling) request(i int) []byte {
	body := fmt.Sprintf(`{"to":%q,"text":%q}`, c.to(i), strings.Repeat("x", called))
	return fmt.Appendf(nil, "POST /v1/pub HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n\r\n%s", len(body), body)
}

// check asks once, and looks at what the page gets and what is answered.
func (c *calling) check() error {
	var page, answer []byte
	if err := c.send(c.pages, c.request(0)); err != nil {
		return err
	}
	want, n := serverFrame(0x81, []byte(strings.Repeat("x", called))), 1
	if c.pages == 0 {
		want, n = nil, 0
	}
	end := fmt.Sprintf("\r\n\r\n{\"ok\":true,\"n\":%d}\n", n)
	err := c.each(5*time.Second, func(i, n int) error {
		if i < c.pages {
			page = append(page, c.buf[:n]...)
		} else {
			answer = append(answer, c.buf[:n]...)
		}
		return nil
	}, func() bool { return len(page) >= len(want) && strings.Contains(string(answer), "}") })
	if err == nil && (string(page) != string(want) || !strings.HasSuffix(string(answer), end)) {
		err = fmt.Errorf("a page got %.40q, the answer is %.300q", page, answer)
	}
	c.answer = len(answer)
	return err
}

func (c *calling) run(d time.Duration) (ops int, err error) {
	next, due := 0, 0
	send := func(i int) error {
		if c.pages > 0 {
			due += called + 2
		}
		next++
		return c.send(i, c.request(next-1))
	}
	for i := c.pages; i < len(c.conns); i++ {
		if err := send(i); err != nil {
			return 0, err
		}
	}
	end := time.Now().Add(d)
	err = c.each(10*time.Second, func(i, n int) error {
		if i < c.pages {
			due -= n
			return nil
		}
		one := &c.conns[i]
		if one.received += n; one.received < c.answer {
			return nil
		}
		one.received -= c.answer
		ops++
		if time.Now().After(end) {
			return nil
		}
		return send(i)
	}, func() bool { return due == 0 && ops == next })
	return ops, err
}

// connects is the case of pages that come with a credential, which is checked, and leave.
func (m *measurement) connects() testCase {
	once := func(r *running) ([]float64, error) {
		how, err := strictPage()
		if err != nil {
			return nil, err
		}
		return m.perOperation(r, func(d time.Duration) (int, error) { return comeAndGo(r.addrs[0], how, d) })
	}
	return testCase{name: "push: connect with a token, and leave", contenders: strict, rows: costs(), rounds: m.rounds,
		once: once}
}

// comeAndGo has connections come, 50 at once, and leave, again and again, and returns how many there were.
func comeAndGo(addr string, how opening, d time.Duration) (n int, err error) {
	const atOnce = 50
	for end := time.Now().Add(d); n == 0 || time.Now().Before(end); n += atOnce {
		conns, err := storm(addr, atOnce, how)
		if err != nil {
			return n, err
		}
		for _, c := range conns {
			c.Close()
		}
	}
	return n, nil
}
