//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"
)

// drive is what clients do again and again.
type drive struct {
	check func(l *load) error                                 // looks at every byte of the first answers
	run   func(l *load, d time.Duration) (ops int, err error) // for d, and returns how often
}

// echoPlain keeps so many requests under way on each connection, each of which comes back as it is.
func echoPlain(request string, pipelined int) drive {
	return exchange([]byte(request), pipelined, func() [][]byte {
		return [][]byte{bytes.Repeat([]byte(request), pipelined)}
	})
}

// echoText keeps so many text messages under way on each WebSocket, each of which comes back.
func echoText(text string, pipelined int) drive {
	return exchange(serverFrame(textFrame, []byte(text)), pipelined, func() [][]byte {
		return maskedInTurns(textFrame, []byte(text), pipelined)
	})
}

// textFrame is the first byte of a text message of one frame (RFC 6455, 5.2).
const textFrame = 0x81

// exchange has each connection send batches in turns, each of so many requests, which all have the same reply.
func exchange(reply []byte, pipelined int, batches func() [][]byte) drive {
	batches = sync.OnceValue(batches) // not for a case that is left out
	next := 0
	batch := func(int) []byte {
		all := batches()
		next++
		return all[next%len(all)]
	}
	return drive{
		check: func(l *load) error {
			if err := l.send(0, batch(0)); err != nil {
				return err
			}
			return l.expect(1, bytes.Repeat(reply, pipelined))
		},
		run: func(l *load, d time.Duration) (int, error) {
			return l.echoEach(batch, pipelined, always(pipelined*len(reply)), d)
		},
	}
}

// hello keeps so many GET requests under way on each connection. What is around the answer differs by server.
func hello(pipelined int) drive {
	batch := bytes.Repeat(get, pipelined)
	return drive{
		check: func(l *load) error {
			_, err := l.greeting()
			return err
		},
		run: func(l *load, d time.Duration) (int, error) {
			size, err := l.greeting()
			if err != nil {
				return 0, err
			}
			return l.echo(batch, pipelined, pipelined*size, d)
		},
	}
}

// toAll has the first connection publish a text of so many bytes whenever the last connection has it, with so many
// under way.
func toAll(size, underWay int) drive {
	text := strings.Repeat("x", size)
	want := serverFrame(0x81, []byte(text))
	return drive{
		check: func(l *load) error {
			if err := l.send(0, maskedText(text)); err != nil {
				return err
			}
			return l.expect(len(l.conns), want)
		},
		run: func(l *load, d time.Duration) (int, error) {
			return l.fanout(maskedText(text), len(want), underWay, d)
		},
	}
}

// expect waits until each of the first connections has got what it must, and fails if it gets something else.
func (l *load) expect(conns int, want []byte) error {
	have, missing := make([]int, conns), conns
	return l.each(20*time.Second, func(i, n int) error {
		if i >= conns {
			return fmt.Errorf("connection %d got %d bytes, which nobody asked for", i, n)
		}
		if have[i]+n > len(want) || !bytes.Equal(l.buf[:n], want[have[i]:have[i]+n]) {
			return fmt.Errorf("connection %d got %.40q, want %.40q", i, l.buf[:n], want[have[i]:])
		}
		if have[i] += n; have[i] == len(want) {
			missing--
		}
		return nil
	}, func() bool { return missing == 0 })
}

// greeting asks once and returns how long the answer is, which must be Hello, World!, and not change.
func (l *load) greeting() (size int, err error) {
	if err := l.send(0, get); err != nil {
		return 0, err
	}
	var got []byte
	err = l.each(5*time.Second, func(_, n int) error {
		got = append(got, l.buf[:n]...)
		return nil
	}, func() bool { return bytes.HasSuffix(got, []byte("\r\n\r\nHello, World!")) })
	if err == nil && !bytes.HasPrefix(got, []byte("HTTP/1.1 200 ")) {
		err = fmt.Errorf("GET: %.80q", got)
	}
	return len(got), err
}
