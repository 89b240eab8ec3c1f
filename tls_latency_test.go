package lineman_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestBesideBusyLoop has one processor, and another process that keeps the loop busy with echo: a Handler's answer and
// a handshake of TLS, which are goroutines' work, still come to a third process with a 99th percentile below twenty
// milliseconds.
func TestBesideBusyLoop(t *testing.T) {
	if linemantest.Raced() {
		t.Skip("the figure is without the race detector")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	echoing := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	handling := &lineman.Worker{Addr: "http://127.0.0.1:0"}
	handling.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(hello) })
	shaking := secured(t, "text")
	addrs := make(chan string, 2)
	echoing.OnStart = func(l *lineman.Loop) error {
		for _, w := range []*lineman.Worker{handling, shaking} {
			listener, err := l.Listen(w)
			if err != nil {
				return err
			}
			addrs <- listener.Addr().String()
		}
		return nil
	}
	s := linemantest.Start(t, echoing)
	loading := exec.Command(os.Args[0])
	loading.Env = append(os.Environ(), "LINEMAN_TEST_LOAD="+s.Addr(echoing).String())
	loading.Stderr = os.Stderr
	if err := loading.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = loading.Process.Kill()
		_ = loading.Wait()
	}()
	waitForAccepted(t, s, echoing, loadConns)
	before := messagesIn(s, echoing)
	probing := exec.Command(os.Args[0])
	probing.Env = append(os.Environ(),
		"LINEMAN_TEST_PROBE="+next(t, addrs, "the address")+","+next(t, addrs, "the address"))
	out, err := probing.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if busy := messagesIn(s, echoing) - before; busy < 10*probes {
		t.Errorf("the loop was not busy: %d messages", busy)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		what, figure, _ := strings.Cut(line, ": ")
		if took, err := time.ParseDuration(figure); err != nil || took > 20*time.Millisecond {
			t.Errorf("the 99th percentile of %s, want below 20 ms", line)
		} else {
			t.Logf("%s: 99th percentile %v", what, took)
		}
	}
}

const probes = 200

// probe tells the 99th percentile of the time that a Handler's answer and a handshake take.
func probe(addrs []string) {
	client := &http.Client{Timeout: patience}
	for _, what := range []struct {
		name string
		do   func() error
	}{
		{"a Handler's answer", func() error {
			r, err := client.Get("http://" + addrs[0])
			if err != nil {
				return err
			}
			defer r.Body.Close()
			_, err = io.Copy(io.Discard, r.Body)
			return err
		}},
		{"a handshake", func() error {
			c, err := tls.Dial("tcp", addrs[1], &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				return err
			}
			return c.Close()
		}},
	} {
		p99 := leastOf(20, 20*time.Millisecond, func() time.Duration {
			took := make([]time.Duration, probes)
			for i := range took {
				begin := time.Now()
				if err := what.do(); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				took[i] = time.Since(begin)
				time.Sleep(time.Millisecond) // a rate, not a wait: the loop is to be busy with other work
			}
			slices.Sort(took)
			return took[probes*99/100]
		})
		fmt.Printf("%s: %v\n", what.name, p99)
	}
}
