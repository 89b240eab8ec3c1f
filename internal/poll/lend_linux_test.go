package poll_test

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/poll"
)

// lend has another poller watch a stream of p, as that of a successor does.
func lend(t *testing.T, p *poller, h poll.Handle, to *poller) poll.Handle {
	t.Helper()
	fd, err := p.Lend(h)
	if err != nil {
		t.Fatal(err)
	}
	lent, err := to.Take(fd)
	if err == nil {
		err = to.Watch(lent)
	}
	if err != nil {
		t.Fatal(err)
	}
	return lent
}

// view is what a peer sees of the end of a connection: what it reads, with its error, and that of writing on and on.
type view struct {
	got         string
	read, write error
}

func viewOf(t *testing.T, peer net.Conn) (v view) {
	t.Helper()
	text, err := io.ReadAll(peer)
	v.got, v.read = string(text), number(err)
	for deadline := time.Now().Add(patience); v.write == nil && time.Now().Before(deadline); {
		_, err := peer.Write([]byte("x"))
		v.write = number(err)
	}
	if v.write == syscall.ECONNRESET {
		v.write = syscall.EPIPE // the reset came before the write, or in it
	}
	return v
}

// number is the error of the system that err is.
func number(err error) error {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}

// TestLendEnds has a peer see the same of each end of a connection, be it lent or not, while the other process has it.
func TestLendEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, p *poller, h poll.Handle, peer net.Conn)
		want view
	}{
		{"close", func(_ *testing.T, p *poller, h poll.Handle, _ net.Conn) { p.Close(h, false) },
			view{"", nil, syscall.EPIPE}},
		{"what was written, and close", func(t *testing.T, p *poller, h poll.Handle, _ net.Conn) {
			if _, err := p.Write(h, []byte("last words")); err != nil {
				t.Error(err)
			}
			p.Close(h, false)
		}, view{"last words", nil, syscall.EPIPE}},
		{"close with something unread", func(_ *testing.T, p *poller, h poll.Handle, peer net.Conn) {
			p.send(peer, "hello")
			p.untilReadable(h)
			p.Close(h, false)
		}, view{"", syscall.ECONNRESET, syscall.EPIPE}},
		{"abort", func(t *testing.T, p *poller, h poll.Handle, _ net.Conn) { p.Close(h, true) },
			view{"", syscall.ECONNRESET, syscall.EPIPE}},
		{"half, and close", func(t *testing.T, p *poller, h poll.Handle, peer net.Conn) {
			if err := p.CloseWrite(h); err != nil {
				t.Error(err)
			}
			if n, err := peer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("%d bytes and %v", n, err)
			}
			p.Close(h, false)
		}, view{"", nil, syscall.EPIPE}},
		{"half, and abort", func(t *testing.T, p *poller, h poll.Handle, peer net.Conn) {
			if err := p.CloseWrite(h); err != nil {
				t.Error(err)
			}
			if n, err := peer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("%d bytes and %v", n, err)
			}
			p.Close(h, true)
		}, view{"", nil, syscall.EPIPE}},
		{"after the peer's half", func(t *testing.T, p *poller, h poll.Handle, peer net.Conn) {
			if err := peer.(*net.TCPConn).CloseWrite(); err != nil {
				t.Error(err)
			}
			p.untilReadable(h)
			if _, err := p.Read(h, make([]byte, 1)); err != io.EOF {
				t.Error(err)
			}
			p.Close(h, false)
		}, view{"", nil, syscall.EPIPE}},
		{"Shut", func(_ *testing.T, p *poller, _ poll.Handle, _ net.Conn) { p.Shut() }, view{"", nil, syscall.EPIPE}},
	} {
		for _, lent := range []bool{false, true} {
			p, other := open(t, poll.New), open(t, poll.New)
			h, peer := p.connect("tcp4")
			var there poll.Handle
			if lent {
				there = lend(t, p, h, other)
			}
			c.do(t, p, h, peer)
			if c.name != "Shut" {
				p.silent(h)
			}
			if got := viewOf(t, peer); got != c.want {
				t.Errorf("%s, lent: %v: the peer sees %+v, want %+v", c.name, lent, got, c.want)
			}
			if lent {
				if err := other.Unwatch(there); err != nil {
					t.Error(err)
				}
				other.Leave(there)
				other.silent(there)
			}
		}
	}
}

// TestLeave leaves a connection to the process that it was lent to, as in a handover; and so does Close once the
// poller was told that nobody has any more what was lent.
func TestLeave(t *testing.T) {
	for name, leave := range map[string]func(p *poller, h poll.Handle){
		"Leave":   func(p *poller, h poll.Handle) { p.Leave(h) },
		"Reclaim": func(p *poller, h poll.Handle) { p.Reclaim(); p.Close(h, false) },
	} {
		p, other := open(t, poll.New), open(t, poll.New)
		h, peer := p.connect("tcp4")
		there := lend(t, p, h, other)
		p.arm(h, true, true) // it is as lent as before
		leave(p, h)
		if _, err := p.Wait(0); err != nil {
			t.Fatal(err)
		}
		other.send(peer, "hello")
		if got := other.read(there, 10); got != "hello" {
			t.Errorf("%s: %q has come", name, got)
		}
		if _, err := other.Write(there, []byte("x")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLendDetach gives a stream away that was lent: its Close is not the end.
func TestLendDetach(t *testing.T) {
	p, other := open(t, poll.New), open(t, poll.New)
	h, peer := p.connect("tcp4")
	lend(t, p, h, other)
	c, _, err := p.Detach(h)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p.Close(h, false)
	if _, err := p.Wait(0); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if n, err := peer.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("%d bytes and %v", n, err)
	}
}

// TestLendNoRoom lends nothing where there is no descriptor: the stream is as before.
func TestLendNoRoom(t *testing.T) {
	p := open(t, poll.New)
	h, _ := p.connect("tcp4")
	none, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	lower := limit
	lower.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lower); err != nil {
		t.Fatal(err)
	}
	_, err = p.Lend(h)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err == nil {
		t.Error("it was lent")
	}
}
