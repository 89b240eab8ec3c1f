package poll_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/poll"
)

func TestWaitLasts(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		if events := p.wait(0); len(events) != 0 {
			t.Errorf("events %v of nothing", events)
		}
		const d = 20 * time.Millisecond
		began := time.Now()
		events := p.wait(d)
		if took := time.Since(began); len(events) != 0 || took < d {
			t.Errorf("Wait returned %v after %v, want nothing after %v", events, took, d)
		}
	})
}

func TestWakeBeforeWait(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		p.Wake()
		p.Wake()
		if events := p.wait(-1); len(events) != 0 {
			t.Errorf("woken, with events %v", events)
		}
		const d = 5 * time.Millisecond
		began := time.Now()
		p.wait(d)
		if took := time.Since(began); took < d {
			t.Errorf("the next Wait was woken too, after %v", took)
		}
		p.Wake()
		p.wait(0)
		began = time.Now()
		p.wait(d)
		if took := time.Since(began); took < d {
			t.Errorf("the Wait after one that did not block was woken too, after %v", took)
		}
	})
}

// TestWakeDuringWait wakes a Wait without end from another goroutine, often enough to hit it before, at and after its
// beginning.
func TestWakeDuringWait(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		asked, answered := make(chan struct{}), make(chan struct{})
		go func() {
			for range asked {
				p.Wake()
			}
			close(answered)
		}()
		for range 1000 {
			asked <- struct{}{}
			p.wait(-1)
		}
		close(asked)
		<-answered
	})
}

func TestWakeAfterShut(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range 100 {
					p.Wake()
				}
			}()
		}
		p.Shut()
		p.Wake()
		p.Shut()
		wg.Wait()
	})
}

func TestHandlesAreUsedAgain(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		ln, addr := p.listen("tcp4")
		highest := poll.Handle(0)
		const rounds = 50
		for i := range rounds {
			first, second := p.dial(addr), p.dial(addr)
			one := p.accept(ln)
			p.send(first, "x")
			p.untilReadable(one)
			p.untilReadable(ln)
			p.Close(one, false)
			two, _, err := acceptFrom(p, ln)
			if err != nil {
				t.Fatal(err)
			}
			if two == one {
				t.Fatal("a handle was used again before the next Wait")
			}
			p.silent(one)
			p.send(second, "y")
			if got := p.read(two, 10); got != "y" {
				t.Errorf("read %q", got)
			}
			p.Close(two, false)
			first.Close()
			second.Close()
			if i == 0 {
				highest = max(one, two)
			} else if max(one, two) > highest+rounds/2 {
				t.Fatalf("after %d connections handles are %d and %d, they began at %d", 2*i, one, two, highest)
			}
		}
	})
}

// TestManyReady finds that one Wait returns a few hundred events at most, that all sockets get their turn, and that
// handles are small.
func TestManyReady(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		const most, many = 256, 400
		ln, addr := p.listen("tcp4")
		waiting := make(map[poll.Handle]bool)
		for range many {
			peer := p.dial(addr)
			h := p.accept(ln)
			if h < 0 || h > 5*many {
				t.Fatalf("handle %d", h)
			}
			waiting[h] = true
			p.send(peer, "x")
		}
		for deadline := time.Now().Add(patience); len(waiting) > 0; {
			events := p.wait(patience)
			if len(events) > most {
				t.Fatalf("%d events at once", len(events))
			}
			for _, ev := range events {
				delete(waiting, ev.Handle)
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d sockets had no turn", len(waiting))
			}
		}
	})
}

func TestLocalAddr(t *testing.T) {
	overStreams(t, func(t *testing.T, p *poller, network string) {
		ln, addr := p.listen(network)
		peer := p.dial(addr)
		h := p.accept(ln)
		for _, h := range []poll.Handle{ln, h} {
			if got := p.LocalAddr(h); got == nil || got.String() != addr.String() || got.Network() != addr.Network() {
				t.Errorf("local address %v, want %v", got, addr)
			}
		}
		if want := peer.RemoteAddr().String(); want != p.LocalAddr(h).String() {
			t.Errorf("local address %v, the peer says %v", p.LocalAddr(h), want)
		}
		p.Close(h, false)
		p.Close(ln, false)
		for range 2 {
			if a, b := p.LocalAddr(h), p.LocalAddr(ln); a != nil || b != nil {
				t.Errorf("local addresses %v and %v after Close, want nil", a, b)
			}
			p.wait(0)
		}
	})
}

// TestElsewhere writes and asks for addresses on other goroutines while the loop opens and closes sockets.
func TestElsewhere(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		ln, addr := p.listen("tcp4")
		peer := p.dial(addr)
		h := p.accept(ln)
		packets, packetAddr := p.packet("udp4")
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer p.Wake()
			for range 200 {
				if n, err := p.Write(h, []byte("x")); n != 1 || err != nil {
					t.Errorf("wrote %d, %v", n, err)
				}
				if err := p.WriteTo(packets, []byte("x"), poll.Ends{Peer: packetAddr}); err != nil {
					t.Error(err)
				}
				if got := p.LocalAddr(h); got == nil || got.String() != addr.String() {
					t.Errorf("local address %v, want %v", got, addr)
				}
			}
			close(stop)
		}()
		for done := false; !done; {
			other := p.dial(addr)
			p.Close(p.accept(ln), true)
			other.Close()
			select {
			case <-stop:
				done = true
			default:
			}
		}
		wg.Wait()
		if _, err := io.ReadFull(peer, make([]byte, 200)); err != nil {
			t.Error(err)
		}
	})
}

func TestShutClosesEverything(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		ln, addr := p.listen("tcp4")
		peer := p.dial(addr)
		h := p.accept(ln)
		if _, err := p.Write(h, []byte("last")); err != nil {
			t.Fatal(err)
		}
		queued := p.dial(addr)
		p.untilReadable(ln)
		p.packet("udp4")
		p.Shut()
		if got, err := io.ReadAll(peer); err != nil || string(got) != "last" {
			t.Errorf("the peer got %q, %v", got, err)
		}
		if _, err := queued.Read(make([]byte, 1)); err == nil {
			t.Error("a connection that was not accepted is open after Shut")
		}
		if c, err := net.Dial("tcp4", addr.String()); err == nil {
			c.Close()
			t.Error("the listener is open after Shut")
		}
	})
}

func BenchmarkPingPong(b *testing.B) {
	for _, backend := range backends {
		b.Run(backend.name, func(b *testing.B) {
			p := open(b, backend.open)
			h, peer := p.connect("tcp4")
			_ = peer.SetDeadline(time.Time{})
			ping, pong := make([]byte, 64), make([]byte, 64)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if _, err := peer.Write(ping); err != nil {
					b.Fatal(err)
				}
				p.untilReadable(h)
				n, err := p.Read(h, pong)
				if err == nil {
					_, err = p.Write(h, pong[:n])
				}
				if err == nil {
					_, err = io.ReadFull(peer, ping)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
