//go:build unix

package channel

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// loan is a pipe whose writing end crosses channels: its reading end tells when every copy of it is closed.
type loan struct{ from, to *os.File }

func lend(t testing.TB) *loan {
	t.Helper()
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		from.Close()
		to.Close()
	})
	return &loan{from, to}
}

// rights are the control message that carries some copies.
func (l *loan) rights(n int) []byte {
	return unix.UnixRights(slices.Repeat([]int{int(l.to.Fd())}, n)...)
}

// mustBeBack fails the test if a copy stays open.
func (l *loan) mustBeBack(t testing.TB) {
	t.Helper()
	l.to.Close()
	if err := l.from.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(l.from); err != nil {
		t.Errorf("a descriptor was left open: %v", err)
	}
}

// send writes bytes with descriptors to a channel.
func send(t testing.TB, c net.Conn, bytes string, control []byte) {
	t.Helper()
	if _, _, err := c.(*net.UnixConn).WriteMsgUnix([]byte(bytes), control, nil); err != nil {
		t.Fatal(err)
	}
}

// TestOrder serves requests in the order in which they were made.
func TestOrder(t *testing.T) {
	const all = 1000
	var got []int
	done := make(chan struct{})
	a, _ := pair(t, nobody, func(r *Request) {
		var n int
		if err := r.Decode(&n); err != nil {
			t.Error(err)
		}
		if got = append(got, n); len(got) == all {
			close(done)
		}
	})
	cancelled, cancel := context.WithCancel(context.Background())
	cancel() // what was asked is sent all the same
	for n := range all {
		if _, err := a.Call(cancelled, Beat, n, nil); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("requests were lost")
	}
	if !slices.IsSorted(got) {
		t.Error("they came in another order")
	}
}

// TestSplit cuts a request that carries a descriptor at every byte.
func TestSplit(t *testing.T) {
	const line = `{"id":7,"op":"adopt","body":{"sibling":1,"worker":"w"},"files":1}` + "\n"
	got := make(chan *Request, 1)
	_, c := raw(t, func(r *Request) { got <- r })
	for cut := 1; cut <= len(line); cut++ {
		l := lend(t)
		send(t, c, line[:cut], l.rights(1))
		if rest := line[cut:]; rest != "" {
			send(t, c, rest, nil)
		}
		r := <-got
		var what Loan
		if err := r.Decode(&what); err != nil || r.Op != Adopt || what != (Loan{Sibling: 1, Worker: "w"}) ||
			len(r.Files) != 1 {
			t.Fatalf("cut at %d: %s %+v with %d descriptors, %v", cut, r.Op, what, len(r.Files), err)
		}
		closeAll(r.Files)
		l.mustBeBack(t)
	}
}

// TestLongLine has the longest messages that may come cross in both directions.
func TestLongLine(t *testing.T) {
	a, _ := pair(t, nobody, func(r *Request) {
		var text string
		err := r.Decode(&text)
		r.Answer(text, err)
	})
	want := strings.Repeat("x", maxLine-100)
	var got string
	if _, err := a.Call(patiently(t), List, want, &got); err != nil || got != want {
		t.Errorf("%d bytes came back: %v", len(got), err)
	}
}

// TestCutShort ends the channel where the other end goes in the middle: of the answer, of its descriptors, of a
// request.
func TestCutShort(t *testing.T) {
	for name, c := range map[string]struct {
		bytes string
		files int
	}{
		"before the answer":            {"", 0},
		"in the answer":                {`{"id":1,"bo`, 1},
		"descriptors of no message":    {`{"id":1}` + "\n" + `{"id":`, maxFiles},
		"fewer descriptors than said":  {`{"id":1,"files":3}` + "\n", 2},
		"more descriptors than may be": {`{"id":1,"files":9}` + "\n", 9},
		"a request":                    {`{"id":1,"op":"adopt","files":1`, 1},
	} {
		p, conn := raw(t, nobody)
		l := lend(t)
		failed := make(chan error, 1)
		go func() {
			_, err := p.Call(context.Background(), Listen, nil, nil)
			failed <- err
		}()
		if _, err := conn.Read(make([]byte, 1<<10)); err != nil {
			t.Fatal(err)
		}
		if c.bytes != "" {
			send(t, conn, c.bytes, l.rights(c.files))
		}
		conn.Close()
		if err := <-failed; !errors.Is(err, ErrClosed) && !strings.HasPrefix(c.bytes, `{"id":1}`) {
			t.Errorf("%s: %v", name, err)
		}
		<-p.Done()
		l.mustBeBack(t)
	}
}

// TestUnclaimed ends a channel on which more descriptors come than one message may have, and no message.
func TestUnclaimed(t *testing.T) {
	p, c := raw(t, nobody)
	l := lend(t)
	for range 2 {
		send(t, c, " ", l.rights(maxFiles)) // white space is no message yet
	}
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Error("the channel keeps them")
	}
	l.mustBeBack(t)
}

// TestCancel gives up one Call, and no other.
func TestCancel(t *testing.T) {
	asked := make(chan *Request, 2)
	a, _ := pair(t, nobody, func(r *Request) { asked <- r })
	ctx, cancel := context.WithCancel(context.Background())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := a.Call(ctx, Beat, nil, nil)
		first <- err
	}()
	given := <-asked
	go func() {
		_, err := a.Call(patiently(t), Beat, nil, nil)
		second <- err
	}()
	kept := <-asked
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that was given up: %v", err)
	}
	given.Answer(nil, errors.New("too late"))
	kept.Answer(nil, nil)
	if err := <-second; err != nil {
		t.Errorf("the other: %v", err)
	}
}

// FuzzRead feeds a Peer that waits for two answers whatever may come, with descriptors: all of them are closed when it
// ends.
func FuzzRead(f *testing.F) {
	for i, line := range []string{
		`{"id":1,"op":"beat","body":{"wait":1}}`,
		`{"id":1,"error":"x","errno":98}` + "\n" + `{"id":2,"files":2}`,
		`{"id":1,"op":"adopt","files":1}` + "\n" + `{"id":1,"files":1}` + "\n" + `{"id":1,"files":1}`,
		`{"id":2,"op":"hello","body":[],"files":-1}`,
	} {
		f.Add(line+"\n", uint8(i))
	}
	f.Fuzz(func(t *testing.T, bytes string, files uint8) {
		p, c := raw(t, func(r *Request) {
			var a Assignment
			_ = r.Decode(&a) // it may be anything
			r.Answer(a, nil, r.Files...)
			closeAll(r.Files)
		})
		answered := make(chan bool)
		for n := range 2 {
			go func() {
				var a Assignment
				files, _ := p.Call(context.Background(), Op(strconv.Itoa(n)), nil, &a) // it may be anything
				closeAll(files)
				answered <- true
			}()
		}
		drained := make(chan bool)
		go func() {
			_, _ = io.Copy(io.Discard, c) // until the Peer ends
			close(drained)
		}()
		l := lend(t)
		if bytes != "" {
			send(t, c, bytes, l.rights(int(files)%(2*maxFiles)))
		}
		if err := c.(*net.UnixConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		<-answered
		<-answered
		<-p.Done()
		<-drained
		l.mustBeBack(t)
	})
}
