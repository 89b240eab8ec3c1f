package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// hearer is a listener over one connection, to which nothing may happen.
type hearer struct {
	*crossings
	conn    net.Conn
	pages   int
	connect atomic.Int32 // events of pages that have come
	last    atomic.Int64 // number of the last event
	listens atomic.Bool

	mu    sync.Mutex     // guards heard
	heard map[string]int // the last number that each uid has said
}

// eventLine is an event, or the answer to a command.
type eventLine struct {
	Type, UID, Call, Text string
	N                     int
	Again                 bool
	Data                  stamp
	OK                    *bool
}

// listen acknowledges what it hears a little later, and answers calls.
func (e *hearer) listen() {
	lines := bufio.NewReader(e.conn)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			e.complain("the listener: %v", err)
			return
		}
		var h eventLine
		if err := json.Unmarshal(line, &h); err != nil {
			e.complain("the listener got %.100q: %v", line, err)
			return
		}
		if h.Type == "" {
			e.listens.Store(true)
			if n--; h.OK == nil || !*h.OK {
				e.complain("the listener is answered %s", line)
			}
			continue
		}
		if h.N != n || h.Again {
			e.complain("the listener got %.200s as its %dth event", line, n)
		}
		e.hear(&h, line)
		if e.last.Store(int64(n)); n%3 == 0 {
			e.acknowledge(5)
		}
	}
}

// acknowledge acknowledges all that it has heard but for the last ones.
func (e *hearer) acknowledge(but int64) {
	fmt.Fprintf(e.conn, "{\"cmd\":\"ack\",\"n\":%d}\n", max(e.last.Load()-but, 0))
}

func (e *hearer) hear(h *eventLine, line []byte) {
	switch h.Type {
	case "sync", "join", "occupied":
	case "connect":
		e.mu.Lock()
		e.heard[h.UID] = 0
		e.mu.Unlock()
		if int(e.connect.Add(1)) > e.pages {
			e.complain("one more page has come: %s", line)
		}
	case "rpc":
		fmt.Fprintf(e.conn, "{\"cmd\":\"reply\",\"call\":%q,\"data\":{\"n\":%d}}\n", h.Call, h.Data.N)
	case "message":
		n := h.Data.N
		if h.Text != "" {
			n, _ = strconv.Atoi(h.Text)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if before := e.heard[h.UID]; n != before+1 {
			e.complain("the listener heard %s behind %d", line, before)
		}
		e.heard[h.UID] = n
	default:
		e.complain("the listener was told %s", line)
	}
}

// knows reports whether a page has come.
func (e *hearer) knows(uid string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, known := e.heard[uid]
	return known
}

// hasAll reports whether all that was said was heard.
func (e *hearer) hasAll(said []*publisher) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range said {
		if !p.asks && e.heard[p.name] != p.last {
			return false
		}
	}
	return true
}

// wantReply reads what a page is answered by back ends.
func wantReply(c readWriter) func(*bufio.Reader) error {
	return func(*bufio.Reader) error {
		for {
			text, err := wsutil.ReadServerText(c)
			switch {
			case err != nil:
				return err
			case strings.Contains(string(text), `"op":"err"`):
				return fmt.Errorf("it is told %s", text)
			case strings.Contains(string(text), `"op":"rpc"`), strings.Contains(string(text), `"op":"say"`):
				return nil
			}
		}
	}
}

// TestEventsHandover reloads the push server three times in a row, while pages say and ask something, and a listener
// acknowledges and answers. Its connection goes on with its numbers, each event comes once and in order, each page is
// answered, and nobody is told to have come or gone.
func TestEventsHandover(t *testing.T) {
	for name, flags := range map[string][]string{"on one loop": nil, "on three loops": {"--loops", "3"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testEventsHandover(t, newMortalOf(t, `
events: {messages: back end}
limits: {messages_per_connection: 0}
`, flags...))
		})
	}
}

func testEventsHandover(t *testing.T, m *mortal) {
	const pages = 10
	k := &crossings{t: t, server: m}
	c := k.dial(m.backend)
	e := &hearer{crossings: k, conn: c, pages: pages, heard: map[string]int{}}
	fmt.Fprintln(c, `{"cmd":"listen","events":["connect","message","close","join","leave","rpc"]}`)
	go e.listen()
	linemantest.Until(t, "it does not listen", e.listens.Load)

	stop := make(chan struct{})
	var all []*publisher
	for i := range pages {
		uid := fmt.Sprint("uid", i)
		p := &publisher{name: uid, ahead: 4}
		switch i % 3 {
		case 0: // level 0
			page := k.plain(uid)
			p.conn, p.answered = talking{page}, func(*bufio.Reader) error { return nil }
			p.request = func(n int) string { return strconv.Itoa(n) }
		case 1:
			page := k.live(uid)
			p.conn, p.answered = talking{page}, wantReply(page)
			p.request = func(n int) string { return fmt.Sprintf(`{"op":"say","id":%d,"data":{"n":%[1]d}}`, n) }
		default:
			page := k.live(uid)
			p.conn, p.answered, p.asks = talking{page}, wantReply(page), true
			p.request = func(n int) string {
				return fmt.Sprintf(`{"op":"rpc","id":%d,"method":"echo","data":{"n":%[1]d}}`, n)
			}
		}
		all = append(all, p)
	}
	linemantest.Until(t, "not all pages have come", func() bool { return e.connect.Load() == pages })
	for _, p := range all {
		k.publish(p, stop)
	}
	for range 3 {
		k.progress(200)
		k.reload()
	}
	k.progress(200)
	close(stop)
	linemantest.Until(t, "the pages do not end", func() bool {
		e.acknowledge(0)
		return k.publishing.Load() == 0
	})
	linemantest.Until(t, "not all was heard", func() bool { return e.hasAll(all) || k.hasComplaints() })
	k.over.Store(true)
	for _, complaint := range k.complaints {
		t.Error(complaint)
	}
	t.Logf("%d pages were answered %d times", pages, k.answered.Load())
}
