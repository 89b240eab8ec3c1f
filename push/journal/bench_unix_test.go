//go:build unix

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
		Fanout: func(to iter.Seq[page], _ []byte, _ *push.Forms) (n int) {
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

// BenchmarkRecover is how long a server waits at its start for a journal of 64 MiB, of which it keeps everything.
func BenchmarkRecover(b *testing.B) {
	folder := b.TempDir()
	j, err := journal.Open(journal.Options{Folder: folder, Sync: journal.Never})
	if err != nil {
		b.Fatal(err)
	}
	const atOnce, size = 1000, 200
	records, data := make([]push.Record, atOnce), make([]byte, size)
	for n := 0; j.Stats().Bytes < 64<<20; n++ {
		for i := range records {
			number := uint64(n*atOnce + i)
			records[i] = push.Record{
				Kind: push.RecordMessage, Number: number + 1, At: time.Now(), Data: data,
				Of: []push.Place{{Target: push.UID(fmt.Sprint("user-", number%1000)), Offset: number/1000 + 1}},
			}
		}
		written := make(chan error)
		j.Append(push.Batch{Records: records}, func(err error) { written <- err })
		if err := <-written; err != nil {
			b.Fatal(err)
		}
	}
	j.Close()
	j.Wait(time.Minute)
	for b.Loop() {
		l := pushtest.NewLoop(b)
		j, err := journal.Open(journal.Options{Folder: folder})
		if err != nil {
			b.Fatal(err)
		}
		var hub *push.Hub[page]
		read := make(chan push.History)
		l.Do(func() {
			hub, err = push.New(push.Options[page]{
				Do: l.Do, UIDHistory: push.Retention{Size: 1000}, HistoryBytes: 1 << 30, Journal: j,
				Fanout: func(iter.Seq[page], []byte, *push.Forms) int { return 0 },
			})
			if err == nil {
				err = hub.History("u:user-7", push.Range{Limit: 1000}, func(h push.History, _ error) { read <- h })
			}
			if err != nil {
				b.Error(err)
			}
		})
		if h := <-read; len(h.Messages) < 200 {
			b.Errorf("%d messages", len(h.Messages))
		}
		l.Await(hub.Close)
		j.Wait(time.Minute)
	}
}

// cpu is the time that this process has had of processors.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
