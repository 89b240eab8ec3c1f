package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// handed is a program whose clients cross to its successors.
type handed struct {
	*instance
	ctx     context.Context
	leave   context.CancelFunc
	clients sync.WaitGroup
	count   int
	pauses  []float64 // the longest of each reload, in seconds

	mu   sync.Mutex // guards said
	said int        // messages of clients that have gone
}

// TestHandover takes clients in every state through ten reloads and three new programs, under load: none is
// disconnected, and nothing is lost, doubled or out of order, as the numbers say at both ends. The pause is short: in
// the long form, of 15,000 clients on a quiet machine; else as far as a busy one tells.
func TestHandover(t *testing.T) {
	clients, pause := 1000, time.Second
	if told["LINEMAN_E2E_LONG"] != "" {
		clients, pause = 15_000, 100*time.Millisecond
	}
	for _, loops := range []int{1, 3} {
		t.Run(strconv.Itoa(loops)+" loops", func(t *testing.T) {
			h := newHanded(t, "-loops", strconv.Itoa(loops))
			h.come(clients, manners, nil)
			for n := range 13 {
				if n%4 == 3 {
					h.replace(filepath.Join(binaries, []string{"converse-2", "converse"}[n/4%2]))
				}
				h.reload()
			}
			if version, err := askLine(h.addr("lines"), "version"); version != "2" {
				t.Errorf("version %q serves, %v", version, err)
			}
			h.paused(pause)
			h.end()
		})
	}
}

// TestHandoverTLS is the same for clients under TLS, whose keys stay in the process that has shaken hands with them: it
// is there as long as they are, and not longer.
func TestHandoverTLS(t *testing.T) {
	clients := 300
	if told["LINEMAN_E2E_LONG"] != "" {
		clients = 2000
	}
	cert, key := linemantest.CertificateFiles(t, t.TempDir())
	h := newHanded(t, "-cert", cert, "-key", key)
	h.come(clients, slices.DeleteFunc(slices.Clone(manners), func(m *manner) bool { return m.worker != "talk" }),
		&tls.Config{InsecureSkipVerify: true})
	for n := range 13 {
		if n%4 == 3 {
			h.replace(filepath.Join(binaries, []string{"converse-2", "converse"}[n/4%2]))
		}
		h.reload()
	}
	linemantest.Until(t, "there are others than who serves and who has the keys", func() bool {
		return len(h.status().Processes) == 2
	})
	h.leave()
	h.clients.Wait()
	h.idle(1)
	h.end()
}

// newHanded starts the program converse.
func newHanded(t *testing.T, flags ...string) *handed {
	h := &handed{instance: newInstance(t, "converse", flags...)}
	h.do("start", "-d")
	h.ctx, h.leave = context.WithCancel(context.Background())
	t.Cleanup(func() { h.leave(); h.clients.Wait() })
	return h
}

// come has clients connect, each in its manner, and converse until the end. With a configuration they use TLS.
func (h *handed) come(clients int, of []*manner, secure *tls.Config) {
	addrs := map[string]string{}
	for _, m := range of {
		addrs[m.worker] = h.addr(m.worker)
	}
	dial := func(worker string) (net.Conn, error) {
		if secure != nil {
			return tls.Dial("tcp", addrs[worker], secure)
		}
		return net.DialTimeout("tcp", addrs[worker], patience)
	}
	var all []*manner
	for _, m := range of {
		for range max(1, clients*m.share/100) {
			all = append(all, m)
		}
	}
	h.count = len(all)
	here, gate := make(chan struct{}, len(all)), make(chan struct{}, 32)
	for _, m := range all {
		h.clients.Go(func() {
			gate <- struct{}{}
			c, err := m.connect(dial, addrs[m.worker])
			<-gate
			here <- struct{}{}
			if err != nil {
				h.t.Errorf("%s: %v", m.name, err)
				return
			}
			defer c.conn.Close()
			if err := c.live(h.ctx, time.Second); err != nil {
				h.t.Error(err)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.said += c.said
		})
	}
	for range all {
		<-here
	}
	if h.t.Failed() {
		h.t.FailNow()
	}
}

// reload reloads, and looks at what the command says of it.
func (h *handed) reload() {
	h.t.Helper()
	var r lineman.ReloadReport
	if err := json.Unmarshal([]byte(h.do("reload", "--json")), &r); err != nil {
		h.t.Fatal(err)
	}
	if r.Kept != h.count || r.Drained != 0 {
		h.t.Errorf("%d connections were kept, %d drained (%v), of %d", r.Kept, r.Drained, r.Reasons, h.count)
	}
	h.pauses = append(h.pauses, r.PauseMax)
	if h.t.Failed() {
		h.t.FailNow() // a client may have said why
	}
}

// paused tells how long the pauses were. Each has to be shorter than the limit, for every connection.
func (h *handed) paused(limit time.Duration) {
	h.t.Helper()
	all := slices.Sorted(slices.Values(h.pauses))
	median, longest := all[len(all)/2], all[len(all)-1]
	h.t.Logf("%d clients; the longest pause of a reload: median %.1f ms, at most %.1f ms",
		h.count, 1000*median, 1000*longest)
	if longest >= limit.Seconds() {
		h.t.Errorf("want all below %v", limit)
	}
}

// end has all clients say their last, and compares what they have said with what the program has heard.
func (h *handed) end() {
	h.t.Helper()
	h.leave()
	h.clients.Wait()
	heard, err := askLine(h.addr("lines"), "heard")
	if err != nil || heard != strconv.Itoa(h.said) {
		h.t.Errorf("the program has heard %s messages of %d, %v", heard, h.said, err)
	}
	h.do("stop")
}
