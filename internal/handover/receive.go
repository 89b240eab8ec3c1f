//go:build unix

package handover

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// A Receiver is the successor's side of a transfer. Its methods are called on one goroutine.
type Receiver struct {
	*stream
	hello   Hello
	sink    Sink
	record  Record // is read to again and again
	came    []int  // descriptors of the load at hand
	taken   int    // of these
	records uint64 // have come
	refused []note
}

// Accept reads hello from the predecessor at the other end of conn, which it takes over. Its error matches ErrVersion
// if that is of a later version.
func Accept(conn *net.UnixConn, limits Limits) (*Receiver, error) {
	r := &Receiver{stream: newStream(conn, limits)}
	m, err := r.hear()
	if err == nil && m.kind != kindHello {
		err = fmt.Errorf("%w: %s in place of %s", ErrCorrupt, m.kind, kindHello)
	}
	if err == nil {
		err = r.hello.parse(m.payload)
	}
	if err != nil {
		r.Fail(err)
		return nil, err
	}
	go r.makeRoom()
	return r, nil
}

// makeRoom does what MakeRoom does by a descriptor that is there. Mostly there is room then.
func (r *Receiver) makeRoom() {
	if raw, err := r.conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { growTable(fd, r.hello.Conns) })
	}
}

// MakeRoom has the table of descriptors of this process grow once, for as many as will come. Else the kernel doubles it
// again and again as they come, and waits each time until all processors have seen it. Even once takes milliseconds, so
// a successor has it done before its predecessor stands still.
func MakeRoom(descriptors int) {
	if f, err := os.Open(os.DevNull); err == nil {
		growTable(f.Fd(), descriptors)
		f.Close()
	}
}

// growTable tells nobody if there may be no such descriptor: the records that find no room tell.
func growTable(fd uintptr, descriptors int) {
	if last, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, descriptors+otherDescriptors); err == nil {
		unix.Close(last)
	}
}

// otherDescriptors is about how many a process has beside those of connections.
const otherDescriptors = 64

// Hello is what the predecessor said.
func (r *Receiver) Hello() Hello { return r.hello }

// Fail tells the predecessor why the successor cannot start, in place of Receive.
func (r *Receiver) Fail(reason error) { r.tell(kindFailed, reason, r.limits.Step) }

// Receive is called once, when the successor has started. It gives what comes to sink, and returns when it is decided
// who serves. Nil means the caller: it has what the sink took and was not told to keep, and calls Close when it serves
// that. inherited tells that the predecessor has died before it had said all. An error means that the caller closes
// what the sink took; an *Aborted is the predecessor's reason.
func (r *Receiver) Receive(sink Sink) (inherited bool, err error) {
	r.sink = sink
	for _, step := range []func() error{r.welcome, r.load} {
		if err := step(); err != nil {
			r.Fail(err)
			return false, err
		}
	}
	if err = r.ready(); err == nil {
		err = r.settle()
	}
	// The predecessor never ends the stream without a word while it lives, and all records are here.
	inherited = errors.Is(err, ErrClosed) || errors.Is(err, ErrTruncated)
	if err != nil && !inherited {
		r.tell(kindFailed, err, 0) // without the word the predecessor, which may have read ready, would not serve again
		return false, err
	}
	return inherited, nil
}

// Close is called when the caller serves what it has. The predecessor waits for that, for a moment, before it clears
// away what has crossed: that takes a processor, which the caller may need.
func (r *Receiver) Close() { r.close() }

func (r *Receiver) welcome() error {
	if err := r.put(kindWelcome, nil); err != nil {
		return err
	}
	return r.flush(r.limits.Step)
}

// load takes all that the predecessor has when it stands still.
func (r *Receiver) load() error {
	a := readAhead(r.stream)
	err := r.loadAll(a)
	if err != nil {
		a.stop()
	}
	r.files = append(r.files, r.came[r.taken:]...)
	r.came, r.taken = nil, 0
	return err
}

