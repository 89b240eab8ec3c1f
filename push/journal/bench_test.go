package journal_test

import (
	"fmt"
	"iter"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/journal"
	"github.com/lineman-go/lineman/push/pushtest"
)

// page is a connection that accepts everything.
type page uint64

func (p page) ID() uint64 { return uint64(p) }

// BenchmarkPublish is what a publication costs with history: in memory alone, and with a journal. A back end has so
// many under way at a time. The CPU time is that of the whole process.
func BenchmarkPublish(b *testing.B) {
	for _, way := range []struct {
		name string
		sync time.Duration
	}{{"memory", 0}, {"50ms", 50 * time.Millisecond}, {"never", journal.Never}, {"always", journal.Always}} {
		for _, burst := range []int{1, 16, 256} {
			b.Run(fmt.Sprintf("%s/%d", way.name, burst), func(b *testing.B) { benchmarkPublish(b, way.sync, burst) })
		}
	}
}

func benchmarkPublish(b *testing.B, sync time.Duration, burst int) {
	l := pushtest.NewLoop(b)
	o := push.Options[page]{
		Do: l.Do, UIDHistory: push.Retention{Size: 100, TTL: time.Hour}, HistoryBytes: 64 << 20,
		Fanout: func(to iter.Seq[page], _ []byte) (n int) {
			for range to {
				n++
			}
			return n
		},
	}
	if sync != 0 {
		j, err := journal.Open(journal.Options{Folder: b.TempDir(), Sync: sync})
		if err != nil {
			b.Fatal(err)
		}
		defer j.Wait(time.Minute)
		o.Journal = j
	}
	const pages = 1000
	var hub *push.Hub[page]
	l.Await(func() {
		var err error
		if hub, err = push.New(o); err != nil {
			b.Error(err)
			return
		}
		for i := range pages {
			if _, err := hub.Add(page(i), fmt.Sprint("user-", i)); err != nil {
				b.Error(err)
			}
		}
	})
	data := make([]byte, 200)
	var to [pages][]push.Target
	for i := range to {
		to[i] = []push.Target{push.UID(fmt.Sprint("user-", i))}
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu()
	for n := 0; n < b.N; n += burst {
		left, all := burst, make(chan struct{})
		l.Do(func() {
			for i := range burst {
				err := hub.Publish(push.Message[page]{To: to[(n+i)%pages], Data: data}, func(out push.Outcome) {
					if out.Err != nil || out.Reached != 1 {
						b.Error(out)
					}
					if left--; left == 0 {
						close(all)
					}
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
		<-all
	}
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.StopTimer()
	l.Await(hub.Close)
}

// cpu is the time that this process has had of processors.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
