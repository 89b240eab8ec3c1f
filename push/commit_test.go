package push_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
)

// keeper is a node of a Memory, or alone, over a notebook.
type keeper struct {
	t    *testing.T
	loop *pushtest.Loop
	link push.HistoryLink
	n    uint64

	// Owned by the loop.
	delivered []string
}

func keep(t *testing.T, b push.Broker, j push.Journal, bytes int) *keeper {
	t.Helper()
	k := &keeper{t: t, loop: pushtest.NewLoop(t)}
	k.loop.Await(func() {
		link, err := b.Join(push.Node{
			ID: fmt.Sprintf("node%p", k), Do: k.loop.Do, Linked: func(bool) {}, Journal: j, HistoryBytes: bytes,
			Deliver: func(_ []push.Target, p push.Publication) int {
				k.delivered = append(k.delivered, string(p.Data))
				return 1
			},
			Answer: func(_ []push.Target, question []byte, reply func([]byte)) {
				k.delivered = append(k.delivered, "asked "+string(question))
				reply(nil)
			},
			Retain: func(to push.Target) push.Retention {
				if to == "plain" {
					return push.Retention{}
				}
				return push.Retention{Size: 100, TTL: time.Hour}
			},
		})
		if err != nil {
			t.Error(err)
			return
		}
		k.link = link.(push.HistoryLink)
		k.link.Subscribe([]push.Target{"kept", "plain"}, func(error) {})
	})
	return k
}

// publish does not wait.
func (k *keeper) publish(to push.Target, data string, done func(r push.Receipt, err error)) {
	k.n++
	p := push.Publication{Node: "node", Number: k.n, Data: []byte(data)}
	k.link.Publish([]push.Target{to}, p, done)
}

// await runs something on the loop that ends with a call of its argument, later.
func (k *keeper) await(f func(done func())) {
	k.t.Helper()
	end := make(chan struct{})
	k.loop.Do(func() { f(func() { close(end) }) })
	select {
	case <-end:
	case <-time.After(time.Minute):
		k.t.Fatal("it is never done")
	}
}

func (k *keeper) read(of push.Target) (h push.History) {
	k.t.Helper()
	k.await(func(done func()) {
		k.link.History(of, push.Range{Limit: 1000}, func(found push.History, err error) {
			if h = found; err != nil {
				k.t.Error(err)
			}
			done()
		})
	})
	return h
}

// overJournals runs a test with a Hub's own broker, and with a Memory.
func overJournals(t *testing.T, test func(t *testing.T, broker push.Broker)) {
	t.Run("alone", func(t *testing.T) { test(t, push.Alone()) })
	t.Run("memory", func(t *testing.T) { test(t, push.NewMemory()) })
}

// TestJournalFirst has nobody get a publication, and nobody read it, before it is in the journal; and has nothing
// overtake it.
func TestJournalFirst(t *testing.T) {
	overJournals(t, func(t *testing.T, broker push.Broker) {
		j := newNotebook()
		j.slow = make(chan struct{})
		k := keep(t, broker, j, 1<<20)
		k.read("kept") // it is recovered
		var order []string
		note := func(what string) { order = append(order, what) }
		k.loop.Await(func() {
			k.publish("plain", "before", func(push.Receipt, error) { note("before") })
			k.publish("kept", "1", func(push.Receipt, error) { note("1") })
			k.publish("plain", "2", func(push.Receipt, error) { note("2") })
			k.link.History("kept", push.Range{Limit: 9}, func(h push.History, _ error) {
				note(fmt.Sprint("read ", len(h.Messages)))
			})
			k.publish("kept", "3", func(push.Receipt, error) { note("3") })
			k.link.Ask([]push.Target{"kept"}, []byte("4"), func([][]byte, error) { note("4") })
			k.link.Forget([]push.Target{"kept"}, func(error) { note("forgot") })
		})
		linemantest.Until(t, "what goes before is not done", func() (done bool) {
			k.loop.Await(func() { done = len(order) > 0 })
			return done
		})
		k.loop.Await(func() {
			if want := []string{"before"}; !slices.Equal(k.delivered, want) || !slices.Equal(order, want) {
				t.Errorf("before the journal has it, %q is delivered, and %q done", k.delivered, order)
			}
		})
		close(j.slow)
		if h := k.read("kept"); len(h.Messages) != 0 || h.Top.Offset != 2 {
			t.Errorf("it is %+v", h)
		}
		k.loop.Await(func() {
			if want := []string{"before", "1", "2", "3", "asked 4"}; !slices.Equal(k.delivered, want) {
				t.Errorf("%q is delivered, want %q", k.delivered, want)
			}
			if !slices.Contains(order, "read 1") || !slices.Contains(order, "forgot") || len(order) != 7 {
				t.Errorf("%q is done", order)
			}
		})
		k.loop.Await(k.link.Close)
	})
}

