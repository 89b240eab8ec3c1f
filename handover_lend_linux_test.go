package lineman_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// lendOver is handOver of connections that were lent before: lent is called while they are.
func lendOver(t *testing.T, s *linemantest.Server, w, to *lineman.Worker, h *lineman.Handover, lent func()) (
	next *linemantest.Server) {
	t.Helper()
	h.Lent = lent
	return handOverBy(t, h, s, w, to)
}

// come has clients connect, each of which has said "a".
func come(s *linemantest.Server, w *lineman.Worker, clients int) (all []*linemantest.Client) {
	for range clients {
		c := s.Dial(w)
		c.Send("a")
		c.Receive()
		all = append(all, c)
	}
	return all
}

// TestLend has connections be lent, and then cross, with what comes and goes meanwhile. Who comes after that crosses
// too.
func TestLend(t *testing.T) {
	for _, scheme := range []string{"tcp", "text", "frame", "websocket"} {
		t.Run(scheme, func(t *testing.T) {
			linemantest.NoLeaks(t)
			var before, after diary
			w, to := remembering(scheme+"://127.0.0.1:0", &before), remembering(scheme+"://127.0.0.1:0", &after)
			s := linemantest.Start(t, w)
			const clients = 300 // of several batches
			all := come(s, w, clients)
			var h lineman.Handover
			next := lendOver(t, s, w, to, &h, func() {
				for _, c := range all { // it is served as before
					c.Send("b")
					if got := c.Receive(); !strings.HasSuffix(got, " ab") {
						t.Errorf("%q while it is lent", got)
					}
				}
				all = append(all, come(s, w, 1)...)
				all[clients].Send("b")
				all[clients].Receive()
			})
			if h.Handed != nil || h.Received != nil || h.Loans != clients || h.Crossed != clients+1 {
				t.Fatalf("%d lent, %d crossed, %v stayed: %v, %v", h.Loans, h.Crossed, h.Stayed, h.Handed, h.Received)
			}
			for _, c := range append(all, come(next, to, 1)...) {
				c.Send("c")
				if got := c.Receive(); !strings.HasSuffix(got, " abc") && !strings.HasSuffix(got, " ac") {
					t.Errorf("%q after it has crossed", got)
				}
			}
			if n := before.count("OnClose") + after.count("OnClose"); n > 0 {
				t.Errorf("OnClose was called %d times", n)
			}
			all[0].Close()
			linemantest.Until(t, "OnClose does not come", func() bool { return after.count("OnClose") == 1 })
		})
	}
}

// seen is what a client sees of the end of its connection, and then of writing on and on.
type seen struct{ ended, write error }

func endOf(t *testing.T, c *linemantest.Client) (s seen) {
	t.Helper()
	s.ended = errnoOf(c.Ended())
	for deadline := time.Now().Add(patience); s.write == nil && time.Now().Before(deadline); {
		_, err := c.Conn.Write([]byte("x"))
		s.write = errnoOf(err)
	}
	if s.write == syscall.ECONNRESET {
		s.write = syscall.EPIPE // the reset came in the write, or before it
	}
	return s
}

// errnoOf is the error of the system that err is.
func errnoOf(err error) error {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}

