package e2e

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// conversation is how much pages say to back ends.
type conversation struct {
	pages, perSecond int           // pages, and messages of all of them
	lasts            time.Duration // with what may break
}

// The short one is for every run; LINEMAN_E2E_LONG asks for the long one.
func conversationOfThisRun() conversation {
	if told["LINEMAN_E2E_LONG"] != "" {
		return conversation{1000, 2300, time.Minute} // some are away at any time
	}
	return conversation{100, 200, 12 * time.Second}
}

// conversationSettings have a hook be told what pages say. Nobody logs in too often here, who is sent away again and
// again.
const conversationSettings = `
limits: {logins_per_uid: 100}
hooks:
  app:
    url: http://%s/hook
    events: [message]
    secrets: [%q]
    private: true
    timeout: 2s
    batch: 100
    parallel: 4
`

// TestNothingUnheard has many pages say something to three listeners in PHP, which share it, and to a hook. The
// listeners are killed and started at random, the hook fails, is slow and dies, the networks of pages break, and the
// server is reloaded, killed and reloaded. Every message that a page was told is taken is handled by the listeners and
// by the hook, in order of the page, and nothing comes twice without a mark.
func TestNothingUnheard(t *testing.T) {
	besideOthers(t)
	c := conversationOfThisRun()
	const secret = "a secret of the hook"
	h := startHook(t, secret)
	m := newMortalOf(t, fmt.Sprintf(conversationSettings, h.addr, secret))
	ctx, cancel := context.WithCancel(context.Background())
	group, ended := startListeners(t, ctx, 3, m.backend, "php", 2*time.Second)
	book := newSayings()
	speakers, left := c.speakers(ctx, book, func() (net.Conn, error) {
		return net.DialTimeout("tcp", m.pages, patience)
	})
	t.Cleanup(func() { cancel(); left(); ended() })

	dies := func() {
		h.die()
		<-time.After(500 * time.Millisecond)
		h.start(t)
	}
	happens := []func(){m.reload, dies, m.kill, m.reload}
	for _, what := range append(happens, func() {}) {
		<-time.After(c.lasts / time.Duration(len(happens)+1))
		what()
	}
	h.recover()
	killed := group.spare()
	for _, s := range speakers {
		s.hush()
	}
	for _, s := range speakers {
		linemantest.Until(t, s.uid+" is not answered", s.isAnswered)
	}
	cancel()
	left()
	ended()
	c.verdict(t, book, speakers, group.handled(), h, killed)
}

// speakers are pages that speak until the context ends.
func (c conversation) speakers(ctx context.Context, book *sayings, dial func() (net.Conn, error)) (
	all []*speaker, wait func()) {
	var running sync.WaitGroup
	every := time.Second * time.Duration(c.pages) / time.Duration(c.perSecond)
	for i := range c.pages {
		s := newSpeaker(fmt.Sprint("uid", i), uint64(i), book, every, c.lasts/2, dial)
		all = append(all, s)
		running.Go(func() { s.live(ctx) })
	}
	return all, running.Wait
}

// verdict compares what was said with what was handled, and prints the table of counts.
func (c conversation) verdict(t *testing.T, book *sayings, speakers []*speaker, group []handling, h *hook, killed int) {
	t.Helper()
	var counts spoke
	for _, s := range speakers {
		counts.connections += s.counts.connections
		counts.broken += s.counts.broken
	}
	said, taken, refused := book.counts()
	byGroup, byHook := book.judge(group), book.judge(h.handled())
	h.mu.Lock()
	defer h.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d pages on %d connections, of which %d were cut: %d messages, %d of them again; "+
		"%d were taken, %d refused\n", c.pages, counts.connections, counts.broken, said, book.again, taken, refused)
	fmt.Fprintf(&b, "%d listeners were killed; requests to the hook: %v, %d at once, %d events in one at most\n",
		killed, h.outcomes, h.top, h.largest)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tevents\tmessages\tdoubles\tunmarked\tmissing\tdisordered\twrong")
	row := func(name string, j hearing) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", name, j.events, j.distinct, j.doubles, j.unmarked,
			j.missing, j.disordered, j.wrong)
		for _, complaint := range j.complaints {
			t.Errorf("%s: %s", name, complaint)
		}
	}
	row("listeners", byGroup)
	row("hook", byHook)
	w.Flush()
	t.Log("\n" + b.String())
	for _, complaint := range append(book.complaints, h.complaints...) {
		t.Error(complaint)
	}
	const parallel = 4 // of each process: what one was asking when another took its place may be at work still
	if h.top > 2*parallel || h.largest > 100 {
		t.Errorf("the hook got %d requests at once, and %d events in one", h.top, h.largest)
	}
	if taken < c.perSecond*int(c.lasts/time.Second)/2 || killed == 0 || counts.broken == 0 || book.again == 0 ||
		byGroup.doubles == 0 || byHook.doubles == 0 {
		t.Error("that was no ordeal")
	}
}
