//go:build unix

package server_test

import (
	"bufio"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	disk "github.com/lineman-go/lineman/push/journal"
)

// BenchmarkTextPort publishes lines of one back end, pipelined, each to another one of a thousand uids.
func BenchmarkTextPort(b *testing.B) { benchmarkTextPort(b, devMode(), server.Options{}) }

// BenchmarkTextPortHistory is BenchmarkTextPort with history: in memory alone, and with a journal.
func BenchmarkTextPortHistory(b *testing.B) {
	c := devMode()
	c.History.UIDs.Size, c.History.UIDs.TTL = 100, time.Hour
	b.Run("memory", func(b *testing.B) { benchmarkTextPort(b, c, server.Options{}) })
	for name, sync := range map[string]time.Duration{"50ms": 0, "always": disk.Always} {
		b.Run("journal "+name, func(b *testing.B) {
			benchmarkTextPort(b, c, server.Options{Journal: func() (server.Journal, error) {
				return disk.Open(disk.Options{Folder: b.TempDir(), Sync: sync})
			}})
		})
	}
}

func benchmarkTextPort(b *testing.B, c config.Config, o server.Options) {
	const pages = 1000
	r := start(b, c, o)
	for i := range pages {
		c := r.visit(fmt.Sprint("token=u", i))
		go func() { _, _ = io.Copy(io.Discard, c.Reader) }()
	}
	back := r.backend()
	r.counts(back, "*", pages)
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
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
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// processorTime is the time that this process has had of processors: the server's, and that of its pages and back ends.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
