package lineman_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// tally is the value of a connection under load: how much it was asked and told.
type tally struct{ asked, told int }

// counting is a worker that answers each message with its number, and tells each connection numbers of its own all the
// time. A message that is not the next one is an error.
func counting(t *testing.T, loops int) *lineman.Worker {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "service", Loops: loops, Logger: quiet}
	w.PerLoop = func(own *lineman.Worker) {
		own.OnConnect = func(c *lineman.Conn) { c.SetValue(&tally{}) }
		own.OnMessage = func(c *lineman.Conn, msg []byte) {
			n := c.Value().(*tally)
			if string(msg) != fmt.Sprint(n.asked) {
				t.Errorf("message %q, want %d", msg, n.asked)
			}
			if c.Send(fmt.Appendf(nil, "answer %d", n.asked)) == nil {
				n.asked++
			}
		}
		own.OnStart = func(l *lineman.Loop) error {
			l.Every(time.Millisecond, func() {
				for c := range l.Conns(own) {
					if n := c.Value().(*tally); c.Send(fmt.Appendf(nil, "told %d", n.told)) == nil {
						n.told++
					}
				}
			})
			return nil
		}
		own.Save = func(c *lineman.Conn) ([]byte, error) {
			n := c.Value().(*tally)
			return fmt.Appendf(nil, "%d %d", n.asked, n.told), nil
		}
		own.Restore = func(c *lineman.Conn, value []byte) error {
			n := &tally{}
			c.SetValue(n)
			_, err := fmt.Sscan(string(value), &n.asked, &n.told)
			return err
		}
	}
	return w
}

// talker is a client that asks and listens all the time, and looks whether every answer and everything that it is told
// comes once, and in order.
type talker struct {
	conn net.Conn
	over atomic.Bool // it is to ask no more
	sent atomic.Int64
}

// ask writes messages in pieces that are cut anywhere.
func (c *talker) ask() error {
	var rest []byte
	for !c.over.Load() || len(rest) > 0 {
		if !c.over.Load() {
			rest = fmt.Appendf(rest, "%d\n", c.sent.Add(1)-1)
		}
		n := len(rest)
		if !c.over.Load() {
			n = rand.IntN(n + 1)
		}
		if _, err := c.conn.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
		time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond) // a client's pace
	}
	return c.conn.(*net.TCPConn).CloseWrite()
}

// listen reads to the end.
func (c *talker) listen() error {
	var answers, told int
	lines := bufio.NewScanner(c.conn)
	for lines.Scan() {
		want, n := "", &told
		if strings.HasPrefix(lines.Text(), "answer") {
			want, n = "answer ", &answers
		} else {
			want = "told "
		}
		if want += fmt.Sprint(*n); lines.Text() != want {
			return fmt.Errorf("%q, want %q", lines.Text(), want)
		}
		*n++
	}
	if lines.Err() != nil || answers != int(c.sent.Load()) || told == 0 {
		return fmt.Errorf("%d answers to %d messages, %d times told: %w", answers, c.sent.Load(), told,
			firstOf(lines.Err(), io.EOF))
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestHandoverUnderLoad hands over again and again, some of it in vain, while clients talk: nothing is lost, doubled or
// out of order, in either direction.
func TestHandoverUnderLoad(t *testing.T) {
	needsNative(t)
	linemantest.NoLeaks(t)
	const clients, rounds = 30, 8
	w := counting(t, 2)
	s := linemantest.Start(t, w)
	var all []*talker
	asked, heard := make(chan error, clients), make(chan error, clients)
	for range clients {
		c := &talker{conn: dial(t, s.Addr(w))}
		all = append(all, c)
		go func() { asked <- c.ask() }()
		go func() { heard <- c.listen() }()
	}
	for round := range rounds {
		to := counting(t, 1+round%3)
		fails := round%4 == 3
		following, h := handOver(t, s, w, to, func(step string) error {
			if fails && step == "committed" {
				return io.ErrUnexpectedEOF
			}
			return nil
		})
		if fails {
			continue
		}
		if h.Crossed != clients {
			t.Fatalf("round %d: %d crossed, %v stayed: %v, %v", round, h.Crossed, h.Stayed, h.Handed, h.Received)
		}
		s, w = following, to
	}
	for _, c := range all {
		c.over.Store(true)
	}
	for range clients {
		if err := firstOf(next(t, asked, "the end of a client"), next(t, heard, "the end of a client")); err != nil {
			t.Error(err)
		}
	}
}