// loadAll takes what is read, up to the end of the records.
func (r *Receiver) loadAll(a *ahead) error {
	for l := range a.loads {
		r.came = append(r.came[:copy(r.came, r.came[r.taken:])], l.files...)
		r.taken = 0
		for _, m := range l.messages {
			if err := r.loadMessage(m); err != nil {
				return err
			}
		}
		switch left := len(r.came) - r.taken; {
		case l.err != nil:
			return l.err
		case left > 2*BatchRecords: // one batch, and what is left of the one before
			return fmt.Errorf("%w: %d have come that are in no record", ErrDescriptors, left)
		}
		a.done(l)
	}
	return nil
}

func (r *Receiver) loadMessage(m message) error {
	switch m.kind {
	case kindState:
		return r.loadState(m.payload)
	case kindRecord:
		return r.loadRecord(m.payload)
	case kindEnd:
		return r.loaded(m.payload)
	case kindAbort:
		return aborted(m)
	}
	return fmt.Errorf("%w: %s in place of a record", ErrCorrupt, m.kind)
}

func (r *Receiver) loadState(payload []byte) error {
	if r.records > 0 {
		return fmt.Errorf("%w: a state after a record", ErrCorrupt)
	}
	var s State
	if err := s.parse(payload); err != nil {
		return err
	}
	return r.sink.State(s)
}

func (r *Receiver) loadRecord(payload []byte) error {
	if err := r.record.Parse(payload); err != nil {
		return err
	}
	fd := -1
	if r.record.brings() {
		if r.taken == len(r.came) {
			return fmt.Errorf("%w: a record has come without one", ErrDescriptors)
		}
		fd = r.came[r.taken]
		r.taken++
	}
	r.records++
	err := r.sink.Record(&r.record, fd)
	if errors.Is(err, ErrDescriptors) {
		return err
	}
	if err != nil {
		reason := err.Error()
		r.refused = append(r.refused, note{id: r.record.ID, reason: reason[:min(len(reason), longestReason)]})
	}
	return nil
}

// loaded compares what the predecessor has sent with what has come.
func (r *Receiver) loaded(payload []byte) error {
	var end note
	if err := end.parse(payload); err != nil {
		return err
	}
	if end.count != r.records {
		return fmt.Errorf("%w: %d records were sent, and %d have come", ErrCorrupt, end.count, r.records)
	}
	if left := len(r.came) - r.taken; left > 0 {
		return fmt.Errorf("%w: %d have come that are in no record", ErrDescriptors, left)
	}
	return nil
}

// ready tells the predecessor what is here. If that has gone, what it said before is read next.
func (r *Receiver) ready() error {
	err := r.sink.Ready()
	if err == nil {
		err = r.tellRefused()
	}
	if err == nil {
		err = r.put(kindReady, nil)
	}
	if err == nil {
		err = r.flush(r.limits.Step)
	}
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

func (r *Receiver) tellRefused() error {
	var message []byte
	for _, n := range r.refused {
		message = n.append(message[:0])
		if err := r.put(kindRefused, message); err != nil {
			return err
		}
	}
	return nil
}

// settle takes what has changed since, until the predecessor gives all up. An answer to yours that does not arrive
// changes nothing: who does not get it has died.
func (r *Receiver) settle() error {
	for {
		m, err := r.hear()
		if err != nil {
			return err
		}
		var n note
		if err := n.parse(m.payload); err != nil {
			return err
		}
		switch m.kind {
		case kindTail:
			err = r.sink.Tail(n.id, n.output)
		case kindKeep:
			err = r.sink.Keep(n.id)
		case kindYours:
			if err := r.put(kindMine, nil); err == nil {
				_ = r.flush(r.limits.Step)
			}
			return nil
		default:
			err = fmt.Errorf("%w: %s in place of %s", ErrCorrupt, m.kind, kindYours)
		}
		if err != nil {
			return err
		}
	}
}

// hear reads the next message, and returns an *Aborted if it is that.
func (r *Receiver) hear() (message, error) {
	m, err := r.read(r.limits.Step)
	if err != nil || m.kind != kindAbort {
		return m, err
	}
	return message{}, aborted(m)
}

// aborted is an *Aborted, of a message of this kind.
func aborted(m message) error {
	var n note
	if err := n.parse(m.payload); err != nil {
		return err
	}
	return &Aborted{n.reason}
}
