package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// reconnecter is a page that comes back when it is told to, and the back end that publishes for it, one thing after the
// other.
type reconnecter struct {
	t    *testing.T
	p    push
	uid  string
	wait int // of what is published, in milliseconds

	published atomic.Int64 // that reached the page, as the answers say
	kept      atomic.Int64 // of these, what took long: the page was away
	nobody    atomic.Int64 // that reached nobody

	mu      sync.Mutex // guards the following
	got     []string
	returns int
}

// live keeps the page connected until stop is closed.
func (r *reconnecter) live(stop <-chan struct{}, first net.Conn) {
	for c := first; ; c = arrive(r.t, r.p.pages, "token="+r.uid) {
		end := make(chan struct{})
		go func() {
			select {
			case <-stop:
				c.Close()
			case <-end:
			}
		}()
		retry, told := r.read(c)
		close(end)
		c.Close()
		select {
		case <-stop:
			return
		default:
		}
		if !told {
			r.t.Errorf("the page of %s was not told when to come back", r.uid)
			return
		}
		select {
		case <-stop:
			return
		case <-time.After(retry):
		}
		r.mu.Lock()
		r.returns++
		r.mu.Unlock()
	}
}

// state is how often the page has come back, and how much it has got.
func (r *reconnecter) state() (s struct{ returns, got int64 }) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.returns, s.got = int64(r.returns), int64(len(r.got))
	return s
}

// read gets what is published until the connection ends, and tells after how long to come back.
func (r *reconnecter) read(c net.Conn) (retry time.Duration, told bool) {
	for {
		text, err := wsutil.ReadServerText(c)
		if err != nil {
			var closed wsutil.ClosedError
			var reason struct{ Retry int }
			told = errors.As(err, &closed) && closed.Code == 4101 &&
				json.Unmarshal([]byte(closed.Reason), &reason) == nil
			return time.Duration(reason.Retry) * time.Millisecond, told
		}
		r.mu.Lock()
		r.got = append(r.got, string(text))
		r.mu.Unlock()
	}
}

// publish publishes numbers until stop is closed. What the server has not read, or refuses as it stops, is asked again.
func (r *reconnecter) publish(stop <-chan struct{}) {
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	c := dial(r.t, r.p.backends)
	answers := bufio.NewReader(c)
	for number := 1; ; {
		select {
		case <-stop:
			c.Close()
			return
		case <-pace.C:
		}
		began := time.Now()
		fmt.Fprintf(c, `{"cmd":"pub","to":"u:%s","text":"%d","wait":%d}`+"\n", r.uid, number, r.wait)
		line, err := answers.ReadBytes('\n')
		if err != nil {
			c.Close()
			c = dial(r.t, r.p.backends)
			answers.Reset(c)
			continue
		}
		var answer struct {
			OK    bool
			N     int
			Error struct{ Code string }
		}
		switch err := json.Unmarshal(line, &answer); {
		case err == nil && answer.OK && answer.N == 1:
			r.published.Add(1)
			if time.Since(began) > 200*time.Millisecond {
				r.kept.Add(1)
			}
			number++
		case err == nil && answer.OK && answer.N == 0:
			r.nobody.Add(1)
			number++
		case err == nil && answer.Error.Code == "unavailable":
		default:
			r.t.Errorf("the answer is %s", line)
		}
	}
}

// reloadWhilePublishing reloads a server that is alone while something is published for each of its pages.
func reloadWhilePublishing(t *testing.T, wait int) (all []*reconnecter) {
	const pages = 50
	p := startLineman(t)
	conns := arriveAll(t, p, pages)
	stop, unpublished := make(chan struct{}), make(chan struct{})
	var live, publishing sync.WaitGroup
	for i, c := range conns {
		r := &reconnecter{t: t, p: p, uid: fmt.Sprint("uid", i), wait: wait}
		all = append(all, r)
		live.Add(1)
		publishing.Add(1)
		go func() { defer live.Done(); r.live(stop, c) }()
		go func() { defer publishing.Done(); r.publish(unpublished) }()
	}
	more := func(n int64) {
		t.Helper()
		var before [pages]int64
		for i, r := range all {
			before[i] = r.published.Load()
		}
		for i, r := range all {
			linemantest.Until(t, "nothing reaches the page of "+r.uid,
				func() bool { return r.published.Load() >= before[i]+n })
		}
	}
	more(5)
	if out, err := tryIn(t, p.cmd.Dir, "", binaries+"/lineman", "reload", "--drain"); err != nil {
		t.Errorf("reload: %v: %s", err, out)
	}
	for _, r := range all {
		linemantest.Until(t, "the page of "+r.uid+" does not come back", func() bool { return r.state().returns > 0 })
	}
	more(5)
	close(unpublished)
	publishing.Wait()
	for _, r := range all {
		want := r.published.Load()
		linemantest.Until(t, "what was published does not come", func() bool { return r.state().got >= want })
	}
	close(stop)
	live.Wait()
	return all
}

// TestServerReloadWait loses nothing of what is published with wait while a server that is alone is reloaded: each page
// gets it once and in order, when it has come back. Without wait, what is published meanwhile reaches nobody, and the
// answers say so.
func TestServerReloadWait(t *testing.T) {
	for _, wait := range []int{20_000, 0} {
		published, kept, nobody := int64(0), int64(0), int64(0)
		for _, r := range reloadWhilePublishing(t, wait) {
			published, kept, nobody = published+r.published.Load(), kept+r.kept.Load(), nobody+r.nobody.Load()
			last := 0
			for i, text := range r.got {
				n, err := strconv.Atoi(text)
				if err != nil || n <= last || wait > 0 && n != i+1 {
					t.Errorf("wait %d: the page of %s got %q after %d", wait, r.uid, text, last)
				}
				last = n
			}
			if int64(len(r.got)) != r.published.Load() {
				t.Errorf("wait %d: the page of %s got %d of %d", wait, r.uid, len(r.got), r.published.Load())
			}
		}
		t.Logf("wait %d: %d reached their page, %d of them after it had come back; %d reached nobody", wait,
			published, kept, nobody)
		if wait > 0 && (nobody > 0 || kept == 0) || wait == 0 && nobody == 0 {
			t.Errorf("wait %d: %d reached nobody, %d were kept", wait, nobody, kept)
		}
	}
}
