package poll_test

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/linemantest"
)

// sharers are pollers that accept from one open socket, as processes do that got it from their master. Its address is
// the last result.
func sharers(t *testing.T, n int) (pollers []*poller, handles []poll.Handle, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range n {
		p := open(t, poll.New)
		same, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		h, err := p.Listen(same, true)
		if err != nil {
			t.Fatal(err)
		}
		pollers, handles = append(pollers, p), append(handles, h)
	}
	return pollers, handles, ln.Addr().String()
}

func knock(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestSharedTurns has pollers that sleep take turns. One that is awake has no turn, so each connection finds all of
// them asleep.
func TestSharedTurns(t *testing.T) {
	for _, n := range []int{2, 4} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			pollers, handles, addr := sharers(t, n)
			threads, took := make(chan int, n), make(chan int, n)
			var ended sync.WaitGroup
			stop := make(chan struct{})
			for i, p := range pollers {
				ended.Add(1)
				go func() {
					defer ended.Done()
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
					threads <- unix.Gettid()
					for {
						events, err := p.Wait(-1)
						if err != nil {
							t.Error(err)
							return
						}
						select {
						case <-stop:
							return
						default:
						}
						for range events {
							h, _, err := acceptFrom(p, handles[i])
							if err != nil {
								t.Errorf("poller %d: %v", i, err)
								continue
							}
							p.Close(h, false)
							took <- i
						}
					}
				}()
			}
			t.Cleanup(func() {
				close(stop)
				for _, p := range pollers {
					p.Wake()
				}
				ended.Wait()
			})
			all := make([]int, n)
			for i := range all {
				all[i] = <-threads
			}
			for turn := range 10 * n {
				for _, thread := range all {
					awaitSleep(t, thread)
				}
				knock(t, addr).Close()
				select {
				case i := <-took:
					if i != turn%n {
						t.Fatalf("connection %d is taken by poller %d, want %d", turn, i, turn%n)
					}
				case <-time.After(patience):
					t.Fatal("nobody takes a connection")
				}
			}
		})
	}
}

// awaitSleep waits until a thread waits for events in the kernel.
func awaitSleep(t *testing.T, thread int) {
	t.Helper()
	call := strconv.Itoa(unix.SYS_EPOLL_PWAIT) + " "
	linemantest.Until(t, "a poller without events does not sleep", func() bool {
		state, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", thread))
		if err != nil {
			t.Skip("the system does not tell who sleeps: ", err)
		}
		return strings.HasPrefix(string(state), call)
	})
}

// TestSharedBusy has a poller that does not wait keep nobody else from accepting.
func TestSharedBusy(t *testing.T) {
	pollers, handles, addr := sharers(t, 2)
	for range 20 {
		knock(t, addr)
		pollers[1].untilReadable(handles[1])
		if _, _, err := acceptFrom(pollers[1], handles[1]); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSharedArm has a disarmed listener stay silent, also after it has accepted.
func TestSharedArm(t *testing.T) {
	pollers, handles, addr := sharers(t, 2)
	p, h := pollers[0], handles[0]
	p.arm(h, false, false)
	knock(t, addr)
	pollers[1].untilReadable(handles[1])
	p.silent(h)
	if _, _, err := acceptFrom(p, h); err != nil { // nobody forbids that
		t.Fatal(err)
	}
	knock(t, addr)
	pollers[1].untilReadable(handles[1])
	p.silent(h)
	p.arm(h, true, false)
	p.untilReadable(h)
}

// TestSharedClose has a closed listener leave the set, though others keep the socket open.
func TestSharedClose(t *testing.T) {
	for _, armed := range []bool{true, false} {
		pollers, handles, addr := sharers(t, 2)
		pollers[0].arm(handles[0], armed, false)
		pollers[0].Close(handles[0], false)
		knock(t, addr)
		pollers[1].untilReadable(handles[1])
		for range 3 {
			if events := pollers[0].wait(0); len(events) != 0 {
				t.Fatalf("armed %v: a closed listener has events: %v", armed, events)
			}
		}
	}
}

// TestSharedDatagrams has a closed socket of datagrams leave the set likewise.
func TestSharedDatagrams(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	f, err := pc.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	same, err := net.FilePacketConn(f)
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, poll.New)
	h, err := p.Packet(same)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("udp", pc.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("one")); err != nil {
		t.Fatal(err)
	}
	p.untilReadable(h)
	p.Close(h, false)
	for range 3 {
		if events := p.wait(0); len(events) != 0 {
			t.Fatalf("a closed socket has events: %v", events)
		}
	}
}

// BenchmarkAccept is what taking turns costs.
func BenchmarkAccept(b *testing.B) {
	for name, shared := range map[string]bool{"private": false, "shared": true} {
		b.Run(name, func(b *testing.B) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			addr := ln.Addr().String()
			p := open(b, poll.New)
			h, err := p.Listen(ln, shared)
			if err != nil {
				b.Fatal(err)
			}
			for range b.N {
				b.StopTimer()
				c, err := net.Dial("tcp", addr)
				if err != nil {
					b.Fatal(err)
				}
				p.untilReadable(h)
				b.StartTimer()
				accepted, _, err := acceptFrom(p, h)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				p.Close(accepted, true)
				p.wait(0)
				c.Close()
				b.StartTimer()
			}
		})
	}
}
