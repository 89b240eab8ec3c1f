package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestBackPressure has a client send much and read nothing. The server keeps what its limit says and one message, and
// the client gets everything, in order, once it reads.
func TestBackPressure(t *testing.T) {
	for _, addr := range []string{"text://127.0.0.1:0", "websocket://127.0.0.1:0"} {
		w := worker(addr, false)
		run := linemantest.Start(t, w)
		c := run.Dial(w)
		const count, size = 400, 64 << 10
		random := make([]byte, size/2)
		if _, err := rand.Read(random); err != nil {
			t.Fatal(err)
		}
		text := hex.EncodeToString(random)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range count {
				c.Send(fmt.Sprint(i, " ", text))
			}
		}()
		most := waitFull(t, run, w)
		if limit := 1<<20 + size + 100; most > limit {
			t.Errorf("%s: %d bytes wait, want at most %d", addr, most, limit)
		}
		for i := range count {
			if got := c.Receive(); got != fmt.Sprint(i, " ", text) {
				t.Fatalf("%s: message %d is %.20q of %d bytes", addr, i, got, len(got))
			}
		}
		<-sent
	}
}

// waitFull waits until the one connection holds a message back, and returns how much waits for it.
func waitFull(t *testing.T, run *linemantest.Server, w *lineman.Worker) (pending int) {
	t.Helper()
	linemantest.Until(t, "the server reads on from a client that does not read", func() (held bool) {
		run.Do(w, func(l *lineman.Loop) {
			for c := range l.Conns(w) {
				_, held = c.Value().(message)
				pending = c.Pending()
			}
		})
		return held
	})
	return pending
}
