package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// judge is an application behind hooks that decides everything, and takes some time for it; and hears what pages say.
type judge struct {
	addr string
	shut string // what it does not answer, in the words of its questions

	mu         sync.Mutex        // guards the following
	asked      map[string]string // publish and rpc, by their ids
	again      int               // questions that came again
	total      int
	answered   int
	heard      map[string]int  // the last number that each uid has said
	plain      map[string]bool // what of it has come without a mark
	complaints []string
}

// slowest is how long it takes at most.
const slowest = 150 * time.Millisecond

// startJudge starts one, until the end of the test. It does not answer what is shut.
func startJudge(t *testing.T, shut string) *judge {
	t.Helper()
	a := &judge{shut: shut, heard: map[string]int{}, plain: map[string]bool{}, asked: map[string]string{}}
	s := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(s.Close)
	a.addr = s.Listener.Addr().String()
	return a
}

// settings has it decide so much.
func (a *judge) settings(decides string) string {
	return fmt.Sprintf(`
hooks:
  app: {url: 'http://%s/judge', private: true, decides: [%s], timeout: 30s}
  ear: {url: 'http://%[1]s/ear', private: true, events: [message]}
namespaces:
  room: {subscribe: token, publish: token, publish_rate: 0, history: {size: 10000, ttl: 1h}}
events: {rpc: 1m}
limits: {messages_per_connection: 0, logins_per_uid: 0, handshakes_per_ip: 0}
`, a.addr, decides)
}

// judgeQuestion is what it is asked.
type judgeQuestion struct {
	Ask, ID, Token string
	Again          bool
	Data           json.RawMessage
}

func (a *judge) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the server has gone
	}
	if r.URL.Path == "/ear" {
		a.hear(body)
		return
	}
	var q judgeQuestion
	err = json.Unmarshal(body, &q)
	after := time.After(rand.N(slowest))
	if !a.begin(&q, err) {
		after = nil
	}
	select {
	case <-r.Context().Done(): // it will be asked again
	case <-after:
		_, _ = io.WriteString(w, q.answer())
		a.mu.Lock()
		defer a.mu.Unlock()
		a.answered++
	}
}

// begin checks a question, and reports whether it is answered.
func (a *judge) begin(q *judgeQuestion, err error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.complainLocked("%v", err)
	}
	a.total++
	if q.Again {
		a.again++
	}
	if q.Ask == "publish" || q.Ask == "rpc" {
		text := fmt.Sprintf("%s %s", q.Ask, q.Data)
		before, known := a.asked[q.ID]
		if q.ID == "" || known && (!q.Again || before != text) {
			a.complainLocked("it is asked %+v, and was asked %s", q, before)
		}
		a.asked[q.ID] = text
	}
	return !strings.Contains(a.shut, q.Ask)
}

// answer is what it decides: yes. A credential is a uid, with a number behind it if it is not the first one.
func (q *judgeQuestion) answer() string {
	switch q.Ask {
	case "connect":
		uid, _, _ := strings.Cut(q.Token, ".")
		return fmt.Sprintf(`{"uid":%q,"publish":["room:*"]}`, uid)
	case "rpc":
		return fmt.Sprintf(`{"data":%s}`, q.Data)
	}
	return `{"allow":true}`
}

// hear takes events. They come at least once, in order, and once at most without a mark: a request that was cut may be
// handled later than the one that was made in its place.
func (a *judge) hear(body []byte) {
	var m struct {
		Events []struct {
			UID   string
			Data  stamp
			Again bool
		}
	}
	err := json.Unmarshal(body, &m)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.complainLocked("%v", err)
	}
	for _, e := range m.Events {
		before, said := a.heard[e.UID], fmt.Sprint(e.UID, " ", e.Data.N)
		if e.Data.N > before+1 || !e.Again && a.plain[said] {
			a.complainLocked("it hears %+v behind %d", e, before)
		}
		a.heard[e.UID], a.plain[said] = max(before, e.Data.N), a.plain[said] || !e.Again
	}
}

func (a *judge) complainLocked(format string, args ...any) {
	if len(a.complaints) < 20 {
		a.complaints = append(a.complaints, fmt.Sprintf(format, args...))
	}
}

// asks is how many questions have come.
func (a *judge) asks() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total
}

// progress waits until so many more questions were answered.
func (a *judge) progress(k *crossings, n int) {
	k.t.Helper()
	answers := func() int {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.answered
	}
	before := answers()
	linemantest.Until(k.t, "hooks do not answer", func() bool { return answers() >= before+n || k.hasComplaints() })
}

// hasHeard reports whether all that pages have said was heard.
func (a *judge) hasHeard(said []*publisher) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range said {
		if strings.HasPrefix(p.name, "sayer") && a.heard[p.name] != p.last {
			return false
		}
	}
	return true
}

// end tells what was wrong. Some questions have to have come again.
func (a *judge) end(t *testing.T) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, complaint := range a.complaints {
		t.Error(complaint)
	}
	if a.again == 0 {
		t.Error("nothing was asked again")
	}
	t.Logf("%d questions, %d of which came again", a.total, a.again)
}
