//go:build unix

package channel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = time.Minute

// pair are two Peers, open until the end of the test.
func pair(t *testing.T, left, right func(*Request)) (a, b *Peer) {
	t.Helper()
	one, two, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	return openPeer(t, one, left), openPeer(t, two, right)
}

func openPeer(t testing.TB, f *os.File, serve func(*Request)) *Peer {
	t.Helper()
	p, err := Open(f, serve)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		<-p.Done()
	})
	return p
}

// nobody is asked.
func nobody(r *Request) { r.Answer(nil, fmt.Errorf("nobody expects %s", r.Op)) }

// patiently is a context for a Call that must be answered.
func patiently(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// TestCall has requests and answers cross in both directions, with what they are about.
func TestCall(t *testing.T) {
	double := func(r *Request) {
		var n int
		if err := r.Decode(&n); err != nil {
			r.Answer(nil, err)
			return
		}
		r.Answer(2*n, nil)
	}
	a, b := pair(t, double, double)
	for _, p := range []*Peer{a, b} {
		var got int
		if _, err := p.Call(patiently(t), Beat, 21, &got); err != nil || got != 42 {
			t.Errorf("%d, %v", got, err)
		}
		if _, err := p.Call(patiently(t), Beat, "no number", &got); err == nil ||
			!strings.Contains(err.Error(), "beat") {
			t.Errorf("a wrong request: %v", err)
		}
		if _, err := p.Call(patiently(t), Beat, 1, nil); err != nil {
			t.Errorf("an answer that nobody reads: %v", err)
		}
		var text string
		if _, err := p.Call(patiently(t), Beat, 1, &text); err == nil {
			t.Error("a number was read as a text")
		}
	}
}

// TestCallsTogether has many goroutines ask at once, each of whom gets its own answer.
func TestCallsTogether(t *testing.T) {
	a, _ := pair(t, nobody, func(r *Request) {
		go func() { // answers come in any order
			var n int
			err := r.Decode(&n)
			r.Answer(n, err)
		}()
	})
	var asking sync.WaitGroup
	for i := range 64 {
		asking.Add(1)
		go func() {
			defer asking.Done()
			for n := range 50 {
				got, want := -1, 1000*i+n
				if _, err := a.Call(context.Background(), Beat, want, &got); err != nil || got != want {
					t.Errorf("%d was answered by %d, %v", want, got, err)
				}
			}
		}()
	}
	asking.Wait()
}

// TestErrors has an error keep its words and the system's number.
func TestErrors(t *testing.T) {
	a, _ := pair(t, nobody, func(r *Request) {
		if r.Op == Listen {
			r.Answer(nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)})
			return
		}
		r.Answer(nil, errors.New("it will not"))
	})
	_, err := a.Call(patiently(t), Listen, nil, nil)
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the number is lost: %v", err)
	}
	_, err = a.Call(patiently(t), Start, nil, nil)
	var told *Error
	if !errors.As(err, &told) || told.Text != "it will not" || told.Unwrap() != nil {
		t.Errorf("the words are lost: %v", err)
	}
}

// TestDescriptors has descriptors cross with a request, and with its answer.
func TestDescriptors(t *testing.T) {
	a, _ := pair(t, nobody, func(r *Request) {
		defer closeAll(r.Files)
		r.Answer(len(r.Files), nil, r.Files...)
	})
	for _, n := range []int{1, 3, 0, maxFiles} {
		from, to, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		var files []int
		for range n {
			files = append(files, int(to.Fd()))
		}
		var got int
		back, err := a.Call(patiently(t), Adopt, nil, &got, files...)
		if err != nil || got != n || len(back) != n {
			t.Fatalf("%d went, %d came, %d came back: %v", n, got, len(back), err)
		}
		to.Close()
		for i, fd := range back {
			f := os.NewFile(uintptr(fd), "")
			fmt.Fprint(f, i)
			f.Close()
		}
		// All ends of it are closed by now: the one that was answered with, and those that came.
		if text, err := io.ReadAll(from); err != nil || string(text) != "0123"[:n] {
			t.Errorf("through %d descriptors came %q, %v", n, text, err)
		}
		from.Close()
	}
}

// TestGive has the only end of a stream go to the other process: when that closes it, the stream ends, while the
// request is not answered yet.
func TestGive(t *testing.T) {
	requests := make(chan *Request, 1)
	a, _ := pair(t, nobody, func(r *Request) { requests <- r })
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	given := make(chan error, 1)
	var answer int
	go func() { given <- a.Give(patiently(t), Hand, nil, &answer, to) }()
	r := <-requests
	closeAll(r.Files)
	if _, err := io.ReadAll(from); err != nil {
		t.Error(err) // it would never end with a descriptor left open
	}
	r.Answer(7, nil)
	if err := <-given; err != nil || answer != 7 {
		t.Errorf("%d, %v", answer, err)
	}
}