// TestLendEnds has connections end in the predecessor while the successor has their descriptors, in each way: a client
// sees what one sees whose connection is not lent. The others cross, and what has ended is given back.
func TestLendEnds(t *testing.T) {
	for name, end := range map[string]func(c *linemantest.Client, of *lineman.Conn){
		"Close":         func(_ *linemantest.Client, of *lineman.Conn) { _ = of.Close() },
		"Abort":         func(_ *linemantest.Client, of *lineman.Conn) { of.Abort() },
		"its end":       func(c *linemantest.Client, _ *lineman.Conn) { c.CloseWrite() },
		"what is wrong": func(c *linemantest.Client, _ *lineman.Conn) { c.Write("\xff\xff\xff\xff") },
		"unread input": func(c *linemantest.Client, of *lineman.Conn) {
			of.Do(func() {
				of.Pause()
				c.Write("\x00\x00\x00\x01x")
				_ = of.Close()
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			linemantest.NoLeaks(t)
			var views [2]seen
			for i, lent := range []bool{false, true} {
				var before, after diary
				w, to := remembering("frame://127.0.0.1:0", &before), remembering("frame://127.0.0.1:0", &after)
				w.Limits.Close = 50 * time.Millisecond
				conns := accepted(w)
				s := linemantest.Start(t, w)
				all := come(s, w, 2)
				first := next(t, conns, "a connection")
				see := func() {
					if lent {
						linemantest.Until(t, "not both are open twice", func() bool { return shared(t) == 2 })
					}
					end(all[0], first)
					views[i] = endOf(t, all[0])
					linemantest.Until(t, "OnClose does not come", func() bool { return before.count("OnClose") == 1 })
				}
				if !lent {
					see()
					continue
				}
				var h lineman.Handover
				lendOver(t, s, w, to, &h, see)
				if h.Handed != nil || h.Received != nil || h.Loans != 2 || h.Crossed != 1 {
					t.Errorf("%d lent, %d crossed: %v, %v", h.Loans, h.Crossed, h.Handed, h.Received)
				}
				all[1].Send("b")
				if got := all[1].Receive(); !strings.HasSuffix(got, " ab") {
					t.Errorf("%q after it has crossed", got)
				}
				linemantest.Until(t, "what has ended is not given back", func() bool { return shared(t) == 0 })
			}
			if views[0] != views[1] {
				t.Errorf("the client sees %+v, and of one that is lent %+v", views[0], views[1])
			}
		})
	}
}

// TestLendOnly lends nothing that could not end by its descriptor alone, or may not cross by it. All cross.
func TestLendOnly(t *testing.T) {
	for name, addr := range map[string]string{"HTTP": "http://127.0.0.1:0", "a Unix socket": "text+unix://"} {
		t.Run(name, func(t *testing.T) {
			linemantest.NoLeaks(t)
			if strings.HasSuffix(addr, "unix://") {
				addr += t.TempDir() + "/s"
			}
			var before, after diary
			w, to := remembering(addr, &before), remembering(addr+"2", &after)
			if name == "HTTP" {
				to.Addr = addr
			}
			conns := accepted(w)
			s := linemantest.Start(t, w)
			c := s.Dial(w)
			next(t, conns, "a connection")
			var h lineman.Handover
			lendOver(t, s, w, to, &h, func() {})
			if h.Handed != nil || h.Received != nil || h.Loans != 0 || h.Crossed != 1 {
				t.Errorf("%d lent, %d crossed, %v stayed: %v, %v", h.Loans, h.Crossed, h.Stayed, h.Handed, h.Received)
			}
			c.Close()
		})
	}
}

// TestLendFails has a handover of lent connections fail, because the successor does not have them, or at a later step.
// The predecessor goes on with all, which end as they do when nobody else has them.
func TestLendFails(t *testing.T) {
	for _, step := range []string{"lent", "records", "record", "committed"} {
		t.Run(step, func(t *testing.T) {
			linemantest.NoLeaks(t)
			var before, after diary
			w, to := remembering("text://127.0.0.1:0", &before), remembering("text://127.0.0.1:0", &after)
			s := linemantest.Start(t, w)
			all := come(s, w, 3)
			h := lineman.Handover{At: func(now string) error {
				if now == step && step != "record" {
					return errors.New("as the test wants it")
				}
				return nil
			}}
			if step == "record" { // it is refused, and stays
				to.Restore = func(*lineman.Conn, []byte) error { return errors.New("it is not wanted") }
			}
			lendOver(t, s, w, to, &h, func() {
				if step == "lent" {
					h.Unlend()
				}
			})
			failed := step != "record"
			if (h.Handed != nil) != failed || (h.Received != nil) != failed || h.Loans != 3 {
				t.Errorf("%d lent: %v and %v", h.Loans, h.Handed, h.Received)
			}
			if step == "lent" && !strings.Contains(h.Handed.Error(), "was not lent") {
				t.Errorf("it is told %v", h.Handed)
			}
			linemantest.Until(t, "the successor watches what stays, too", func() bool { return watchedTwice(t) == 0 })
			for _, c := range all {
				c.Send("b")
				if got := c.Receive(); !strings.HasSuffix(got, " ab") {
					t.Errorf("%q, want ab", got)
				}
			}
		})
	}
}

// watchedTwice is how many sockets the epoll sets of this process watch more than once. One that is closed is watched
// on as long as it is open elsewhere.
func watchedTwice(t *testing.T) (n int) {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	watched, seen, sockets := regexp.MustCompile(`(?m)^tfd:.* ino:(\S+) `), map[string]int{}, map[string]bool{}
	for _, fd := range open { // of what was closed meanwhile there is nothing
		of, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		var inode int
		if _, err := fmt.Sscanf(of, "socket:[%d]", &inode); err == nil {
			sockets[fmt.Sprintf("%x", inode)] = true
		}
		info, _ := os.ReadFile("/proc/self/fdinfo/" + fd.Name())
		for _, in := range watched.FindAllSubmatch(info, -1) {
			seen[string(in[1])]++
		}
	}
	for inode := range sockets {
		if seen[inode] > 1 {
			n++
		}
	}
	return n
}

// shared is how many sockets this process has open twice.
func shared(t *testing.T) (n int) {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, fd := range open {
		if of, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(of, "socket:") {
			if seen[of]++; seen[of] == 2 {
				n++
			}
		}
	}
	return n
}

// TestLendLate lends nothing by a loop that does not come in time, nor by one that has ended. What it lends for nobody
// when it comes is closed, and a later try succeeds.
func TestLendLate(t *testing.T) {
	linemantest.NoLeaks(t)
	needsNative(t)
	var d diary
	w := remembering("text://127.0.0.1:0", &d)
	s := linemantest.Start(t, w)
	all := come(s, w, 3)
	var loops []*lineman.Loop
	s.Do(w, func(l *lineman.Loop) { loops = append(loops, l) })
	release := make(chan struct{})
	loops[0].Do(func() { <-release })
	lent, borrowed := lineman.TryLend(loops, 20*time.Millisecond)
	close(release)
	if lent == nil || borrowed == nil {
		t.Errorf("%v and %v of a loop that is late", lent, borrowed)
	}
	if lent, borrowed := lineman.TryLend(loops, patience); lent != nil || borrowed != nil {
		t.Errorf("%v and %v", lent, borrowed)
	}
	for _, c := range all {
		c.Send("b")
		if got := c.Receive(); !strings.HasSuffix(got, " ab") {
			t.Errorf("%q, want ab", got)
		}
	}
	linemantest.Until(t, "descriptors were left", func() bool { return shared(t) == 0 })
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if lent, _ := lineman.TryLend(loops, 20*time.Millisecond); lent == nil {
		t.Error("a loop that has ended has lent")
	}
}

// TestLendStays has a connection stay that was lent: the successor gives it back when it serves, and then it ends by
// its predecessor alone.
func TestLendStays(t *testing.T) {
	linemantest.NoLeaks(t)
	var before, after diary
	w, to := remembering("text://127.0.0.1:0", &before), remembering("text://127.0.0.1:0", &after)
	save, refused := w.Save, 0
	w.Save = func(c *lineman.Conn) ([]byte, error) {
		if refused++; refused == 1 {
			return nil, errors.New("it is in the middle of something")
		}
		return save(c)
	}
	s := linemantest.Start(t, w)
	all := come(s, w, 2)
	var h lineman.Handover
	lendOver(t, s, w, to, &h, func() {})
	if h.Loans != 2 || h.Crossed != 1 || len(h.Stayed) != 1 {
		t.Errorf("%d lent, %d crossed, %v stayed: %v, %v", h.Loans, h.Crossed, h.Stayed, h.Handed, h.Received)
	}
	linemantest.Until(t, "what stayed is not given back", func() bool { return shared(t) == 0 })
	for _, c := range all {
		c.Send("b")
		if got := c.Receive(); !strings.HasSuffix(got, " ab") {
			t.Errorf("%q, want ab", got)
		}
	}
}
