package poll_test

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lineman-go/lineman/internal/poll"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var backends = []struct {
	name string
	open func() (poll.Poller, error)
}{
	{"native", poll.New},
	{"portable", func() (poll.Poller, error) { return poll.NewPortable(), nil }},
}

// overEach runs a test over every poller.
func overEach(t *testing.T, f func(t *testing.T, p *poller)) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) { f(t, open(t, b.open)) })
	}
}

// overStreams runs a test over every poller and every kind of stream.
func overStreams(t *testing.T, f func(t *testing.T, p *poller, network string)) {
	overEach(t, func(t *testing.T, p *poller) {
		for _, network := range []string{"tcp4", "tcp6", "unix"} {
			t.Run(network, func(t *testing.T) {
				needs(t, network)
				f(t, &poller{p.Poller, t}, network)
			})
		}
	})
}

// needs skips a test where IPv6 is missing.
func needs(t *testing.T, network string) {
	t.Helper()
	if network != "tcp6" && network != "udp6" {
		return
	}
	ln, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	ln.Close()
}

// A poller fails its test instead of returning errors that must not be.
type poller struct {
	poll.Poller
	testing.TB
}

func open(t testing.TB, f func() (poll.Poller, error)) *poller {
	t.Helper()
	p, err := f()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Shut)
	return &poller{p, t}
}

// until waits for an event that is as wanted.
func (p *poller) until(what string, wanted func(poll.Event) bool) {
	p.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for _, ev := range p.wait(time.Until(deadline)) {
			if wanted(ev) {
				return
			}
		}
	}
	p.Fatalf("no event that %s", what)
}

func (p *poller) wait(d time.Duration) []poll.Event {
	p.Helper()
	events, err := p.Wait(d)
	if err != nil {
		p.Fatal(err)
	}
	return events
}

func (p *poller) untilReadable(h poll.Handle) {
	p.Helper()
	p.until("a socket is ready to read", func(ev poll.Event) bool { return ev.Handle == h && ev.Read })
}

func (p *poller) untilWritable(h poll.Handle) {
	p.Helper()
	p.until("a socket is ready to write", func(ev poll.Event) bool { return ev.Handle == h && ev.Write })
}

// silent fails the test if h has an event now.
func (p *poller) silent(h poll.Handle) {
	p.Helper()
	for _, ev := range p.wait(0) {
		if ev.Handle == h {
			p.Errorf("unexpected event %+v", ev)
		}
	}
}

func (p *poller) arm(h poll.Handle, read, write bool) {
	p.Helper()
	if err := p.Arm(h, read, write); err != nil {
		p.Fatal(err)
	}
}

// listen opens a listener of its own for the poller. Its address is the second result.
func (p *poller) listen(network string) (poll.Handle, net.Addr) {
	p.Helper()
	ln := p.listener(network)
	addr := ln.Addr()
	h, err := p.Listen(ln, false)
	if err != nil {
		p.Fatal(err)
	}
	return h, addr
}

func (p *poller) listener(network string) net.Listener {
	p.Helper()
	address := map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}[network]
	if network == "unix" {
		// The test's own directory may be too long a name for a socket.
		dir, err := os.MkdirTemp("", "poll")
		if err != nil {
			p.Fatal(err)
		}
		p.Cleanup(func() { os.RemoveAll(dir) })
		address = filepath.Join(dir, "s")
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		p.Fatal(err)
	}
	return ln
}

// dial connects a peer to addr, which ends with the test and whose calls end after patience.
func (p *poller) dial(addr net.Addr) net.Conn {
	p.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		p.Fatal(err)
	}
	return c
}

// accept waits for a connection.
func (p *poller) accept(ln poll.Handle) poll.Handle {
	p.Helper()
	p.untilReadable(ln)
	h, _, err := acceptFrom(p, ln)
	if err != nil {
		p.Fatal(err)
	}
	return h
}

// connect makes a connection and its peer.
func (p *poller) connect(network string) (poll.Handle, net.Conn) {
	p.Helper()
	ln, addr := p.listen(network)
	peer := p.dial(addr)
	h := p.accept(ln)
	p.Close(ln, false)
	return h, peer
}

// read waits for bytes and reads what there is, at most size.
func (p *poller) read(h poll.Handle, size int) string {
	p.Helper()
	p.untilReadable(h)
	b := make([]byte, size)
	n, err := p.Read(h, b)
	if err != nil {
		p.Fatal(err)
	}
	return string(b[:n])
}

// send has the peer send.
func (p *poller) send(peer net.Conn, s string) {
	p.Helper()
	if _, err := peer.Write([]byte(s)); err != nil {
		p.Fatal(err)
	}
}

// reset has the peer break the connection.
func (p *poller) reset(peer net.Conn) {
	p.Helper()
	if err := peer.(*net.TCPConn).SetLinger(0); err != nil {
		p.Fatal(err)
	}
	peer.Close()
}

// fill writes a pattern until the socket takes no more, and returns what it took.
func (p *poller) fill(h poll.Handle) []byte {
	p.Helper()
	chunk := make([]byte, 1<<20)
	for i := range chunk {
		chunk[i] = byte(i % 251)
	}
	var taken []byte
	for range 100 {
		n, err := p.Write(h, chunk)
		taken = append(taken, chunk[:n]...)
		if err == poll.ErrAgain {
			if n == len(chunk) {
				p.Fatal("not ready, but all was written")
			}
			return taken
		}
		if err != nil || n != len(chunk) {
			p.Fatalf("wrote %d of %d: %v", n, len(chunk), err)
		}
	}
	p.Fatal("a peer that does not read is never full")
	return nil
}

// acceptFrom accepts and adopts a connection.
func acceptFrom(p *poller, ln poll.Handle) (poll.Handle, netip.AddrPort, error) {
	a, peer, err := p.Accept(ln)
	if err != nil {
		return 0, peer, err
	}
	h, err := p.Adopt(a)
	return h, peer, err
}
