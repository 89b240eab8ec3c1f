package journal

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
)

// bench is a Memory with one node, over a journal on a disk of the test's.
type bench struct {
	t       *testing.T
	loop    *pushtest.Loop
	journal *Journal
	link    push.HistoryLink
	number  uint64
}

// retentionOf is what is kept of t:N.
func retentionOf(of push.Target) push.Retention {
	var n int
	if _, err := fmt.Sscanf(string(of), "t:%d", &n); err != nil {
		return push.Retention{}
	}
	return []push.Retention{{Size: 1000}, {Size: 5}, {Class: push.Latest}, {Size: 1000, Bytes: 500}}[n%4]
}

func newBench(t *testing.T, d *disk, boot string, o Options) *bench {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	b := &bench{t: t, loop: pushtest.NewLoop(t), journal: newJournal(o, d, boot)}
	b.journal.sizes = sizes{segment: 1000, extra: 1 << 20, segments: 4}
	w, err := b.journal.load()
	if err != nil {
		t.Fatal(err)
	}
	go b.journal.run(w)
	m := push.NewMemory()
	b.loop.Await(func() {
		link, err := m.Join(push.Node{
			ID: "node", Do: b.loop.Do, Retain: retentionOf, HistoryBytes: 1 << 20, Journal: b.journal,
			Deliver: func([]push.Target, push.Publication) int { return 1 }, Linked: func(bool) {},
		})
		if err != nil {
			t.Error(err)
			return
		}
		b.link = link.(push.HistoryLink)
	})
	return b
}

// end ends what is left of it after a crash.
func (b *bench) end() {
	b.loop.Await(b.link.Close)
	b.journal.Wait(time.Minute)
}

// sent is a publication, or the removal of what a target has.
type sent struct {
	to     []push.Target
	data   string
	forget bool

	done chan struct{}
	at   []push.Position // good when it is done
	err  error
}

// send publishes, or forgets, and does not wait.
func (b *bench) send(s *sent) {
	b.loop.Do(func() {
		if s.forget {
			b.link.Forget(s.to, func(err error) {
				s.err = err
				close(s.done)
			})
			return
		}
		b.number++
		p := push.Publication{Node: "node", Number: b.number, Data: []byte(s.data)}
		b.link.Publish(s.to, p, func(r push.Receipt, err error) {
			s.at, s.err = r.Positions, err
			close(s.done)
		})
	})
}

func (b *bench) read(of push.Target) (h push.History) {
	b.t.Helper()
	done := make(chan error, 1)
	b.loop.Do(func() {
		b.link.History(of, push.Range{Limit: 1 << 20}, func(found push.History, err error) {
			h = found
			done <- err
		})
	})
	if err := <-done; err != nil {
		b.t.Fatal(err)
	}
	return h
}

// ledger is what was sent over several lives of a process, in order.
type ledger struct {
	all []*sent
}

// account is what was sent for a target.
type account struct {
	answered []push.Stored     // in this epoch, since it was forgotten last: the oldest first
	top      uint64            // of what was answered in this epoch
	at       map[string]uint64 // where what was answered stands, in whatever epoch
	gone     map[string]bool   // what was forgotten
	maybe    map[string]bool   // what was refused, or not answered: it may be there, in the place of an older one
}

func (l *ledger) account(of push.Target, epoch string) account {
	a := account{at: make(map[string]uint64), gone: make(map[string]bool), maybe: make(map[string]bool)}
	for _, s := range l.all {
		for i, t := range s.to {
			switch {
			case t != of:
			case s.forget:
				for _, m := range a.answered {
					a.gone[string(m.Data)] = s.err == nil
				}
				a.answered = nil
			case s.err != nil:
				a.maybe[s.data] = true
			default:
				a.at[s.data] = s.at[i].Offset
				if s.at[i].Epoch == epoch {
					a.answered = append(a.answered, push.Stored{Position: s.at[i], Data: []byte(s.data)})
					a.top = max(a.top, s.at[i].Offset)
				}
			}
		}
	}
	return a
}

// check compares what a target has with what it must have.
func (l *ledger) check(of push.Target, h push.History) error {
	a := l.account(of, h.Top.Epoch)
	if h.Top.Offset < a.top {
		return fmt.Errorf("the top is %v, and %d was answered", h.Top, a.top)
	}
	there := map[uint64]bool{}
	for i, m := range h.Messages {
		there[m.Position.Offset] = true
		offset, answered := a.at[string(m.Data)]
		switch {
		case m.Position.Offset != h.Top.Offset-uint64(len(h.Messages)-1-i):
			return fmt.Errorf("%v is not the next one", m.Position)
		case a.gone[string(m.Data)]:
			return fmt.Errorf("%v is %q, which was forgotten", m.Position, m.Data)
		case answered && offset != m.Position.Offset:
			return fmt.Errorf("%v is %q, and was answered as %d", m.Position, m.Data, offset)
		case !answered && !a.maybe[string(m.Data)]:
			return fmt.Errorf("%v is %q, which nobody published", m.Position, m.Data)
		}
	}
	keep, bytes := retentionOf(of), 0
	if keep.Class == push.Latest {
		keep.Size = 1
	}
	for i := len(a.answered) - 1; i >= 0; i-- {
		m := a.answered[i]
		bytes += len(m.Data)
		isFew := keep.Bytes == 0 || bytes+20*len(a.maybe) <= keep.Bytes
		if isFew && len(a.answered)-i <= keep.Size-len(a.maybe) && !there[m.Position.Offset] {
			return fmt.Errorf("%v is missing: %q", m.Position, m.Data)
		}
	}
	return nil
}

