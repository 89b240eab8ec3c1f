//go:build unix

package program

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// controlRest is a time in which a Control accepts nobody: who comes waits in the kernel.
type controlRest struct {
	began  chan struct{} // closed by the goroutine that accepts
	over   chan struct{} // closed by Resume
	spared int           // clients who may stay
	quiet  chan struct{} // closed once there are no others; guarded by the Control's lock
}

// controlTime bounds how long a Control waits until its clients are answered: as long as one may take that says
// nothing, and one that reads nothing.
const controlTime = requestTime + answerTime

// Suspend has the Control accept nobody until Resume, and waits until it has so many clients at most: those whom the
// caller answers. It is an error if ctx ends before that, or after controlTime: then the Control accepts again.
func (c *Control) Suspend(ctx context.Context, spared int) error {
	r := &controlRest{
		began: make(chan struct{}), over: make(chan struct{}), spared: spared, quiet: make(chan struct{}),
	}
	c.mu.Lock()
	c.rest = r
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, controlTime)
	defer cancel()
	_ = c.listener.SetDeadline(time.Unix(1, 0)) // closed is as good: nobody is accepted
	for _, still := range []chan struct{}{r.began, r.quiet} {
		select {
		case <-still:
		case <-ctx.Done():
			c.Resume()
			return errors.New("lineman: other commands are under way")
		}
	}
	return nil
}

// Resume ends what Suspend has begun.
func (c *Control) Resume() {
	c.mu.Lock()
	r := c.rest
	c.rest = nil
	c.mu.Unlock()
	_ = c.listener.SetDeadline(time.Time{}) // likewise
	close(r.over)
}

// pauseForRest is the rest of the goroutine that accepts, if it is to rest.
func (c *Control) pauseForRest() {
	c.mu.Lock()
	r := c.rest
	if r != nil {
		close(r.began)
		c.noteQuietLocked()
	}
	c.mu.Unlock()
	if r != nil {
		<-r.over
	}
}

// dismiss notes that a client has gone.
func (c *Control) dismiss() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clients--
	c.noteQuietLocked()
}

// noteQuietLocked ends the waiting of Suspend if there are so few clients. The lock of c is held.
func (c *Control) noteQuietLocked() {
	r := c.rest
	if r == nil || c.clients > r.spared {
		return
	}
	select {
	case <-r.quiet:
	default:
		close(r.quiet)
	}
}

// continueControl is a Control for the listener that another one was suspended at, in this process.
func continueControl(fd int, path string, serve Serve) (*Control, error) {
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("lineman: control socket: %w", err)
	}
	unixListener, ok := ln.(*net.UnixListener)
	if !ok {
		ln.Close()
		return nil, fmt.Errorf("lineman: control socket: descriptor %d is something else", fd)
	}
	c := &Control{serve: serve, requestTime: requestTime, answerTime: answerTime}
	c.open(unixListener, path)
	return c, nil
}

// clientKey is what the context of a Serve has its client by.
type clientKey struct{}

// clientOf is the client that is being answered, or nil.
func clientOf(ctx context.Context) *client {
	cl, _ := ctx.Value(clientKey{}).(*client)
	return cl
}

// descriptorOf is the descriptor of something that is open.
func descriptorOf(c syscall.Conn) (fd int, err error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("lineman: %w", err)
	}
	if err := rc.Control(func(n uintptr) { fd = int(n) }); err != nil {
		return -1, fmt.Errorf("lineman: %w", err)
	}
	return fd, nil
}

// answerClient writes the last line to a client of the program that this process was.
func answerClient(fd int, line []byte) error {
	f := os.NewFile(uintptr(fd), "control")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return fmt.Errorf("lineman: control socket: %w", err)
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
		return fmt.Errorf("lineman: control socket: %w", err)
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("lineman: control socket: %w", err)
	}
	return nil
}