// TestGiveToNobody closes the file.
func TestGiveToNobody(t *testing.T) {
	a, b := pair(t, nobody, nobody)
	b.Close()
	<-a.Done()
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if err := a.Give(patiently(t), Hand, nil, nil, to); !errors.Is(err, ErrClosed) {
		t.Errorf("the error is %v", err)
	}
	if _, err := io.ReadAll(from); err != nil {
		t.Error(err)
	}
}

// TestAnswerNobodyWaitsFor has its descriptors closed.
func TestAnswerNobodyWaitsFor(t *testing.T) {
	requests := make(chan *Request, 1)
	a, _ := pair(t, nobody, func(r *Request) {
		if r.Op == Beat {
			r.Answer(nil, nil)
			return
		}
		requests <- r
	})
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := a.Call(ctx, Listen, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	(<-requests).Answer(nil, nil, int(to.Fd()))
	to.Close()
	if _, err := a.Call(patiently(t), Beat, nil, nil); err != nil { // comes behind that answer
		t.Fatal(err)
	}
	if _, err := io.ReadAll(from); err != nil {
		t.Error(err) // it would never end with a descriptor left open
	}
}

// TestEnd has every Call end when the other process goes, before or while it is asked.
func TestEnd(t *testing.T) {
	asked := make(chan bool, 8)
	a, b := pair(t, nobody, func(*Request) { asked <- true })
	failed := make(chan error, 8)
	for range 8 {
		go func() {
			_, err := a.Call(context.Background(), Beat, nil, nil)
			failed <- err
		}()
		<-asked
	}
	b.Close()
	for range 8 {
		if err := <-failed; !errors.Is(err, ErrClosed) {
			t.Errorf("under way: %v", err)
		}
	}
	<-a.Done()
	if _, err := a.Call(context.Background(), Beat, nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("afterwards: %v", err)
	}
}

// raw is a Peer, and the other end without one.
func raw(t testing.TB, serve func(*Request)) (*Peer, net.Conn) {
	t.Helper()
	one, two, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	c, err := net.FileConn(two)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return openPeer(t, one, serve), c
}

// TestPieces has a request come byte by byte, and two at once.
func TestPieces(t *testing.T) {
	got := make(chan Op, 3)
	_, c := raw(t, func(r *Request) { got <- r.Op })
	for _, b := range []byte(`{"id":1,"op":"beat"}` + "\n") {
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(c, `{"id":2,"op":"log"}`+"\n"+`{"id":3,"op":"list"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []Op{Beat, Log, List} {
		if op := <-got; op != want {
			t.Errorf("%s came, want %s", op, want)
		}
	}
}

// TestGarbage ends the channel, and nothing else.
func TestGarbage(t *testing.T) {
	for name, bytes := range map[string]string{
		"no JSON":              "hello\n",
		"another type":         `{"id":"one"}` + "\n",
		"files that are none":  `{"id":1,"op":"log","files":1}` + "\n",
		"a negative number":    `{"id":1,"op":"log","files":-1}` + "\n",
		"a line without end":   strings.Repeat("x", maxLine+1<<20),
		"an end in the middle": `{"id":1`,
	} {
		p, c := raw(t, func(r *Request) { t.Errorf("%s: it was taken for %s", name, r.Op) })
		go func() {
			_, _ = io.WriteString(c, bytes) // the other end may close before the last byte
			c.Close()
		}()
		select {
		case <-p.Done():
		case <-time.After(patience):
			t.Fatalf("%s: the channel stays", name)
		}
	}
}

// TestAwaitGone notices that the other end has gone while a request is being served.
func TestAwaitGone(t *testing.T) {
	serving, release := make(chan struct{}), make(chan struct{})
	a, b := pair(t, nobody, func(*Request) {
		close(serving)
		<-release
	})
	defer close(release)
	go func() { _, _ = a.Call(context.Background(), Hello, nil, nil) }() // it is not answered
	<-serving
	over := make(chan struct{})
	close(over)
	if b.AwaitGone(over) {
		t.Error("it has gone too early")
	}
	a.Close()
	if !b.AwaitGone(nil) {
		t.Error("it has not gone")
	}
	select {
	case <-b.Done():
		t.Error("it is done, and serves")
	default:
	}
}