// TestJournalFails refuses what cannot be written, tells why, gives its offsets to others, and goes on with the rest.
func TestJournalFails(t *testing.T) {
	overJournals(t, func(t *testing.T, broker push.Broker) {
		j := newNotebook()
		k := keep(t, broker, j, 1<<20)
		full := errors.New("no space left on device")
		publish := func(to push.Target) (at []push.Position, err error) {
			k.await(func(done func()) {
				k.publish(to, "x", func(r push.Receipt, failed error) {
					at, err = r.Positions, failed
					done()
				})
			})
			return at, err
		}
		first, err := publish("kept")
		if err != nil {
			t.Fatal(err)
		}
		j.failing = full
		if at, err := publish("kept"); !errors.Is(err, push.ErrJournal) || !errors.Is(err, full) || at != nil {
			t.Errorf("a journal that fails: %v, %v", at, err)
		}
		if _, err := publish("plain"); err != nil {
			t.Errorf("what is not kept: %v", err)
		}
		j.failing = nil
		if next, err := publish("kept"); err != nil || next[0].Offset != first[0].Offset+1 {
			t.Errorf("after %v comes %v, %v", first, next, err)
		}
		if h := k.read("kept"); len(h.Messages) != 2 {
			t.Errorf("%d messages are kept", len(h.Messages))
		}
		k.loop.Await(k.link.Close)
	})
}

// TestJournalLate has everything wait until a predecessor has given the journal up, but not without an end.
func TestJournalLate(t *testing.T) {
	overJournals(t, func(t *testing.T, broker push.Broker) {
		j := newNotebook()
		j.late = make(chan struct{})
		j.had.Records = []push.Record{{
			Kind: push.RecordMessage, Number: 5, At: time.Now(), Of: []push.Place{{Target: "kept", Offset: 41}},
			Data: []byte("early"),
		}}
		k := keep(t, broker, j, 1<<20)
		refused := 0
		k.loop.Await(func() {
			for range 10_100 {
				k.publish("kept", "x", func(_ push.Receipt, err error) {
					if err != nil {
						refused++
					}
				})
			}
			if len(k.delivered) > 0 {
				t.Error("it is delivered before the journal is there")
			}
		})
		close(j.late)
		linemantest.Until(t, "not all is delivered", func() (all bool) {
			k.loop.Await(func() { all = len(k.delivered) == 10_000 })
			return all
		})
		if h := k.read("kept"); h.Top != (push.Position{Epoch: "e", Offset: 41 + 10_000}) {
			t.Errorf("the top is %v", h.Top)
		}
		k.loop.Await(func() {
			if refused != 100 {
				t.Errorf("%d are refused, want 100", refused)
			}
			k.link.Close()
		})
	})
}

