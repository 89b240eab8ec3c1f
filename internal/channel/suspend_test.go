//go:build unix

package channel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// suspend has a Peer rest.
func suspend(t *testing.T, p *Peer) Suspended {
	t.Helper()
	s, err := p.Suspend(patiently(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// abandon has a Peer rest, as one does whose program is being replaced. It returns the end of its channel, and what
// ends the Peer.
func abandon(t *testing.T, p *Peer) (f *os.File, s Suspended, end func()) {
	t.Helper()
	s = suspend(t, p)
	fd, err := unix.FcntlInt(uintptr(s.FD), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "channel"), s, func() {
		p.files = nil // they are the next Peer's
		p.Close()
		p.Resume()
		<-p.Done()
	}
}

// openPlain is a Peer that the test closes, and the raw other end of its channel.
func openPlain(t *testing.T, serve func(*Request)) (*Peer, *os.File) {
	t.Helper()
	own, other, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	p, err := Open(own, serve)
	if err != nil {
		t.Fatal(err)
	}
	return p, other
}

// TestSuspendEverySplit suspends a Peer after each byte of two messages, one with a descriptor, and continues with
// another one: both messages are handled once, with the descriptor, whichever Peer does it.
func TestSuspendEverySplit(t *testing.T) {
	text := `{"id":1,"op":"beat","body":1}` + "\n" + `{"id":2,"op":"log","body":2,"files":1}` + "\n"
	from := strings.Index(text, `{"id":2`) // the descriptor comes with this byte
	for split := range len(text) + 1 {
		got := make(chan string, 4)
		serve := func(r *Request) {
			got <- fmt.Sprintf("%s %s %d", r.Op, r.body, len(r.Files))
			closeAll(r.Files)
			r.Answer(nil, nil)
		}
		p, other := openPlain(t, serve)
		sendSplit(t, other, text[:split], from)
		awaitRead(t, p, split)
		f, s, end := abandon(t, p)
		sendSplit(t, other, text[split:], from-split)
		q, err := Continue(f, s, serve)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"beat 1 0", "log 2 1"} {
			select {
			case m := <-got:
				if m != want {
					t.Errorf("split at %d: %q was handled, want %q", split, m, want)
				}
			case <-time.After(patience):
				t.Fatalf("split at %d: %q was lost", split, want)
			}
		}
		q.Close()
		<-q.Done()
		end()
		if len(got) > 0 {
			t.Errorf("split at %d: %q was handled too", split, <-got)
		}
	}
}

// sendSplit writes a part of a stream; a descriptor comes with the byte at a place in it.
func sendSplit(t *testing.T, to *os.File, part string, at int) {
	t.Helper()
	if at < 0 || at >= len(part) {
		if _, err := to.WriteString(part); err != nil {
			t.Fatal(err)
		}
		return
	}
	if _, err := to.WriteString(part[:at]); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if err := unix.Sendmsg(int(to.Fd()), []byte(part[at:]), unix.UnixRights(int(null.Fd())), nil, 0); err != nil {
		t.Fatal(err)
	}
}

// awaitRead waits until the kernel has nothing for a Peer any more.
func awaitRead(t *testing.T, p *Peer, sent int) {
	t.Helper()
	rc, err := p.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(patience); sent > 0; {
		waiting := 0
		if err := rc.Control(func(fd uintptr) {
			waiting, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		}); err != nil {
			t.Fatal(err)
		}
		if waiting == 0 {
			return
		}
		if time.Now().After(until) {
			t.Fatal("not all bytes are read")
		}
	}
}

// TestSuspendAnswers has a request be under way: the Peer rests once it is answered, and not before.
func TestSuspendAnswers(t *testing.T) {
	requests := make(chan *Request, 1)
	a, b := pair(t, func(r *Request) { requests <- r }, nobody)
	called := make(chan error, 1)
	go func() {
		_, err := b.Call(context.Background(), Listen, 1, nil)
		called <- err
	}()
	r := <-requests
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := a.Suspend(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("it rests with a request unanswered: %v", err)
	}
	go r.Answer(nil, nil)
	suspend(t, a)
	if err := <-called; err != nil {
		t.Error(err)
	}
	a.Resume()
	go func() { (<-requests).Answer(nil, nil) }()
	if _, err := b.Call(patiently(t), Listen, 1, nil); err != nil {
		t.Errorf("after the rest: %v", err)
	}
}

// TestSuspendCalls has a call wait until the rest is over, and nothing be written meanwhile.
func TestSuspendCalls(t *testing.T) {
	asked := make(chan struct{}, 1)
	a, _ := pair(t, nobody, func(r *Request) {
		asked <- struct{}{}
		r.Answer(nil, nil)
	})
	suspend(t, a)
	called := make(chan error, 1)
	go func() {
		_, err := a.Call(context.Background(), Beat, 1, nil)
		called <- err
	}()
	select {
	case <-asked:
		t.Error("a Peer at rest has written")
	case <-time.After(20 * time.Millisecond):
	}
	a.Resume()
	if err := <-called; err != nil {
		t.Error(err)
	}
}

// TestContinueNumbers has an answer come to a Peer that has not asked: it is nobody's, and the next call has another
// number.
func TestContinueNumbers(t *testing.T) {
	p, other := openPlain(t, nobody)
	lost := make(chan error, 1)
	go func() {
		_, err := p.Call(context.Background(), Beat, 1, nil)
		lost <- err
	}()
	decode := json.NewDecoder(other)
	var m message
	if err := decode.Decode(&m); err != nil || m.ID != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	f, s, end := abandon(t, p)
	if want := (Suspended{FD: s.FD, Last: 1}); !reflect.DeepEqual(s, want) {
		t.Errorf("suspended: %+v, want %+v", s, want)
	}
	q, err := Continue(f, s, nobody)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(other, `{"id":1,"body":7}`+"\n"); err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := decode.Decode(&m); err != nil || m.ID != 2 {
			t.Errorf("%+v, %v", m, err)
		}
		if _, err := io.WriteString(other, `{"id":2,"body":8}`+"\n"); err != nil {
			t.Error(err)
		}
	}()
	var got int
	if _, err := q.Call(patiently(t), Beat, 1, &got); err != nil || got != 8 {
		t.Errorf("%d, %v", got, err)
	}
	q.Close()
	<-q.Done()
	end()
	if err := <-lost; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestSuspendGone has the other end have gone.
func TestSuspendGone(t *testing.T) {
	a, b := pair(t, nobody, nobody)
	b.Close()
	<-a.Done()
	if _, err := a.Suspend(patiently(t)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
