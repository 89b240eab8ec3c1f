package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// BenchmarkRecover has pages of level 1 come back that have missed 100 messages of 200 bytes each.
func BenchmarkRecover(b *testing.B) {
	for _, batch := range []bool{false, true} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			c := devMode()
			c.Limits.MessagesPerConnection = 0
			c.Namespaces["chat"] = config.Namespace{
				Subscribe: "all", History: config.Retention{Size: 1000, TTL: time.Hour},
			}
			r := start(b, c, server.Options{})
			backend := r.backend()
			data := `{"say":"` + strings.Repeat("x", 190) + `"}`
			since := ""
			for i := range 101 {
				a := ask(backend, `{"cmd":"pub","to":"chat:7","data":`+data+`}`)
				if i == 0 {
					_, rest, _ := strings.Cut(a, `"chat:7":"`)
					since, _, _ = strings.Cut(rest, `"`)
				}
			}
			page := r.Connect(r.pages)
			page.Upgrade("/", map[string][]string{"Sec-Websocket-Protocol": {"lineman.v1"}})
			page.Send(fmt.Sprintf(`{"op":"hello","token":"ann","batch":%t}`, batch))
			page.Receive()
			page.Receive()
			frames := 101
			if batch {
				frames = 1
			}
			for b.Loop() {
				page.Send(`{"op":"sub","ch":"chat:7","since":"` + since + `"}`)
				for range frames {
					page.Receive()
				}
			}
		})
	}
}
