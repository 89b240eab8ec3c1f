package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// hook is an application that is told events over HTTP. It sometimes fails, is slow, or ends without an answer, before
// it has handled them or after that.
type hook struct {
	addr   string
	secret string

	mu         sync.Mutex // guards the following
	well       bool       // it does not fail any more
	random     *rand.Rand
	server     *http.Server
	all        []handling
	outcomes   map[string]int
	under, top int // requests that are under way, and how many were at most
	largest    int // events of a request
	complaints []string
}

// startHook starts one, until the end of the test.
func startHook(t *testing.T, secret string) *hook {
	t.Helper()
	h := &hook{
		addr: free(t), secret: secret, random: rand.New(rand.NewPCG(1, 4)), outcomes: map[string]int{},
	}
	h.start(t)
	t.Cleanup(h.die)
	return h
}

func (h *hook) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	h.mu.Lock()
	h.server = s
	h.mu.Unlock()
	go func() { _ = s.Serve(l) }() // until it dies
}

// die ends it with all its connections.
func (h *hook) die() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.server.Close()
}

// recover has it fail no more.
func (h *hook) recover() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.well = true
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the server has gone
	}
	h.begin(r, body)
	defer h.end()
	fails, when := h.fate()
	if fails == "slow" {
		select {
		case <-r.Context().Done():
			return // it will come again
		case <-time.After(300 * time.Millisecond):
		}
	}
	if fails == "" || fails == "slow" || when == "late" {
		h.handle(body)
	}
	switch fails {
	case "500":
		http.Error(w, "not now", http.StatusInternalServerError)
	case "dead":
		panic(http.ErrAbortHandler)
	}
}

// begin checks what every request has to be.
func (h *hook) begin(r *http.Request, body []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.under++
	h.top = max(h.top, h.under)
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" ||
		!signedBy(h.secret, r.Header, body) {
		h.complainLocked("%s %v: %.200s", r.Method, r.Header, body)
	}
}

func (h *hook) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.under--
}

// signedBy reports whether one of the signatures of a request is right, as docs/hooks.md says.
func signedBy(secret string, header http.Header, body []byte) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s", header.Get("Lineman-Timestamp"), body)
	want := "v1=" + hex.EncodeToString(mac.Sum(nil))
	return slices.Contains(strings.Split(header.Get("Lineman-Signature"), ","), want)
}

// fate is how a request fails, if it does, and whether it is handled before that.
func (h *hook) fate() (fails, when string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.well && h.random.IntN(8) == 0 {
		fails = []string{"500", "slow", "dead"}[h.random.IntN(3)]
	}
	if fails != "slow" && fails != "" {
		when = []string{"early", "late"}[h.random.IntN(2)]
	}
	h.outcomes[strings.TrimSpace(fails+" "+when)]++
	return fails, when
}

// handle notes the events of a request.
func (h *hook) handle(body []byte) {
	var m struct{ Events []handling }
	err := json.Unmarshal(body, &m)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil || len(m.Events) == 0 {
		h.complainLocked("a body is %.200s, %v", body, err)
		return
	}
	h.largest = max(h.largest, len(m.Events))
	for _, e := range m.Events {
		e.by = "hook"
		h.all = append(h.all, e)
	}
}

func (h *hook) complainLocked(format string, args ...any) {
	if len(h.complaints) < 20 {
		h.complaints = append(h.complaints, fmt.Sprintf(format, args...))
	}
}

// handled is what it has handled, in order.
func (h *hook) handled() []handling {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.all)
}
