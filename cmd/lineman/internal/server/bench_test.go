package server_test

import (
	"bufio"
	"fmt"
	"io"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// BenchmarkTextPort publishes lines of one back end, pipelined, each to another one of a thousand uids.
func BenchmarkTextPort(b *testing.B) {
	const pages = 1000
	r := start(b, devMode(), server.Options{})
	for i := range pages {
		c := r.visit(fmt.Sprint("token=u", i))
		go func() { _, _ = io.Copy(io.Discard, c.Reader) }()
	}
	back := r.backend()
	r.counts(back, "*", pages)
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		w := bufio.NewWriterSize(back.Conn, 64<<10)
		for i := range b.N {
			fmt.Fprintf(w, "{\"uid\":\"u%d\",\"percent\":\"88%%\"}\n", i%pages)
		}
		_ = w.Flush() // the test fails by the answers that do not come
	}()
	for range b.N {
		if got := back.Receive(); got != "ok" {
			b.Fatalf("the answer is %q", got)
		}
	}
}
