package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"
)

// positions is what was published at which position, as answers to back ends and clients tell: all have to tell the
// same.
type positions struct {
	mu         sync.Mutex                // guards the following
	numbers    map[string]map[string]int // by channel and position
	acked      int                       // publications that were answered with their position
	complaints []string
	more       int
}

func newPositions() *positions { return &positions{numbers: map[string]map[string]int{}} }

// has notes that a channel has a number at a position.
func (l *positions) has(channel, position string, number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.numbers[channel]
	if of == nil {
		of = map[string]int{}
		l.numbers[channel] = of
	}
	if had, ok := of[position]; ok && had != number {
		l.complainLocked("%s has number %d at %s, and number %d", channel, had, position, number)
	}
	of[position] = number
}

// answered notes an answer to a back end.
func (l *positions) answered(channel, position string, number int) {
	l.has(channel, position, number)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked++
}

// complain notes what must not be.
func (l *positions) complain(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.complainLocked(format, args...)
}

func (l *positions) complainLocked(format string, args ...any) {
	if len(l.complaints) < 20 {
		l.complaints = append(l.complaints, fmt.Sprintf(format, args...))
	} else {
		l.more++
	}
}

// doubles are numbers that a channel has at several positions.
func (l *positions) doubles() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for channel, of := range l.numbers {
		at := map[int]string{}
		for position, number := range of {
			if other, ok := at[number]; ok {
				all = append(all, fmt.Sprintf("%s has number %d at %s and %s", channel, number, other, position))
			}
			at[number] = position
		}
	}
	return all
}

// announcer is a back end that publishes numbers on channels, in turn, at a pace. When its connection breaks it makes
// another one, and goes on: what was not answered then may have been published, or not.
type announcer struct {
	dial      func() (net.Conn, error) // to a port for lines
	channels  []string
	perSecond int
	ledger    *positions
}

// asked is a publication that was not answered yet.
type asked struct {
	channel string
	number  int
}

// live publishes until the context ends, and waits for the last answers.
func (a *announcer) live(ctx context.Context) {
	for next := 0; ctx.Err() == nil; {
		conn, err := a.dial()
		if err == nil {
			next = a.publish(ctx, conn, next)
			conn.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// publish goes on with a number until the connection breaks or the context ends, and returns the next one.
func (a *announcer) publish(ctx context.Context, conn net.Conn, next int) int {
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		return next
	}
	waiting, broken := make(chan asked, 10_000), make(chan struct{})
	go func() {
		defer close(broken)
		a.readAnswers(conn, waiting)
	}()
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	began, first := time.Now(), next
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-broken:
			return next
		case <-pace.C:
		}
		var lines []byte
		for due := first + int(time.Since(began).Seconds()*float64(a.perSecond)); next < due; next++ {
			p := asked{a.channels[next%len(a.channels)], next}
			lines = fmt.Appendf(lines, `{"cmd":"pub","to":%q,"data":{"n":%d}}`+"\n", p.channel, p.number)
			select {
			case waiting <- p:
			case <-broken:
				return next + 1
			}
		}
		_, _ = conn.Write(lines) // who reads sees that it broke
	}
	close(waiting)
	<-broken
	return next
}

// readAnswers takes the answers to what waits for one.
func (a *announcer) readAnswers(conn net.Conn, waiting <-chan asked) {
	lines := bufio.NewReader(conn)
	for p := range waiting {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var answer struct {
			OK, Incomplete bool
			Pos            map[string]string
			Error          struct{ Code string }
		}
		switch err := json.Unmarshal(line, &answer); {
		case err == nil && answer.OK && answer.Pos[p.channel] != "":
			a.ledger.answered(p.channel, answer.Pos[p.channel], p.number)
		case err == nil && (answer.Error.Code == "unavailable" || answer.OK && answer.Incomplete): // it may be there
		default:
			a.ledger.complain("the answer to %v is %s", p, line)
		}
	}
}
