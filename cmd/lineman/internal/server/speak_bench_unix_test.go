//go:build unix

package server_test

import (
	"bufio"
	"io"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// BenchmarkPublishing publishes to one page, pipelined and answered: by a back end, and by another page.
func BenchmarkPublishing(b *testing.B) {
	c := devMode()
	c.Limits.MessagesPerConnection = 0
	c.Namespaces["chat"] = config.Namespace{Subscribe: "all", Publish: "all"}
	for _, by := range []string{"back end", "page"} {
		b.Run(by, func(b *testing.B) {
			r := start(b, c, server.Options{})
			page := r.visit("token=ann&sub=chat:7")
			go func() { _, _ = io.Copy(io.Discard, page.Reader) }()
			back := r.backend()
			r.counts(back, "chat:7", 1)
			request, head := `{"cmd":"pub","id":1,"to":"chat:7","data":{"text":"hello"}}`, ""
			end := "\n"
			if by == "page" {
				back = r.Connect(r.pages)
				back.Upgrade("/", map[string][]string{"Sec-Websocket-Protocol": {"lineman.v1"}})
				back.Send(`{"op":"hello","token":"bob"}`)
				back.Receive()
				back.Receive()
				request = `{"op":"pub","id":1,"ch":"chat:7","data":{"text":"hello"}}`
				head = string([]byte{0x81, 0x80 | byte(len(request)), 0, 0, 0, 0}) // masked by zeros
				end = ""
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := processorTime(b)
			go func() {
				w := bufio.NewWriterSize(back.Conn, 64<<10)
				for range b.N {
					_, _ = w.WriteString(head + request + end)
				}
				_ = w.Flush() // the test fails by the answers that do not come
			}()
			for range b.N {
				back.Receive()
			}
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}
