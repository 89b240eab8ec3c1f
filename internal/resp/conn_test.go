package resp

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// stream is a connection whose server says what a test gives.
type stream struct {
	io.Reader
	closed bool
}

func (s *stream) Write(b []byte) (int, error)      { return len(b), nil }
func (s *stream) Close() error                     { s.closed = true; return nil }
func (s *stream) LocalAddr() net.Addr              { return nil }
func (s *stream) RemoteAddr() net.Addr             { return nil }
func (s *stream) SetDeadline(time.Time) error      { return nil }
func (s *stream) SetReadDeadline(time.Time) error  { return nil }
func (s *stream) SetWriteDeadline(time.Time) error { return nil }

// command is one as a client sends it.
func command(words ...string) string {
	text := "*" + string(rune('0'+len(words))) + "\r\n"
	for _, w := range words {
		text += "$" + string(rune('0'+len(w)/10)) + string(rune('0'+len(w)%10)) + "\r\n" + w + "\r\n"
	}
	return text
}

const (
	confirm = ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
	ended   = ">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n"
	message = ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"
	noPerm  = "-NOPERM no\r\n"
)

// exchange is what is asked, and what comes.
type exchange struct {
	asked []string
	says  string
}

func ask(words ...string) string { return command(words...) }

// TestAnswers lets through what was asked for, and what is pushed.
func TestAnswers(t *testing.T) {
	for _, e := range []exchange{
		{nil, message + message},
		{nil, ended}, // a slot has moved
		{nil, ">2\r\n+new kind\r\n:1\r\n>2\r\n$10\r\ninvalidate\r\n_\r\n"},
		{[]string{ask("PING")}, "+PONG\r\n"},
		{[]string{ask("PING"), ask("HELLO", "3")},
			message + "+PONG\r\n" + message + "%1\r\n$5\r\nproto\r\n:3\r\n" + message},
		{[]string{ask("GET", "a")}, "|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n"},
		{[]string{ask("EVAL", "x")}, "-MOVED 1 127.0.0.1:1\r\n"},
		{[]string{ask("SUBSCRIBE", "a", "b")}, confirm + message + confirm + message},
		{[]string{ask("subscribe", "a"), ask("PING")}, noPerm + "+PONG\r\n"},
		{[]string{ask("UNSUBSCRIBE", "a", "b"), ask("PING"), ask("TIME")}, ended + ended + "+PONG\r\n*0\r\n"},
		{[]string{ask("UNSUBSCRIBE"), ask("PING"), ask("TIME")}, noPerm + "+PONG\r\n*0\r\n"},
		{[]string{ask("UNSUBSCRIBE"), ask("PING"), ask("TIME")}, ended + "-LOADING wait\r\n*0\r\n"},
		{[]string{ask("CLUSTER", "SLOTS")},
			"*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n$1\r\na\r\n:1\r\n$1\r\ni\r\n*1\r\n+x\r\n"},
		{[]string{ask("CLUSTER", "SLOTS")}, message + noPerm},
		{[]string{ask("CLUSTER", "SLOTS")}, "*0\r\n"},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.OneByteReader,
		} {
			c := New(&stream{Reader: wrap(strings.NewReader(e.says))}, 0)
			_, _ = io.WriteString(c, strings.Join(e.asked, ""))
			if got, err := io.ReadAll(c); string(got) != e.says || err != nil {
				t.Errorf("%q: %q came as %q, %v", e.asked, e.says, got, err)
			}
		}
	}
}

