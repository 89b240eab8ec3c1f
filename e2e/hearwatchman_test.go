package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"
)

// watchman is a back end that keeps the list of who is online.
type watchman struct {
	dial       func() (net.Conn, error) // to a port for lines
	group      string
	attendance *attendance

	mu         sync.Mutex // guards the following
	list       *onlineList
	events     map[string]int
	conns      map[net.Conn]bool
	complaints []string
}

func newWatchman(dial func() (net.Conn, error), group string, a *attendance) *watchman {
	return &watchman{
		dial: dial, group: group, attendance: a, list: newOnlineList(), events: map[string]int{},
		conns: map[net.Conn]bool{},
	}
}

// live listens until the context ends. A server that leaves is listened to until it ends, beside its successor.
func (w *watchman) live(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	stop := context.AfterFunc(ctx, w.hangUp)
	defer stop()
	for ctx.Err() == nil {
		leaving := make(chan struct{})
		all.Go(func() { w.listen(ctx, leaving) })
		<-leaving
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// hangUp ends all connections that there are.
func (w *watchman) hangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		c.Close()
	}
}

// listen has one connection. It closes leaving when the server leaves, or the connection ends.
func (w *watchman) listen(ctx context.Context, leaving chan struct{}) {
	left := sync.OnceFunc(func() { close(leaving) })
	defer left()
	conn, err := w.dial()
	if err != nil {
		return
	}
	defer conn.Close()
	w.keep(conn, true)
	defer w.keep(conn, false)
	if ctx.Err() != nil {
		return
	}
	fmt.Fprintf(conn, `{"cmd":"listen","group":%q,"events":["join","leave"]}`+"\n", w.group)
	lines := bufio.NewReader(conn)
	answer, err := lines.ReadString('\n')
	if err != nil || answer != `{"ok":true}`+"\n" {
		return // it has gone, or is about to
	}
	var uids []string // of the sync at hand
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var e presenceEvent
		if err := json.Unmarshal(line, &e); err != nil || e.N == 0 {
			w.complain("it is told %s", line)
			return
		}
		if e.First {
			uids = nil
		}
		uids = append(uids, e.UIDs...)
		w.take(e, uids)
		fmt.Fprintf(conn, `{"cmd":"ack","n":%d}`+"\n", e.N)
		if e.Type == "leaving" {
			left()
		}
	}
}

func (w *watchman) keep(c net.Conn, open bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if open {
		w.conns[c] = true
	} else {
		delete(w.conns, c)
	}
}

func (w *watchman) complain(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complaints = append(w.complaints, fmt.Sprintf(format, args...))
}

// take takes an event; uids are those of the whole sync, if it is the last part of one.
func (w *watchman) take(e presenceEvent, uids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events[e.Type]++
	var moves []move
	switch {
	case e.Type == "join" || e.Type == "leave":
		moves = w.list.take(e)
	case e.Type == "sync" && e.Last:
		moves = w.list.begin(uids, e.Seq)
	}
	for _, m := range moves {
		w.attendance.show(m, e.Type, time.Now())
	}
}

// online is whom the list shows.
func (w *watchman) online() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.list.online()
}
