// Journals measures what it costs to keep small records in files, by stores that others have made and by plain files:
// many are appended at once, all is synced each 50 ms, and what is older than the last 64 MiB goes. So push/journal has
// segments of its own.
//
//	go -C bench/journals run . -time 4s
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"syscall"
	"time"
)

// store is one that keeps records by their numbers, which go up by one.
type store interface {
	append(first uint64, records [][]byte) error // returns when write(2) has
	sync() error
	dropBefore(number uint64) error
	replay() (bytes int, err error)
	close() error
}

// contender is a kind of store.
type contender struct {
	name string
	open func(folder string) (store, error)
}

const (
	size      = 200 // bytes of a record
	kept      = 64 << 20 / size
	droppedAt = 40_000 // records at once
	syncEvery = 50 * time.Millisecond
)

func main() {
	lasts := flag.Duration("time", 4*time.Second, "how long each store is written to")
	flag.Parse()
	fmt.Println("| store | at once | µs of CPU a record | slowest append | replay of what is kept |")
	fmt.Println("|---|---|---|---|---|")
	for _, c := range []contender{
		{"plain files", openFiles}, {"tidwall/wal", openTidwall}, {"bbolt", openBolt}, {"pebble", openPebble},
	} {
		for _, atOnce := range []int{1, 16, 128} {
			if err := measure(c, atOnce, *lasts); err != nil {
				log.Fatalf("%s: %v", c.name, err)
			}
		}
	}
}

// measure writes to a store for a while, and prints what that cost.
func measure(c contender, atOnce int, lasts time.Duration) error {
	folder, err := os.MkdirTemp("", "journals")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	s, err := c.open(folder)
	if err != nil {
		return err
	}
	runtime.GC()
	before := cpu()
	written, slowest, err := write(s, recordsOf(atOnce), lasts)
	if err != nil {
		return err
	}
	used := cpu() - before
	began := time.Now()
	if _, err := s.replay(); err != nil {
		return err
	}
	fmt.Printf("| %s | %d | %.2f | %v | %v |\n", c.name, atOnce, used.Seconds()*1e6/float64(written),
		slowest.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	return s.close()
}

// write appends records until the time is over.
func write(s store, records [][]byte, lasts time.Duration) (written uint64, slowest time.Duration, err error) {
	began, synced, dropped := time.Now(), time.Now(), uint64(0)
	for time.Since(began) < lasts {
		start := time.Now()
		if err = s.append(written+1, records); err != nil {
			return written, slowest, err
		}
		written += uint64(len(records))
		if time.Since(synced) > syncEvery {
			if err = s.sync(); err != nil {
				return written, slowest, err
			}
			synced = time.Now()
		}
		if written > dropped+kept+droppedAt {
			dropped = written - kept
			if err = s.dropBefore(dropped); err != nil {
				return written, slowest, err
			}
		}
		slowest = max(slowest, time.Since(start))
	}
	return written, slowest, nil
}

func recordsOf(n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = make([]byte, size)
		for k := range all[i] {
			all[i][k] = byte(i * k)
		}
	}
	return all
}

// cpu is what the process has used.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		log.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
