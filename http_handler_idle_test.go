package lineman_test

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestHandlerIdle has a connection that waits for its next request hold nothing of the last one.
func TestHandlerIdle(t *testing.T) {
	collected := make(chan struct{})
	w := &lineman.Worker{Addr: "http://127.0.0.1:0"}
	w.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		kept := new([16]byte) // by the request alone, which is part of a circle: that has no finalizer
		runtime.SetFinalizer(kept, func(*[16]byte) { close(collected) })
		*r = *r.WithContext(context.WithValue(r.Context(), collected, kept))
		_, _ = rw.Write(hello)
	})
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, body := c.Response(""); body != string(hello) {
		t.Fatalf("answer %q", body)
	}
	for until := time.Now().Add(patience); ; runtime.GC() {
		select {
		case <-collected:
			return
		default:
		}
		if time.Now().After(until) {
			t.Fatal("the request is still held")
		}
	}
}
