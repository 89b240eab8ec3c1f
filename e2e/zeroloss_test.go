package e2e

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// TestZeroLossReload loads four processes through 20 reloads and 3 replacements of the program: no request is refused,
// none is unanswered.
func TestZeroLossReload(t *testing.T) {
	for name, flags := range listening {
		t.Run(name, func(t *testing.T) {
			i := startFour(t, flags)
			addr := i.outer()
			short, wrk := newLoad(4, func() error { return request(addr) }), startWrk(t, addr)
			for n := range 23 {
				before := short.done()
				if n%8 == 7 {
					i.replace(i.path)
				}
				i.do("reload")
				short.goOn(t, before+200)
			}
			wrk.end()
			short.endWhole(t, "short connections")
			if s := i.status(); s.Reloads != 23 {
				t.Errorf("status tells of %d reloads", s.Reloads)
			}
			i.do("stop")
		})
	}
}

// TestZeroLossKill kills five processes under load, one at a time: what they had begun is lost, and nobody is refused.
func TestZeroLossKill(t *testing.T) {
	for name, flags := range listening {
		t.Run(name, func(t *testing.T) {
			i := startFour(t, flags)
			addr := i.outer()
			short := newLoad(4, func() error { return request(addr) })
			for n := range 5 {
				before := short.done()
				kill(t, i.pid("echo", n%4), syscall.SIGKILL)
				i.idle(4)
				short.goOn(t, before+200)
			}
			short.end(t, "short connections")
			i.logs("ended with signal 9 (killed); it starts again")
			i.do("stop")
		})
	}
}

// listening has the flags for the two ways that processes share a port.
var listening = map[string][]string{"shared": nil, "reuseport": {"-reuseport"}}

func startFour(t *testing.T, flags []string) *instance {
	t.Helper()
	i := newInstance(t, "echo", append([]string{"-addr", "http://127.0.0.1:0", "-count", "4"}, flags...)...)
	i.do("start", "-d")
	return i
}

// TestZeroLossPush pushes a thousand times a second while pages come and go, through 20 reloads and 5 kills: neither
// port refuses, and what a kill breaks off is all that is broken off.
func TestZeroLossPush(t *testing.T) {
	i := newInstance(t, "push", "-websocket", "127.0.0.1:0", "-text", "127.0.0.1:0")
	i.do("start", "-d")
	pages, backends := i.addr("push"), i.addr("backend")
	push := func() error {
		answer, err := askLine(backends, `{"uid":"uid1"}`)
		if err == nil && answer != "ok" && answer != "fail" {
			err = fmt.Errorf("the answer is %.100q", answer)
		}
		return err
	}
	visit := func() error { return login(pages) }

	pushes, visits := newPacedLoad(1000, push), newLoad(2, visit)
	for range 20 {
		before := pushes.done()
		i.do("reload")
		pushes.goOn(t, before+100)
	}
	visits.endWhole(t, "pages through reloads")
	pushes.endWhole(t, "pushes through reloads")

	pushes, visits = newPacedLoad(1000, push), newLoad(2, visit)
	for range 5 {
		before := pushes.done()
		kill(t, i.pid("push", 0), syscall.SIGKILL)
		i.idle(1)
		pushes.goOn(t, before+100)
	}
	visits.end(t, "pages through kills")
	pushes.end(t, "pushes through kills")
	i.do("stop")
}

// TestZeroLossOther takes clients of other kinds through 10 reloads: datagrams, and a Unix socket. Nothing is lost.
func TestZeroLossOther(t *testing.T) {
	for name, flags := range listening {
		t.Run("udp "+name, func(t *testing.T) {
			i := newInstance(t, "echo", append([]string{"-addr", "udp://127.0.0.1:0", "-count", "4"}, flags...)...)
			i.do("start", "-d")
			addr := i.outer()
			i.reloads(newLoad(4, func() error { return datagram(addr) }), 10)
		})
	}
	t.Run("unix", func(t *testing.T) {
		i := newInstance(t, "echo", "-addr", "text+unix://s", "-count", "4")
		i.do("start", "-d")
		path := filepath.Join(i.dir, "s")
		i.reloads(newLoad(4, func() error {
			answer, err := askLine(path, "hello")
			if err == nil && answer != "hello" {
				err = fmt.Errorf("the answer is %q", answer)
			}
			return err
		}), 10)
		if _, err := os.Stat(path); err == nil {
			t.Error("the socket's file is left")
		}
	})
}

// reloads takes clients through some reloads, with nothing lost, and stops.
func (i *instance) reloads(clients *load, n int) {
	i.t.Helper()
	for range n {
		before := clients.done()
		i.do("reload")
		clients.goOn(i.t, before+100)
	}
	clients.endWhole(i.t, "clients")
	i.do("stop")
}

// datagram sends one and waits for it to come back.
func datagram(addr string) error {
	c, err := net.Dial("udp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	answer := make([]byte, 6)
	if n, err := c.Read(answer); err != nil || string(answer[:n]) != "hello" {
		return fmt.Errorf("the answer is %q: %w", answer[:n], err)
	}
	return nil
}

// restarts is the code of a server's goodbye in a reload: RFC 6455 section 11.7's registry has it.
const restarts = ws.StatusCode(1012)

// login is a page that says its uid, reads one message, or that the server restarts, and goes.
func login(addr string) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, _, err := (ws.Dialer{}).Upgrade(c, &url.URL{Scheme: "ws", Host: addr, Path: "/"}); err != nil {
		return err
	}
	if err := wsutil.WriteClientText(c, []byte("uid1")); err != nil {
		return err
	}
	f, err := ws.ReadFrame(c)
	if err != nil {
		return err
	}
	if code, _ := ws.ParseCloseFrameData(f.Payload); f.Header.OpCode == ws.OpClose && code != restarts {
		return fmt.Errorf("the server's goodbye is %d", code)
	}
	return nil
}
