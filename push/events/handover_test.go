package events

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
)

// twins are two worlds to which the same happens, but that one of them is handed over now and then: nobody may see a
// difference.
type twins struct {
	t         *testing.T
	random    *rand.Rand
	worlds    [2]*world
	options   Options
	listeners [2][]*listener
	results   [2]map[string]string // of what was said, by receipts
	said      int
	listens   bool // others come to listen now
	crossed   int
}

func newTwins(t *testing.T, seed uint64) *twins {
	w := &twins{t: t, random: rand.New(rand.NewPCG(seed, 18)), options: Options{
		Waiting: 40, Keep: 20 * time.Second, Early: time.Duration(seed%3) * 10 * time.Second,
	}}
	for i := range w.worlds {
		w.worlds[i] = newWorld(t, w.options)
		w.worlds[i].uids = []string{"7"}
		w.results[i] = make(map[string]string)
	}
	return w
}

// both does the same to both.
func (w *twins) both(f func(i int, d *world)) {
	for i, d := range w.worlds {
		f(i, d)
		d.tick()
	}
}

func (w *twins) act() {
	conn := push.Target(fmt.Sprint("c:1.", w.random.IntN(6)))
	pick := w.random.IntN(max(1, len(w.listeners[0])))
	switch n := w.random.IntN(20); {
	case n < 8:
		w.say(conn)
	case n == 9 && !w.listens:
		w.both(func(_ int, world *world) { world.pass(5 * time.Second) })
	case n < 10 && w.listens:
		w.listen()
	case n < 14 && len(w.listeners[0]) > 0:
		back := uint64(w.random.IntN(3))
		fails := w.random.IntN(6) == 0
		w.both(func(i int, _ *world) {
			l := w.listeners[i][pick]
			if last := l.acked + uint64(l.sent); fails {
				_ = l.Fail(last - min(last, back))
			} else {
				_ = l.Ack(last - min(last, back))
			}
		})
	case (n == 14 || n == 8 && !w.listens) && len(w.listeners[0]) > 0:
		w.both(func(i int, _ *world) {
			w.listeners[i][pick].Close()
			w.listeners[i] = append(w.listeners[i][:pick:pick], w.listeners[i][pick+1:]...)
		})
	case n == 15:
		w.both(func(_ int, d *world) { d.Gone(conn) })
	case n == 16 && len(w.listeners[0]) > 0:
		room := w.random.IntN(4) - 1
		w.both(func(i int, _ *world) {
			l := w.listeners[i][pick]
			if l.room = room; room != 0 {
				l.Resume()
			}
		})
	case n == 17:
		d := time.Duration(w.random.IntN(8)) * time.Second
		w.both(func(_ int, world *world) { world.pass(d) })
	case n == 18:
		w.both(func(_ int, d *world) { d.Emit(&Event{Kind: Join, UID: "7"}, nil) })
	case n == 19:
		w.handOver()
	}
}

// say has a connection say something, and wait for what becomes of it.
func (w *twins) say(conn push.Target) {
	w.said++
	receipt := fmt.Sprint(conn, " says ", w.said)
	waits := w.random.IntN(3) > 0
	w.both(func(i int, d *world) {
		var done func(error)
		if waits {
			w.results[i][receipt] = "pending"
			done = w.settled(i, receipt)
		}
		d.Emit(&Event{
			Kind: Message, Conn: conn, UID: "7", Data: []byte(receipt), Form: Text, Receipt: receipt,
		}, done)
	})
}

func (w *twins) settled(i int, receipt string) func(error) {
	return func(err error) { w.results[i][receipt] = fmt.Sprint(err) }
}

func (w *twins) listen() {
	if len(w.listeners[0]) == 8 {
		return
	}
	want := Listen{
		Group: fmt.Sprint("g", w.random.IntN(3)), Events: []Kind{Message, Join, Close}[:1+w.random.IntN(2)],
		Window: 1 + w.random.IntN(4),
	}
	if w.random.IntN(4) == 0 {
		want.Of = []string{"u:7"}
	}
	w.both(func(i int, d *world) {
		l := &listener{w: d, room: -1}
		d.begin(l, want)
		w.listeners[i] = append(w.listeners[i], l)
	})
}

// handOver hands the second one over.
func (w *twins) handOver() {
	from := w.worlds[1]
	state := from.AppendState(nil)
	if w.random.IntN(4) == 0 {
		return // it has failed
	}
	w.crossed++
	to := newWorld(w.t, w.options)
	to.now, to.uids = from.now, from.uids
	if err := to.RestoreState(state); err != nil {
		w.t.Fatal(err)
	}
	for _, l := range w.listeners[1] {
		number := l.Number()
		var err error
		if l.Listener, err = to.Reattach(number, l); err != nil {
			w.t.Fatal(err)
		}
		l.w = to
		if _, err := to.Reattach(number, l); err == nil {
			w.t.Fatal("a listener was attached twice")
		}
	}
	for receipt, result := range w.results[1] {
		if result == "pending" != to.Await(receipt, w.settled(1, receipt)) {
			w.t.Fatalf("%s, which is %s, does not wait", receipt, result)
		}
	}
	to.tick()
	from.HandedOver()
	from.Emit(&Event{Kind: Message, Conn: "c:1.9", Data: []byte("late")}, nil)
	from.tick()
	from.pass(time.Hour)
	for conn, held := range from.held {
		if held {
			w.t.Fatalf("%s is held by the predecessor", conn)
		}
	}
	to.Restored()
	to.tick()
	w.worlds[1] = to
}

