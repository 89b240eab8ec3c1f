package bench_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/bench"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// fake is a server that does wrong: deliver gets each publication, by its number from 1, and the page that it is for.
func fake(t *testing.T, deliver func(n int, c *lineman.Conn, line []byte)) bench.Options {
	t.Helper()
	pages, n, text := map[string]*lineman.Conn{}, 0, ""
	lines := &lineman.Worker{Name: "lines", Addr: "text://127.0.0.1:0"}
	lines.OnMessage = func(c *lineman.Conn, line []byte) {
		var said struct {
			UID  string
			UIDs []string
		}
		if err := json.Unmarshal(line, &said); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if said.UIDs == nil {
			n++
			deliver(n, pages[said.UID], bytes.Clone(line))
			_ = c.Send([]byte("ok")) // the run may be over
			return
		}
		online := map[string]bool{}
		for _, uid := range said.UIDs {
			online[uid] = pages[uid] != nil
		}
		text, _ := json.Marshal(map[string]any{"ok": true, "online": online}) // such a map can be written
		_ = c.Send(text)
	}
	w := &lineman.Worker{Name: "pages", Addr: "websocket://127.0.0.1:0"}
	w.OnStart = func(l *lineman.Loop) error {
		inner, err := l.Listen(lines)
		if err == nil {
			text = inner.Addr().String()
		}
		return err
	}
	w.OnMessage = func(c *lineman.Conn, msg []byte) { pages[string(msg)] = c }
	s := linemantest.Start(t, w)
	return options("ws://"+s.Addr(w).String(), text)
}

// send sends to a page that may have gone.
func send(c *lineman.Conn, line []byte) { _ = c.Send(line) }

// TestLoss finds what a server loses.
func TestLoss(t *testing.T) {
	var lost atomic.Uint64
	o := fake(t, func(n int, c *lineman.Conn, line []byte) {
		if n%7 == 0 {
			lost.Add(1)
			return
		}
		send(c, line)
	})
	o.Patience = 2 * time.Second
	r, err := run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if n := lost.Load(); r.Lost != n || r.Delivered != r.Published-n || r.Doubled != 0 || n == 0 {
		t.Errorf("%d were lost: %+v", n, r)
	}
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d messages were lost", r.Lost)) {
		t.Errorf("the error is %v", err)
	}
}

// TestDoubled finds what comes twice, late, or was never published.
func TestDoubled(t *testing.T) {
	var twice, bad atomic.Uint64
	o := fake(t, func(n int, c *lineman.Conn, line []byte) {
		send(c, line)
		switch {
		case n%5 == 0:
			twice.Add(1)
			send(c, line)
		case n%11 == 0:
			bad.Add(1)
			send(c, bytes.Replace(line, []byte(`"number":`), []byte(`"number":9`), 1))
		}
		send(c, []byte("what somebody else publishes is none of ours"))
	})
	r, err := run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	// The last of them may come when the run is over.
	if most := twice.Load() + bad.Load(); r.Doubled > most || r.Doubled+200 < most || r.Doubled == 0 || r.Lost != 0 ||
		r.Delivered != r.Published || r.Err() == nil {
		t.Errorf("%d came twice, and %d were not published: %+v", twice.Load(), bad.Load(), r)
	}
}

// TestClosed tells of pages that the server closes, and goes on with the others.
func TestClosed(t *testing.T) {
	o := fake(t, func(n int, c *lineman.Conn, line []byte) {
		if n == 3 || n == 4 {
			_ = c.CloseWith(websocket.Code(4102), "too slow") // it is there
			return
		}
		send(c, line)
	})
	o.Patience = 10 * time.Minute // nobody waits for what the two would have got
	r, err := run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Interrupted || r.Closed["4102 too slow"] != 2 || r.Connections != 48 || r.Err() == nil || r.Published < 100 {
		t.Errorf("%+v", r)
	}
	var said bytes.Buffer
	if err := r.Print(&said); err != nil || !strings.Contains(said.String(), "4102 too slow") {
		t.Errorf("%v: %s", err, said.String())
	}
}

// TestAllClosed ends when no page is left.
func TestAllClosed(t *testing.T) {
	o := fake(t, func(_ int, c *lineman.Conn, _ []byte) {
		_ = c.CloseWith(websocket.Code(4101), "") // once is enough
	})
	o.For = time.Minute
	r, err := run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Closed["4101 without a reason"] != 50 || r.Connections != 0 || r.Interrupted {
		t.Errorf("%+v", r)
	}
}