// TestUnasked ends the connection before the client sees what nobody has asked for, or what it could not bear.
func TestUnasked(t *testing.T) {
	for _, e := range []exchange{
		{nil, "+OK\r\n"},
		{nil, "*2000000000\r\n"},
		{nil, "_\r\n"},
		{nil, confirm},
		{nil, ">0\r\n"},
		{nil, ">2\r\n*0\r\n:1\r\n"}, // which does not say what it is
		{nil, ">2\r\n$7\r\nmessage\r\n$1\r\na\r\n"},
		{[]string{ask("PING")}, confirm},
		{[]string{ask("GET", "a")}, "-MOVED\r\n"},
		{[]string{ask("GET", "a")}, "-ASK 1\r\n"},
		{[]string{ask("GET", "a")}, "!5\r\nMOVED\r\n"},
		{[]string{ask("SUBSCRIBE", "a")}, "+QUEUED\r\n"},
		{[]string{ask("SUBSCRIBE", "a")}, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"}, // as RESP2 has it
		{[]string{ask("SUBSCRIBE", "a")}, ">2\r\n$9\r\nsubscribe\r\n$1\r\na\r\n"},
		{[]string{ask("UNSUBSCRIBE", "a"), ask("PING")}, "+OK\r\n"},
		{[]string{ask("CLUSTER", "SLOTS")}, "*1\r\n*2\r\n:0\r\n:1\r\n"},
		{[]string{ask("CLUSTER", "SLOTS")}, "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n+a\r\n"},
		{[]string{ask("CLUSTER", "SLOTS")}, "*1\r\n*3\r\n:0\r\n:1\r\n*-1\r\n"},
		{[]string{ask("CLUSTER", "SLOTS")}, "*1\r\n:1\r\n"},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.OneByteReader,
		} {
			s := &stream{Reader: wrap(strings.NewReader(message + e.says))}
			c := New(s, 0)
			_, _ = io.WriteString(c, strings.Join(e.asked, ""))
			got, err := io.ReadAll(c)
			if !errors.Is(err, ErrProtocol) || len(got) >= len(message+e.says) ||
				!strings.HasPrefix(string(got), message) || !s.closed {
				t.Errorf("%q: of %q came %q, %v", e.asked, e.says, got, err)
			}
			if _, again := c.Read(make([]byte, 1)); !errors.Is(again, ErrProtocol) {
				t.Errorf("read again: %v", again)
			}
		}
	}
	for _, e := range []exchange{
		{[]string{ask("SUBSCRIBE", "a", "b")}, confirm + ended},
		{[]string{ask("SUBSCRIBE", "a", "b")}, confirm + noPerm},
		{[]string{ask("SUBSCRIBE", "a")}, confirm + confirm},
		{[]string{ask("PING")}, "+PONG\r\n+PONG\r\n"},
		{[]string{ask("UNSUBSCRIBE"), ask("PING")}, noPerm + noPerm},
	} {
		c := New(&stream{Reader: strings.NewReader(e.says)}, 0)
		_, _ = io.WriteString(c, strings.Join(e.asked, ""))
		if got, err := io.ReadAll(c); !errors.Is(err, ErrProtocol) || len(got) == len(e.says) {
			t.Errorf("%q: of %q came %q, %v", e.asked, e.says, got, err)
		}
	}
}

// TestAwaitedStaysSmall keeps nothing of what was answered.
func TestAwaitedStaysSmall(t *testing.T) {
	var a awaited
	ping := value{kind: array, count: 1, words: [2][]byte{[]byte("PING")}}
	slots := value{kind: array, count: 2, words: [2][]byte{[]byte("CLUSTER"), []byte("SLOTS")}}
	a.ask(&ping) // one is always under way
	for range 10_000 {
		for _, v := range []*value{&slots, &ping} {
			a.ask(v)
			if err := a.take(&value{kind: array}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if cap(a.queue) > 16 {
		t.Errorf("the queue has room for %d", cap(a.queue))
	}
}

// TestSilence gives up a server that owes an answer and says nothing, and not one that is at it, or owes nothing.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const silence = 3 * time.Second
		client, server := net.Pipe()
		c := New(client, silence)
		var serving sync.WaitGroup
		serving.Go(func() { // answers the first request in pieces, and pushes something later
			_, _ = server.Read(make([]byte, 1024))
			for _, part := range []string{message, "$3\r\n", "a", "b", "c", "\r\n"} {
				time.Sleep(silence - time.Second)
				_, _ = io.WriteString(server, part)
			}
			time.Sleep(2 * silence) // nothing is owed
			_, _ = io.WriteString(server, message)
			_, _ = io.Copy(io.Discard, server)
		})
		if _, err := io.WriteString(c, ask("GET", "a")); err != nil {
			t.Fatal(err)
		}
		want := message + "$3\r\nabc\r\n" + message
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
		if _, err := io.WriteString(c, ask("GET", "a")); err != nil {
			t.Error(err)
		}
		began := time.Now()
		for range 2 {
			if _, err := c.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("it says nothing: %v", err)
			}
		}
		if took := time.Since(began); took < silence || took > silence+time.Second {
			t.Errorf("it is given up after %v", took)
		}
		serving.Wait()
	})
}