// TestJournalYields gives others the loop while a batch is delivered that takes long, and keeps the order.
func TestJournalYields(t *testing.T) {
	overJournals(t, func(t *testing.T, broker push.Broker) {
		k := keep(t, broker, newNotebook(), 1<<20)
		k.read("kept") // it is recovered
		const n = 40
		var want []string
		meanwhile, last := 0, make(chan struct{})
		k.loop.Await(func() {
			for i := range n {
				text := fmt.Sprint(i)
				want = append(want, text)
				k.publish("kept", text, func(push.Receipt, error) {
					if i == 0 {
						k.loop.Do(func() { meanwhile = len(k.delivered) })
					}
					if i == n-1 {
						close(last)
					}
					time.Sleep(time.Millisecond) // it takes long
				})
			}
		})
		<-last
		k.loop.Await(func() {
			if !slices.Equal(k.delivered, want) {
				t.Errorf("%q is delivered", k.delivered)
			}
			if _, isMemory := broker.(*push.Memory); !isMemory && meanwhile >= n {
				t.Errorf("others have the loop after %d", meanwhile)
			}
			k.link.Close()
		})
	})
}

// TestJournalClosed ends what waits, when the link is closed.
func TestJournalClosed(t *testing.T) {
	j := newNotebook()
	j.slow = make(chan struct{})
	k := keep(t, push.Alone(), j, 1<<20)
	var errs []error
	k.loop.Await(func() { k.publish("kept", "1", func(_ push.Receipt, err error) { errs = append(errs, err) }) })
	k.loop.Await(func() { k.publish("kept", "2", func(_ push.Receipt, err error) { errs = append(errs, err) }) })
	k.loop.Await(func() {
		k.link.Close()
		if len(errs) != 2 || errs[0] != push.ErrClosed || errs[1] != push.ErrClosed || j.closed != 1 {
			t.Errorf("they end with %v; closed %d times", errs, j.closed)
		}
	})
	close(j.slow)
}

// TestCompaction has a journal be written anew while much is published: what was written since it began has the same
// history, and the same counts.
func TestCompaction(t *testing.T) {
	overJournals(t, func(t *testing.T, broker push.Broker) {
		for seed := range uint64(5) {
			random := rand.New(rand.NewPCG(seed, 6))
			j := newNotebook()
			k := keep(t, broker, j, 600_000)
			if _, isMemory := broker.(*push.Memory); isMemory {
				broker = push.NewMemory()
			}
			targets := map[push.Target]bool{}
			publish := func(times int) {
				for range times {
					to := push.Target(fmt.Sprint("t:", random.IntN(2000)))
					targets[to] = true
					data := string(make([]byte, random.IntN(2000)))
					k.await(func(done func()) {
						k.publish(to, data, func(push.Receipt, error) { done() })
					})
				}
			}
			publish(1500)
			j.mu.Lock()
			j.large = true
			j.mu.Unlock()
			publish(500)
			j.mu.Lock()
			parts := 0
			for _, b := range j.batches[j.since:] {
				if parts++; b.End {
					break
				}
			}
			if j.since == 0 || parts < 2 {
				t.Errorf("seed %d: it began with batch %d, and had %d parts", seed, j.since, parts)
			}
			j.mu.Unlock()
			again := keep(t, push.Alone(), j.successor(), 600_000)
			for to := range targets {
				was, is := k.read(to), again.read(to)
				if !sameHistory(was, is) {
					t.Fatalf("seed %d: %s is %v, %d; was %v, %d", seed, to, is.Top, len(is.Messages), was.Top,
						len(was.Messages))
				}
			}
			k.loop.Await(k.link.Close)
			again.loop.Await(again.link.Close)
		}
	})
}

// sameHistory reports whether a history is told as it was; the top of one that was forgotten may be a later one.
func sameHistory(was, is push.History) bool {
	return is.Top.Offset >= was.Top.Offset && (len(was.Messages) == 0 || is.Top == was.Top) &&
		slices.EqualFunc(was.Messages, is.Messages, func(a, b push.Stored) bool {
			return a.Position == b.Position && string(a.Data) == string(b.Data) && a.At.Sub(b.At).Abs() < time.Second
		})
}
