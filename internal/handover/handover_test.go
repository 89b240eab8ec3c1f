//go:build unix

package handover

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHandover has all kinds of messages cross.
func TestHandover(t *testing.T) {
	t.Parallel()
	from, to := newPredecessor(t, 4), newSuccessor()
	from.hello = Hello{LastID: 17, Loops: 2, Workers: []string{"lobby", "pages"}}
	from.states = []State{{"lobby", 0, []byte("six rooms")}, {"lobby", 1, nil}}
	from.record = func(id uint64) Record { return Record{ID: id, Value: fmt.Appendf(nil, "value %d", id)} }
	from.tails = map[uint64]string{1: "hello", 4: "there"}
	from.kept = []uint64{3}
	to.refuses = map[uint64]string{2: "no such worker"}

	own, other := pair(t)
	sent := make(chan error, 1)
	go func() { sent <- Send(own, from, Limits{}) }()
	r, err := Accept(other, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if h := r.Hello(); h.Version != Version || h.LastID != 17 || h.Loops != 2 ||
		!slices.Equal(h.Workers, []string{"lobby", "pages"}) {
		t.Errorf("hello is %+v", h)
	}
	if inherited, err := r.Receive(to); inherited || err != nil {
		t.Errorf("Receive: %t, %v", inherited, err)
	}
	r.Close()
	if err := <-sent; err != nil {
		t.Errorf("Send: %v", err)
	}
	if got, want := strings.Join(to.said, "; "), "state lobby/0 six rooms; state lobby/1 ; record 1 value 1; "+
		"record 3 value 3; record 4 value 4; tail 1 hello; tail 4 there; keep 3"; got != want {
		t.Errorf("the successor was told %q,\nwant %q", got, want)
	}
	if len(from.refused) != 1 || from.refused[2] != "no such worker" {
		t.Errorf("refused: %v", from.refused)
	}
	for id, fd := range to.fds {
		var here, there syscall.Stat_t
		if err := errors.Join(syscall.Fstat(fd, &here), syscall.Fstat(from.clients[id].fd, &there)); err != nil {
			t.Fatal(err)
		}
		if here.Ino != there.Ino {
			t.Errorf("connection %d has the descriptor of another one", id)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("connection %d would be a child's too: %v", id, err)
		}
	}
	mustLeaveNothing(t, from, to)
}

// mustLeaveNothing has both processes close what they have, and fails the test if a descriptor is left.
func mustLeaveNothing(t *testing.T, from *predecessor, to *successor) {
	t.Helper()
	from.die()
	to.die()
	for _, c := range from.clients {
		c.mustBeGone(t)
	}
}

// crowd is a Source of many connections with one descriptor.
type crowd struct {
	predecessor
	size, fd int
	value    []byte
}

func (c *crowd) Hello() Hello { return Hello{Conns: c.size} }

func (c *crowd) Records(send func(*Record, int) error) error {
	r := Record{Worker: "lobby", Kind: "websocket", Peer: netip.MustParseAddrPort("192.0.2.1:4000"), Value: c.value}
	for id := range uint64(c.size) {
		r.ID = id + 1
		if err := send(&r, c.fd); err != nil {
			return err
		}
	}
	return nil
}

// counter is a Sink that counts. It closes descriptors when room for them is full.
type counter struct {
	successor
	records int
	fds     []int
}

func (c *counter) Record(_ *Record, fd int) error {
	c.records++
	if len(c.fds) == cap(c.fds) {
		c.close()
	}
	c.fds = append(c.fds, fd)
	return nil
}

func (c *counter) close() {
	for _, fd := range c.fds {
		syscall.Close(fd)
	}
	c.fds = c.fds[:0]
}

// cross has a crowd cross.
func cross(t testing.TB, from *crowd, to *counter) {
	own, other := pair(t)
	sent := make(chan error, 1)
	go func() { sent <- Send(own, from, Limits{}) }()
	r, err := Accept(other, Limits{})
	if err == nil {
		_, err = r.Receive(to)
		r.Close()
	}
	if err := errors.Join(err, <-sent); err != nil || to.records != from.size {
		t.Fatalf("%d of %d have crossed: %v", to.records, from.size, err)
	}
}

// TestMemory has many connections cross with no more memory than a few.
func TestMemory(t *testing.T) {
	allocated := func(connections int) int64 {
		from, to := &crowd{size: connections, value: make([]byte, 250)}, &counter{fds: make([]int, 0, 100)}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		cross(t, from, to)
		runtime.ReadMemStats(&after)
		to.close()
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	const few, many = 5000, 20_000 // with either, as much is read ahead as may be
	more := allocated(many) - allocated(few)
	t.Logf("%d bytes for each connection", more/(many-few))
	if most := int64(64 * (many - few)); more > most {
		t.Errorf("%d connections take %d bytes more than %d, want at most %d", many, more, few, most)
	}
}

// BenchmarkHandover has 15,000 connections cross, with records of 300 bytes. All descriptors stay open until the end.
func BenchmarkHandover(b *testing.B) {
	const connections = 15000
	from, to := &crowd{size: connections, value: make([]byte, 250)}, &counter{fds: make([]int, 0, connections)}
	for b.Loop() {
		cross(b, from, to)
		b.StopTimer()
		to.close()
		to.records = 0
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*connections), "ns/conn")
}