// life has a process publish until the disk stops, or for so many steps, and returns what it sent.
func (l *ledger) life(b *bench, random *rand.Rand, steps int, disturb func(step int)) {
	var pending []*sent
	for step := range steps {
		disturb(step)
		s := &sent{
			to: []push.Target{push.Target(fmt.Sprint("t:", random.IntN(8)))}, done: make(chan struct{}),
			data: fmt.Sprint(len(l.all), " ", string(make([]byte, random.IntN(12)))),
		}
		switch random.IntN(12) {
		case 0:
			s.forget = true
		case 1:
			s.to = append(s.to, "t:8", "other")
		}
		l.all, pending = append(l.all, s), append(pending, s)
		b.send(s)
		if random.IntN(5) == 0 {
			for _, s := range pending {
				<-s.done
			}
			if pending[len(pending)-1].err != nil && b.isDead() {
				return
			}
			pending = nil
		}
	}
	for _, s := range pending {
		<-s.done
	}
}

func (b *bench) isDead() bool {
	d := b.journal.files.(*disk)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
}

// TestCrashes has a process be killed, or the power fail, in the midst of each operation of the disk, several times one
// after the other, and compares all that is there then with what was answered.
func TestCrashes(t *testing.T) {
	for _, c := range []struct {
		name  string
		sync  time.Duration
		power bool
	}{
		{"killed", time.Millisecond, false}, {"killed, never synced", Never, false}, {"killed, synced", Always, false},
		{"power", time.Millisecond, true}, {"power, never synced", Never, true}, {"power, synced", Always, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			epochs := 0
			for seed := range uint64(crashSeeds) {
				random := rand.New(rand.NewPCG(seed, 3))
				d, l, epoch, ended := newDisk(seed), &ledger{}, "", true
				for life := range 4 {
					boot := "a"
					if c.power {
						boot = fmt.Sprint(life)
					}
					b := newBench(t, d, boot, Options{Sync: c.sync})
					for n := range 9 {
						of := push.Target(fmt.Sprint("t:", n))
						h := b.read(of)
						if n == 0 && h.Top.Epoch != epoch {
							if epoch != "" && (!c.power || c.sync == Always || ended) {
								t.Fatalf("seed %d, life %d: the epoch is another", seed, life)
							}
							epoch = h.Top.Epoch
							epochs++
						}
						if err := l.check(of, h); err != nil {
							t.Fatalf("seed %d, life %d: %s: %v", seed, life, of, err)
						}
					}
					d.set(func() { d.left = 2 + random.IntN(1+random.IntN(500)) })
					l.life(b, random, 150, func(int) {})
					b.end()
					ended = !b.isDead()
					d = d.revive(c.power)
				}
			}
			t.Logf("%d epochs in %d lives", epochs, 4*crashSeeds)
		})
	}
}

// TestFailures has a disk become full, fail to sync and fail to cut, and recover; and then the process be killed or the
// power fail. What was answered is there, and each publication is answered.
func TestFailures(t *testing.T) {
	for _, power := range []bool{false, true} {
		refused, taken := 0, 0
		for seed := range uint64(crashSeeds) {
			random := rand.New(rand.NewPCG(seed, 5))
			d, l, epoch := newDisk(seed), &ledger{}, ""
			for life := range 4 {
				boot := "a"
				if power {
					boot = fmt.Sprint(life)
				}
				syncs := []time.Duration{time.Microsecond, Always, Never}
				b := newBench(t, d, boot, Options{Sync: syncs[random.IntN(len(syncs))]})
				h := b.read("t:0")
				if epoch != "" && !power && h.Top.Epoch != epoch {
					t.Fatalf("seed %d, life %d: the epoch is another", seed, life)
				}
				epoch = h.Top.Epoch
				l.life(b, random, 150, func(int) {
					d.set(func() {
						switch random.IntN(20) {
						case 0:
							d.room = random.IntN(100)
						case 1, 2, 5, 6:
							d.room = -1
						case 3:
							d.failSync = true
						case 4:
							d.failCut = !d.failCut
						}
					})
				})
				for n := range 9 {
					of := push.Target(fmt.Sprint("t:", n))
					if err := l.check(of, b.read(of)); err != nil {
						t.Fatalf("seed %d, life %d: %s: %v", seed, life, of, err)
					}
				}
				if random.IntN(2) == 0 { // else it is closed well
					d.set(func() { d.dead = true })
				}
				b.end()
				d = d.revive(power)
			}
			for _, s := range l.all {
				if s.err != nil {
					refused++
				} else {
					taken++
				}
			}
		}
		t.Logf("power %v: %d refused, %d taken", power, refused, taken)
		if refused == 0 || taken < refused {
			t.Error("that was no test")
		}
	}
}

// crashSeeds is how many sequences of crashes are tried.
const crashSeeds = 40
