package e2e

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// ledger has all that was published: for whom, what was answered, and who got it.
type ledger struct {
	mu         sync.Mutex // guards the following, and what is in them
	backends   [][]*publication
	judged     []int // of each back end, how many were judged
	completed  int   // publications, in all
	complaints []string
	more       int
}

// publication is something that a back end has published.
type publication struct {
	to     []string // targets
	node   int      // which the back end was connected to
	way    string
	text   string // a JSON object without its braces
	wait   time.Duration
	sent   time.Time
	answer answer
	got    []*subscriber
}

// answer is what a back end was told.
type answer struct {
	at         time.Time // zero: nothing, as the connection broke
	n          int
	plain      bool // to a plain line, which tells neither how many nor whether it is incomplete
	some       bool // n is not known, but more than 0
	incomplete bool
	failed     string // the code of an error
}

func (a answer) String() string {
	switch {
	case a.at.IsZero():
		return "nothing"
	case a.failed != "":
		return a.failed
	case a.some:
		return "ok"
	case a.incomplete:
		return fmt.Sprintf("%d, incomplete", a.n)
	}
	return fmt.Sprint(a.n)
}

// connected is a new back end's connection: publications are counted for each. Its number is returned.
func (l *ledger) connected() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backends, l.judged = append(l.backends, nil), append(l.judged, 0)
	return len(l.backends) - 1
}

// publish notes what a back end is about to publish, and gives it its text.
func (l *ledger) publish(backend int, p *publication) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backends[backend] = append(l.backends[backend], p)
	p.sent = time.Now()
	p.text = fmt.Sprintf(`"b":%d,"i":%d`, backend, len(l.backends[backend]))
}

// answered notes what a back end was told.
func (l *ledger) answered(p *publication, a answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.answer = a
	p.answer.at = time.Now()
	if p.told() == "" {
		l.completed++
	}
}

// received notes what a page was sent. Called by the page's goroutine.
func (l *ledger) received(p *subscriber, text []byte) {
	var m struct{ B, I int }
	if err := json.Unmarshal(text, &m); err != nil || m.I == 0 {
		l.complain("page %d got %q", p.id, text)
		return
	}
	if last := p.last[m.B]; m.I == last {
		l.complain("page %d got number %d of back end %d twice", p.id, m.I, m.B)
	} else if m.I < last {
		l.complain("page %d got number %d of back end %d after number %d", p.id, m.I, m.B, last)
	}
	p.last[m.B] = m.I
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.B >= len(l.backends) || m.I > len(l.backends[m.B]) {
		l.complaints = append(l.complaints, fmt.Sprintf("page %d got %q, which nobody published", p.id, text))
		return
	}
	of := l.backends[m.B][m.I-1]
	of.got = append(of.got, p)
}

// complain notes what must not be.
func (l *ledger) complain(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.protest(format, args...)
}

// protest is complain for who has the lock.
func (l *ledger) protest(format string, args ...any) {
	if len(l.complaints) < 20 {
		l.complaints = append(l.complaints, fmt.Sprintf(format, args...))
	} else {
		l.more++
	}
}

// reached is how many pages have got a publication.
func (l *ledger) reached(p *publication) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(p.got)
}

// complete is how many publications were answered to have reached all.
func (l *ledger) complete() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.completed
}

// takeComplaints are those since it was last called.
func (l *ledger) takeComplaints() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.complaints
	if l.more > 0 {
		all = append(all, fmt.Sprintf("and %d more", l.more))
	}
	l.complaints, l.more = nil, 0
	return all
}
