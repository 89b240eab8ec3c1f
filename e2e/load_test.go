package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// load is what many clients ask of a program, until it is stopped.
type load struct {
	cancel  context.CancelFunc
	clients sync.WaitGroup

	mu      sync.Mutex // guards the following
	well    int
	refused []error // no connection came about
	broken  []error // no whole answer came
}

// newLoad repeats an exchange on each of some goroutines.
func newLoad(clients int, exchange func() error) *load {
	ctx, cancel := context.WithCancel(context.Background())
	g := &load{cancel: cancel}
	for range clients {
		g.clients.Add(1)
		go func() {
			defer g.clients.Done()
			for ctx.Err() == nil {
				g.count(exchange())
			}
		}()
	}
	return g
}

// newPacedLoad begins so many exchanges a second, however long each takes.
func newPacedLoad(perSecond int, exchange func() error) *load {
	ctx, cancel := context.WithCancel(context.Background())
	g := &load{cancel: cancel}
	g.clients.Add(1)
	go func() {
		defer g.clients.Done()
		pace := time.NewTicker(10 * time.Millisecond)
		defer pace.Stop()
		for began, n := time.Now(), 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-pace.C:
			}
			for due := int(time.Since(began).Seconds() * float64(perSecond)); n < due; n++ {
				g.clients.Add(1)
				go func() {
					defer g.clients.Done()
					g.count(exchange())
				}()
			}
		}
	}()
	return g
}

func (g *load) count(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var dial *net.OpError
	switch {
	case err == nil:
		g.well++
	case errors.As(err, &dial) && dial.Op == "dial":
		g.refused = append(g.refused, err)
	default:
		g.broken = append(g.broken, err)
	}
}

// done is how many exchanges have ended well by now.
func (g *load) done() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.well
}

// goOn waits until so many exchanges have ended well.
func (g *load) goOn(t *testing.T, well int) {
	t.Helper()
	linemantest.Until(t, "the clients are not served", func() bool { return g.done() >= well })
}

// end stops the clients, each after its exchange.
func (g *load) end(t *testing.T, what string) {
	t.Helper()
	g.cancel()
	g.clients.Wait()
	if g.well == 0 {
		t.Errorf("%s: nothing went well", what)
	}
	if len(g.refused) > 0 {
		t.Errorf("%s: %d connections refused, such as: %v", what, len(g.refused), g.refused[0])
	}
	t.Logf("%s: %d went well, %d were broken off", what, g.well, len(g.broken))
}

// endWhole is end for a load of which nothing may have been broken off.
func (g *load) endWhole(t *testing.T, what string) {
	t.Helper()
	g.end(t, what)
	if len(g.broken) > 0 {
		t.Errorf("%s: %d exchanges broken off, such as: %v", what, len(g.broken), g.broken[0])
	}
}

// request is one HTTP request on a connection of its own.
func request(addr string) error {
	answer, err := exchange(addr, "GET / HTTP/1.1\r\nHost: x\r\n"+
		"Connection: close\r\n\r\n", func(r *bufio.Reader) (string, error) {
		all, err := io.ReadAll(r)
		return string(all), err
	})
	if err == nil && !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		err = fmt.Errorf("the answer is %.100q", answer)
	}
	return err
}

// askLine is one line, and the line that answers it, on a connection of its own.
func askLine(addr, line string) (string, error) {
	return exchange(addr, line+"\n", func(r *bufio.Reader) (string, error) {
		answer, err := r.ReadString('\n')
		return strings.TrimSuffix(answer, "\n"), err
	})
}

// exchange connects to host:port, or to a path, sends a text, reads and closes.
func exchange(addr, text string, read func(*bufio.Reader) (string, error)) (string, error) {
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	c, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	return read(bufio.NewReader(c))
}

// wrk is the load generator of that name.
type wrk struct {
	t      *testing.T
	cmd    *exec.Cmd
	report bytes.Buffer
}

func startWrk(t *testing.T, addr string) *wrk {
	t.Helper()
	need(t, "wrk")
	w := &wrk{t: t,
		cmd: exec.Command("wrk", "-t", "1", "-c", "32", "-d", "120s", "--timeout", "20s", "http://"+addr+"/")}
	w.cmd.Stdout, w.cmd.Stderr = &w.report, &w.report
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.cmd.Process.Kill() }) // it has ended, unless the test failed
	return w
}

var requests = regexp.MustCompile(`(\d+) requests in `)

// end has it report, and wants no error in that.
func (w *wrk) end() {
	w.t.Helper()
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		w.t.Fatal(err)
	}
	if err := w.cmd.Wait(); err != nil {
		w.t.Fatal(err)
	}
	report := w.report.String()
	count := requests.FindStringSubmatch(report)
	if count == nil || count[1] == "0" || strings.Contains(report, "Socket errors") ||
		strings.Contains(report, "Non-2xx") {
		w.t.Errorf("wrk says:\n%s", report)
		return
	}
	w.t.Logf("wrk: %s requests, none of them lost", count[1])
}
