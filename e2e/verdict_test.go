package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// why is how a page missed a publication, or how it was answered.
type why string

// In the order in which they are looked for.
const (
	unavailable why = "unavailable" // the answer: nothing was sent
	unanswered  why = "no answer"   // the connection of the back end broke before
	away        why = "away"        // the page came or went about then
	incomplete  why = "incomplete"  // the answer: a node has not answered
	// the answer to a plain line cannot tell that, but came late, or when the link was broken
	vague     why = "vague line"
	broken    why = "link"     // the node of the page knew that its link was broken
	uncounted why = "not in n" // the answer: n are those that got it
	lost      why = "LOST"     // nobody said so
)

var reasons = []why{unavailable, unanswered, away, incomplete, vague, broken, uncounted, lost}

// verdict is what became of the publications of some time.
type verdict struct {
	what                    string
	took                    time.Duration
	publications, delivered int
	answers, missed         map[why]int // an answer that is ok and complete has an empty reason
}

// lateAfter is when an answer came because a node did not: about redis.answer.
const lateAfter = 900 * time.Millisecond

// judge goes through all publications that were not judged, and complains of what must not be.
func (l *ledger) judge(what string, c *crowd, w *watch) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := verdict{what: what, answers: map[why]int{}, missed: map[why]int{}}
	for b, all := range l.backends {
		for i, p := range all[l.judged[b]:] {
			l.judgeOne(&v, p, c, w,
				fmt.Sprintf("number %d of back end %d, by %s on node %d for %s", l.judged[b]+i+1, b, p.way,
					p.node, p.to))
		}
		l.judged[b] = len(all)
	}
	return v
}

func (l *ledger) judgeOne(v *verdict, p *publication, c *crowd, w *watch, name string) {
	meant := c.targeted(p.to)
	got := map[*subscriber]bool{}
	for _, page := range p.got {
		got[page] = true
	}
	about := p.told()
	if about == "" && p.answer.n == 0 && p.answer.plain && w.broken(p.node, p.sent, p.answer.at) {
		about = vague
	}
	v.publications++
	v.delivered += len(p.got)
	v.answers[about]++
	if about == unavailable && len(got) > 0 {
		l.protest("%s: it was answered by %s, and %d pages got it", name, p.answer.failed, len(got))
	}
	if about == unavailable && !strings.Contains(p.answer.failed, "unavailable") &&
		!strings.Contains(p.answer.failed, "cannot be reached") {
		l.protest("%s: it was answered by %s", name, p.answer.failed)
	}
	moved := 0
	for _, page := range meant {
		if got[page] {
			delete(got, page)
			continue
		}
		reason := p.missed(page, about, w)
		v.missed[reason]++
		if reason == away {
			moved++
		}
		if reason == lost {
			l.protest("%s: page %d has not got it, and the answer was %s, after %v", name, page.id, p.answer,
				p.answer.at.Sub(p.sent))
		}
	}
	for page := range got {
		l.protest("%s: page %d got it, which it is not for", name, page.id)
	}
	if about == "" && !p.answer.some {
		if reached := len(p.got); reached > p.answer.n || reached < p.answer.n-moved {
			l.protest("%s: it was answered that %d got it, and %d did, while %d came or went", name, p.answer.n,
				reached, moved)
		}
	}
}

// told is what the answer said of all pages: nothing if it was ok.
func (p *publication) told() why {
	switch a := p.answer; {
	case a.at.IsZero():
		return unanswered
	case a.failed != "":
		return unavailable
	case a.incomplete:
		return incomplete
	case a.plain && a.at.Sub(p.sent) > lateAfter:
		return vague
	}
	return ""
}

// missed is why a page has not got it, of which the answer told something.
func (p *publication) missed(page *subscriber, told why, w *watch) why {
	if told == unavailable || told == unanswered {
		return told
	}
	node, there := page.during(p.sent, p.answer.at)
	switch {
	case !there:
		return away
	case told != "":
		return told
	case w.broken(node, p.sent, p.answer.at):
		return broken
	case !p.answer.some && p.answer.n == len(p.got):
		return uncounted
	}
	return lost
}

// ok is how many were answered to have reached all.
func (v verdict) ok() int { return v.answers[""] }

// table prints verdicts.
func table(t *testing.T, all []verdict) {
	var b strings.Builder
	row := func(cells ...any) {
		for i, cell := range cells {
			if i == 0 {
				fmt.Fprintf(&b, "%-28v", cell)
			} else {
				fmt.Fprintf(&b, " %11v", cell)
			}
		}
		b.WriteString("\n")
	}
	row("", "", "", "answered", "", "", "", "", "", "missed by pages")
	head := []any{"", "seconds", "published", "ok", "incomplete", "unavailable", "vague line", "no answer", "delivered"}
	for _, r := range reasons {
		head = append(head, r)
	}
	row(head...)
	for _, v := range all {
		cells := []any{
			v.what, fmt.Sprintf("%.1f", v.took.Seconds()), v.publications, v.ok(), v.answers[incomplete],
			v.answers[unavailable], v.answers[vague], v.answers[unanswered], v.delivered,
		}
		for _, r := range reasons {
			cells = append(cells, v.missed[r])
		}
		row(cells...)
	}
	t.Logf("\n%s", b.String())
}
