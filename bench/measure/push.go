//go:build linux

package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/lineman-go/lineman/push/token"
)

// tokenSecret signs the credentials of lineman-strict.
const tokenSecret = "a secret of this measurement only"

var (
	pushServer = []contender{{"push server", "lineman", "pages,lines"}}
	idle       = []contender{{"push server", "lineman-idle", "pages,lines"}}
	strict     = []contender{{"push server", "lineman-strict", "pages,lines"}}

	// broadcaster is the loop's own broadcast: a write to each connection, and hardly anything else.
	broadcaster = contender{"Lineman", "subject", "wsbc"}

	// page is a WebSocket of a uid of its own.
	page = opening{webSocket: true, query: func(port int) string { return "?token=" + uid(port) }}
)

func uid(port int) string { return fmt.Sprint("u", port) }

// pushes are what the push server does, beside the loop's own broadcast.
func (m *measurement) pushes() []testCase {
	thousand := m.many / 10
	beside := append([]contender{broadcaster}, pushServer...)
	return []testCase{
		m.lines(thousand, 1, pushServer), m.lines(thousand, 16, pushServer),
		m.lines(m.many, 64, beside, aim{"push server", "Lineman", 0.8}),
		m.heldAfter("push: memory of an idle connection with its uid and a group", idle, page, m.quiet(),
			m.joined, aim{"push server", "", 600}),
		m.slowReaders(), m.storm(),
	}
}

// lines is the case of plain lines, each to the next of some uids, by some back ends with 500 lines under way each. The
// broadcaster among the contenders shows what a write to one of so many connections costs this machine.
func (m *measurement) lines(uids, backEnds int, contenders []contender, aims ...aim) testCase {
	once := func(r *running) ([]float64, error) {
		if len(r.addrs) == 1 {
			return m.broadcast(r, publication{uids, 128, 1})
		}
		l, err := connect(r.addrs[0], uids, page)
		if err != nil {
			return nil, err
		}
		defer l.close()
		for range backEnds {
			if err := l.add(r.addrs[1], plain); err != nil {
				return nil, err
			}
		}
		if err := r.known(uids); err != nil {
			return nil, err
		}
		return m.perOperation(r, func(d time.Duration) (int, error) { return l.lines(uids, 500, d) })
	}
	return testCase{
		name: fmt.Sprintf("push: lines to %d uids, %d back ends", uids, backEnds), contenders: contenders,
		rows: costs(aims...), rounds: m.rounds, once: once,
	}
}

// lines has the back ends, which follow the pages, keep so many lines under way each for d, and returns how many there
// were. Each has reached its page when it returns.
func (l *load) lines(pages, underWay int, d time.Duration) (published int, err error) {
	const answer = len("ok\n")
	next, due := 0, 0 // bytes that pages are to get
	send := func(i int) error {
		var batch []byte
		for range underWay {
			before := len(batch)
			batch = fmt.Appendf(batch, "{\"uid\":%q,\"percent\":\"88%%\"}\n", uid(l.conns[next%pages].port))
			due += len(batch) - before - 1 + 2 // a frame's head in place of the line's end
			next++
		}
		return l.send(i, batch)
	}
	for i := pages; i < len(l.conns); i++ {
		if err := send(i); err != nil {
			return 0, err
		}
	}
	end := time.Now().Add(d)
	err = l.each(d+10*time.Second, func(i, n int) error {
		if i < pages {
			due -= n
			return nil
		}
		c := &l.conns[i]
		if c.received += n; c.received < underWay*answer {
			return nil
		}
		c.received -= underWay * answer
		published += underWay
		if time.Now().After(end) {
			return nil
		}
		return send(i)
	}, func() bool { return due == 0 && published == next })
	return published, err
}

// quiet is how long after the last page has come the server has given back what it needed for that.
func (m *measurement) quiet() time.Duration {
	if m.quick {
		return 0
	}
	return 12 * time.Second
}

// joined waits until all pages are known, and puts them into a group.
func (m *measurement) joined(r *running, l *load) error {
	r.pages += len(l.conns)
	if err := r.known(r.pages); err != nil {
		return err
	}
	_, err := r.ask(`{"cmd":"join","to":"*","group":"all"}`)
	return err
}

// known waits until the server knows so many pages.
func (r *running) known(n int) error {
	return r.eventually(`{"cmd":"count","to":"*"}`, fmt.Sprintf(`"*":%d}`, n))
}

// eventually asks until the answer has a text.
func (r *running) eventually(line, want string) error {
	answer := ""
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); {
		var err error
		if answer, err = r.ask(line); err != nil || strings.Contains(answer, want) {
			return err
		}
	}
	return fmt.Errorf("%s: %s, want %s", line, answer, want)
}

// reach connects to the port for lines, once.
func (r *running) reach() (err error) {
	if r.lines != nil {
		return nil
	}
	if r.lines, err = net.Dial("tcp", r.addrs[1]); err == nil {
		r.answers = bufio.NewReader(r.lines)
	}
	return err
}

// ask asks the port for lines.
func (r *running) ask(line string) (answer string, err error) {
	if err := r.reach(); err != nil {
		return "", err
	}
	if err := r.lines.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	if _, err := r.lines.Write([]byte(line + "\n")); err != nil {
		return "", err
	}
	answer, err = r.answers.ReadString('\n')
	if err == nil && !strings.HasPrefix(answer, `{"ok":true`) {
		err = fmt.Errorf("%s: %s", line, answer)
	}
	return answer, err
}

// strictPage is a WebSocket with a credential that is checked.
func strictPage() (opening, error) {
	s, err := token.NewSigner(token.Key{Secret: []byte(tokenSecret)}, "HS256")
	if err != nil {
		return opening{}, err
	}
	return opening{webSocket: true, query: func(port int) string {
		now := time.Now()
		// such claims can be signed
		credential, _ := s.Sign(token.Claims{UID: uid(port), Issued: now, Expires: now.Add(time.Hour)})
		return "?token=" + credential
	}}, nil
}
