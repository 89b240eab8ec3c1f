package poll

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is an io_uring that writes to many sockets by one system call. Nothing stays in flight: each write is told not
// to wait, so the kernel completes it while it is submitted, and Write returns when all are complete.
//
//	writes ──▶ submissions ── io_uring_enter: send, send, send … ──▶ completions ──▶ N, Err of each write
//
// Its memory belongs to both sides. The kernel moves submitTail's counterpart and completeTail; this side the others.
type ring struct {
	poller      *epoll
	fd          int
	queues      []byte // the memory of what follows, but for submissions
	entries     []byte // the memory of submissions
	submissions []submission
	submitTail  *uint32
	completions []completion
	completeEnd *uint32 // completions up to here are there
	completeTop *uint32 // and from here on they were not taken
}

// ringSize is how many writes are submitted at once: four already pay, and above 64 there is little left to gain. So
// many of a usual size hold up the process for about 0.2 ms.
const ringSize = 64

// Of the kernel: include/uapi/linux/io_uring.h.
const (
	ringSubmitAll    = 1 << 7     // IORING_SETUP_SUBMIT_ALL: a write that fails does not stop those behind it
	ringSubmissions  = 0x10000000 // IORING_OFF_SQES
	ringSend         = 26         // IORING_OP_SEND
	ringWait         = 1          // IORING_ENTER_GETEVENTS
	ringSingleMemory = 1          // IORING_FEAT_SINGLE_MMAP
)

// ringParams is io_uring_params: what is asked for, and where the kernel has put it.
type ringParams struct {
	submissions, completions, flags, cpu, idle, features, workers uint32

	_ [3]uint32

	submit struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32

		_ uint64
	}
	complete struct {
		head, tail, mask, entries, overflow, completions, flags, _ uint32

		_ uint64
	}
}

// submission is io_uring_sqe, as it is for a send.
type submission struct {
	operation uint8
	flags     uint8
	priority  uint16
	fd        int32
	offset    uint64
	address   uint64
	length    uint32
	message   uint32 // flags of send(2)
	data      uint64 // given back with the completion

	_ [3]uint64
}

// completion is io_uring_cqe.
type completion struct {
	data   uint64
	result int32
	flags  uint32
}

// Batch makes a ring. It needs Linux 5.18; the limits of a container often forbid it.
func (p *epoll) Batch() (Batch, error) {
	params := ringParams{flags: ringSubmitAll}
	fd, _, e := unix.RawSyscall(unix.SYS_IO_URING_SETUP, ringSize, uintptr(unsafe.Pointer(&params)), 0)
	if e != 0 {
		return nil, fmt.Errorf("poll: io_uring_setup: %w: %w", errors.ErrUnsupported, e)
	}
	r := &ring{poller: p, fd: int(fd)}
	if err := r.share(&params); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// share maps the memory that this side and the kernel have in common.
func (r *ring) share(p *ringParams) (err error) {
	if p.features&ringSingleMemory == 0 {
		return fmt.Errorf("poll: io_uring in two pieces of memory: %w", errors.ErrUnsupported)
	}
	size := max(
		int(p.complete.completions)+int(p.completions)*int(unsafe.Sizeof(completion{})),
		int(p.submit.array)+int(p.submissions)*int(unsafe.Sizeof(uint32(0))))
	if r.queues, err = r.mapped(0, size); err != nil {
		return err
	}
	if r.entries, err = r.mapped(ringSubmissions, int(p.submissions)*int(unsafe.Sizeof(submission{}))); err != nil {
		return err
	}
	at := func(offset uint32) unsafe.Pointer { return unsafe.Pointer(&r.queues[offset]) }
	r.submissions = unsafe.Slice((*submission)(unsafe.Pointer(&r.entries[0])), p.submissions)
	r.completions = unsafe.Slice((*completion)(at(p.complete.completions)), p.completions)
	r.submitTail = (*uint32)(at(p.submit.tail))
	r.completeTop, r.completeEnd = (*uint32)(at(p.complete.head)), (*uint32)(at(p.complete.tail))
	order := unsafe.Slice((*uint32)(at(p.submit.array)), p.submissions)
	for i := range order {
		order[i] = uint32(i)
	}
	return nil
}

func (r *ring) mapped(offset int64, size int) ([]byte, error) {
	b, err := unix.Mmap(r.fd, offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("poll: mmap of an io_uring: %w", err)
	}
	return b, nil
}

func (r *ring) Write(writes []Write) {
	for len(writes) > 0 {
		n := min(len(writes), len(r.submissions))
		r.write(writes[:n])
		writes = writes[n:]
	}
}

// write does what fits into the ring.
func (r *ring) write(writes []Write) {
	first := *r.submitTail
	for i := range writes {
		w := &writes[i]
		w.N, w.Err = 0, errUntold
		r.submissions[(first+uint32(i))%uint32(len(r.submissions))] = submission{
			operation: ringSend, fd: r.poller.slots.at(w.Handle).fd, message: unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL,
			address: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(w.Bytes)))), length: uint32(len(w.Bytes)),
			data: uint64(i),
		}
	}
	r.submit(len(writes))
	r.take(writes)
	runtime.KeepAlive(writes)
	for i := range writes {
		if w := &writes[i]; w.Err == errUntold {
			n, err := r.poller.Write(w.Handle, w.Bytes[w.N:])
			w.N, w.Err = w.N+n, err
		}
	}
}

// errUntold is for a write of which the ring does not tell the end.
var errUntold = errors.New("poll: not done")

// submit has the kernel do n writes, and returns when they are complete. What it does not accept, for lack of memory,
// is taken back.
func (r *ring) submit(n int) {
	atomic.AddUint32(r.submitTail, uint32(n))
	accepted := 0
	for r.complete() < n {
		k, _, e := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(n-accepted),
			uintptr(n-r.complete()), ringWait, 0, 0)
		switch e {
		case 0:
			accepted += int(k)
		case unix.EINTR:
		default:
			atomic.AddUint32(r.submitTail, -uint32(n-accepted))
			n = accepted
		}
	}
}

// complete is how many writes are complete and were not taken.
func (r *ring) complete() int { return int(atomic.LoadUint32(r.completeEnd) - *r.completeTop) }

// take stores what became of the writes.
func (r *ring) take(writes []Write) {
	top := *r.completeTop
	for range r.complete() {
		c := &r.completions[top%uint32(len(r.completions))]
		w := &writes[c.data]
		switch e := syscall.Errno(-c.result); {
		case c.result >= 0:
			if w.N = int(c.result); w.N == len(w.Bytes) {
				w.Err = nil
			}
		case e == unix.EAGAIN:
			w.Err = ErrAgain
		case e != unix.EINTR && e != unix.ECANCELED:
			w.Err = e
		}
		top++
	}
	atomic.StoreUint32(r.completeTop, top)
}

func (r *ring) Close() error {
	for _, b := range [][]byte{r.entries, r.queues} {
		if b != nil {
			_ = unix.Munmap(b) // it is what Mmap has given
		}
	}
	return unix.Close(r.fd)
}
