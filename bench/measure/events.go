//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// speaker is a page of level 1, of a uid of its own.
var speaker = opening{webSocket: true, hello: func(port int) string {
	return fmt.Sprintf(`{"op":"hello","token":%q}`, uid(port))
}}

// heard are what pages say, and what events cost where there are none.
func (m *measurement) heard() []testCase {
	hears := []contender{
		{"Lineman", "subject", "ws"}, {"level 0", "lineman-hears", "pages,lines"},
		{"level 1", "lineman-hears", "pages,lines"},
	}
	publish := []contender{{"back end", "lineman-hears", "pages,lines"}, {"page", "lineman-hears", "pages,lines"}}
	beside := append([]contender{{"before", "lineman-before", "pages,lines"}}, pushServer...)
	lines := m.lines(m.many/10, 16, beside, aim{"push server", "before", 1.02})
	lines.name = "events: nobody listens, " + strings.TrimPrefix(lines.name, "push: ")
	return []testCase{
		{name: "events: 64 B of 100 pages to a listener, beside an echo", contenders: hears,
			rows:   costs(aim{"level 0", "Lineman", 2}, aim{"level 1", "Lineman", 2}),
			rounds: m.rounds, once: m.messageByLevel},
		{name: "events: 64 B to a page of its channel, by 16", contenders: publish,
			rows: costs(aim{"page", "back end", 1.3}), rounds: m.rounds, once: m.publicationBy},
		lines,
	}
}

// messageByLevel is what a page says, of a level by the contender's name, until a listener has acknowledged it; or an
// echo of the loop.
func (m *measurement) messageByLevel(r *running) ([]float64, error) {
	const pages = 100
	how, frame := page, maskedText(strings.Repeat("x", 64))
	switch r.as {
	case "Lineman":
		l, err := connect(r.addrs[0], pages, webSocket)
		if err != nil {
			return nil, err
		}
		defer l.close()
		echo := echoText(strings.Repeat("x", 64), 1)
		return m.perOperation(r, func(d time.Duration) (int, error) { return echo.run(l, d) })
	case "level 1":
		how, frame = speaker, maskedText(`{"op":"say","data":"`+strings.Repeat("x", 62)+`"}`)
	}
	l, err := connect(r.addrs[0], pages, how)
	if err != nil {
		return nil, err
	}
	defer l.close()
	if err := l.add(r.addrs[1], plain); err != nil {
		return nil, err
	}
	if err := r.known(pages); err != nil {
		return nil, err
	}
	if err := l.send(pages, []byte(`{"cmd":"listen","events":["message"],"window":10000}`+"\n")); err != nil {
		return nil, err
	}
	if _, err := l.settle(); err != nil {
		return nil, err
	}
	heard := 0
	return m.perOperation(r, func(d time.Duration) (int, error) { return l.say(frame, &heard, d) })
}

// say has all pages but the last connection, which listens, say something each, and whenever the listener has heard
// something, the next one. heard is how much it has heard so far.
func (l *load) say(frame []byte, heard *int, d time.Duration) (ops int, err error) {
	pages := len(l.conns) - 1
	for i := range pages {
		if err := l.send(i, frame); err != nil {
			return 0, err
		}
	}
	end, next, waiting := time.Now().Add(d), 0, pages
	err = l.each(d+10*time.Second, func(i, n int) error {
		if i < pages {
			return nil // what the server says first
		}
		n = bytes.Count(l.buf[:n], []byte("\n"))
		*heard += n
		ops += n
		waiting -= n
		if n == 0 {
			return nil
		}
		if err := l.send(pages, fmt.Appendf(nil, "{\"cmd\":\"ack\",\"n\":%d}\n", *heard)); err != nil {
			return err
		}
		if time.Now().After(end) {
			return nil
		}
		for range n {
			if err := l.send(next%pages, frame); err != nil {
				return err
			}
			next++
		}
		waiting += n
		return nil
	}, func() bool { return waiting == 0 })
	return ops, err
}

// publicationBy is a publication, by a page or a back end by the contender's name, and its delivery to the one page of
// its channel, and its answer.
func (m *measurement) publicationBy(r *running) ([]float64, error) {
	const pages, by, underWay = 100, 16, 16
	channel := func(i int) string { return fmt.Sprint("news:", 100+i%pages) }
	data := `"` + strings.Repeat("x", 64) + `"`
	size := len(`{"op":"msg","ch":"news:100","data":}`) + len(data) + 2
	answer := len(`{"ok":true,"n":1}` + "\n")
	publish := func(i int) []byte {
		return []byte(`{"cmd":"pub","to":"` + channel(i) + `","data":` + data + "}\n")
	}
	next := 0
	l, err := connect(r.addrs[0], pages, opening{webSocket: true, hello: func(port int) string {
		next++
		return fmt.Sprintf(`{"op":"hello","token":%q,"sub":{%q:""}}`, uid(port), channel(next-1))
	}})
	if err != nil {
		return nil, err
	}
	defer l.close()
	to, how := r.addrs[1], plain
	if r.as == "page" {
		to, how = r.addrs[0], speaker
		answer = len(`{"op":"pub","id":1,"ch":"news:100"}`) + 2
		publish = func(i int) []byte {
			return maskedText(`{"op":"pub","id":1,"ch":"` + channel(i) + `","data":` + data + "}")
		}
	}
	for range by {
		if err := l.add(to, how); err != nil {
			return nil, err
		}
	}
	if _, err := l.settle(); err != nil {
		return nil, err
	}
	p := &publishing{l, pages, underWay, publish, size, answer}
	return m.perOperation(r, p.run)
}

// publishing has connections that follow the pages publish, so many under way each.
type publishing struct {
	*load
	pages, underWay int
	publication     func(i int) []byte
	size, answer    int // of what a page gets, and of the answer
}

func (p *publishing) run(d time.Duration) (ops int, err error) {
	sent, due := 0, 0
	send := func(i int) error {
		var batch []byte
		for range p.underWay {
			batch = append(batch, p.publication(sent)...)
			sent++
			due += p.size
		}
		return p.send(i, batch)
	}
	for i := p.pages; i < len(p.conns); i++ {
		if err := send(i); err != nil {
			return 0, err
		}
	}
	end := time.Now().Add(d)
	err = p.each(d+10*time.Second, func(i, n int) error {
		if i < p.pages {
			due -= n
			return nil
		}
		c := &p.conns[i]
		if c.received += n; c.received < p.underWay*p.answer {
			return nil
		}
		c.received -= p.underWay * p.answer
		ops += p.underWay
		if time.Now().After(end) {
			return nil
		}
		return send(i)
	}, func() bool { return due == 0 && ops == sent })
	return ops, err
}