// check compares them.
func (w *twins) check() {
	w.t.Helper()
	a, b := w.worlds[0], w.worlds[1]
	a.tick()
	b.tick()
	check(w.t, w.results[1], w.results[0])
	check(w.t, b.Dispatcher.Stats(), a.Dispatcher.Stats())
	check(w.t, b.Forgotten(), a.Forgotten())
	for i := range w.listeners[0] {
		check(w.t, w.listeners[1][i].got, w.listeners[0][i].got)
	}
	for conn, held := range a.held {
		if b.held[conn] != held {
			w.t.Errorf("%s: it is held: %v", conn, !held)
		}
	}
}

// TestHandover does thousands of random things to two Dispatchers, one of which is handed over now and then.
func TestHandover(t *testing.T) {
	crossed := 0
	for seed := range uint64(30) {
		w := newTwins(t, seed)
		for step := range 400 {
			w.listens = seed%2 == 0 || step/100%2 == 0
			if w.act(); step%5 > 0 {
				continue
			}
			if w.check(); t.Failed() {
				t.Fatalf("seed %d, step %d", seed, step)
			}
		}
		crossed += w.crossed
	}
	t.Logf("%d handovers", crossed)
}

// goldenState is a Dispatcher with all that its state may have.
func goldenState(t testing.TB) []byte {
	w := newWorld(t, Options{Early: 10 * time.Second, Waiting: 2})
	l := &listener{w: w, room: 1}
	w.begin(l, Listen{Group: "g", Events: []Kind{Message, Close}, Of: []string{"u:7"}, Window: 3})
	for _, text := range []string{"one", "two", "three"} {
		w.Emit(&Event{
			Kind: Message, Conn: "c:n.1", UID: "7", Data: []byte(text), Form: Text, Receipt: text, Again: text == "two",
		}, func(error) {})
	}
	w.tick()
	return w.AppendState(nil)
}

// readGolden is a state as a version has written it.
func readGolden(t testing.TB, name string, version byte) []byte {
	state, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("%s.%d.state", name, version)))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// TestGolden has what each version has written be read for ever, and what a later one writes be refused. A version that
// writes more has another number, and files of its own.
func TestGolden(t *testing.T) {
	got := goldenState(t)
	if want := readGolden(t, "golden", stateVersion); !bytes.Equal(got, want) {
		t.Errorf("the state is %q, want %q: what is written otherwise is another version", got, want)
	}
	for version := byte(1); version <= stateVersion; version++ {
		testGolden(t, readGolden(t, "golden", version))
	}
	newer := append([]byte{stateVersion + 1}, got[1:]...)
	for _, later := range [][]byte{newer, fields.Uint(got, 100, 1)} {
		w := newWorld(t, Options{})
		if err := w.RestoreState(later); !errors.Is(err, fields.ErrNewer) {
			t.Errorf("what a later version says: %v", err)
		}
	}
}

func testGolden(t *testing.T, state []byte) {
	w := newWorld(t, Options{Early: 10 * time.Second})
	err := w.RestoreState(state)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{w: w, room: -1}
	if l.Listener, err = w.Reattach(1, l); err != nil {
		t.Fatal(err)
	}
	result := errors.New("pending")
	if !w.Await("two", func(err error) { result = err }) {
		t.Error("nobody can wait")
	}
	w.Restored()
	check(t, texts(l.got), []string{"two again"})
	check(t, l.got[0].N, 2)
	_ = l.Ack(2)
	w.tick()
	check(t, result, nil)
	check(t, l.got[1].Type, Dropped)
}

// deaf is a Sink that has room for everything.
type deaf struct{}

func (deaf) Send([]byte) bool { return true }

// FuzzRestoreState has no state make the Dispatcher panic, or keep more than the state has.
func FuzzRestoreState(f *testing.F) {
	f.Add(goldenState(f))
	f.Add(goldenNode(f))
	f.Fuzz(func(t *testing.T, state []byte) {
		w := newWorld(t, Options{Early: 10 * time.Second})
		newWires(t).join(w, "n")
		if w.RestoreState(state) != nil {
			return
		}
		_, _ = w.Reattach(1, deaf{}) // there may be none
		w.Await("two", func(error) {})
		w.tick()
		w.Restored()
		w.Emit(&Event{Kind: Message, Conn: "c:n.1", Data: []byte("x"), Form: Text}, nil)
		w.pass(time.Hour)
		w.Stats()
		w.AppendState(nil)
	})
}
