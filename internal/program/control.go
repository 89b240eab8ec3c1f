//go:build unix

package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/lineman-go/lineman/internal/sock"
)

const (
	requestTime = 5 * time.Second        // in which a request has to come
	answerTime  = 5 * time.Second        // in which each line of the answer has to be taken
	maxAnswered = 32                     // clients that are being answered
	maxWaiting  = 128                    // clients that are not yet
	acceptPause = 100 * time.Millisecond // after which there may be a free descriptor again
)

// Serve answers a request, a line of JSON, with any number of them. It runs on a goroutine of each client's. ctx ends
// when the client has gone, does not read, or says more than it may, and when the Control is closed: then answers still
// go out. answer writes a line at once; it fails when the client has not taken it within five seconds, and from then
// on. It may be called on any goroutine, until Serve returns.
type Serve func(ctx context.Context, request json.RawMessage, answer func(v any) error)

// Control is the control socket of a running master. Only its own user and root are served; what they do wrong ends
// their own connection and nothing else. Clients that keep the others waiting make room: of those who are not being
// answered yet, a newcomer takes the place of the one that came first.
type Control struct {
	listener    *net.UnixListener
	path        string
	serve       Serve
	requestTime time.Duration
	answerTime  time.Duration
	ctx         context.Context
	cancel      context.CancelFunc
	answered    chan struct{} // holds one for each client that is being answered
	served      sync.WaitGroup

	mu      sync.Mutex   // guards the following
	waiting []*client    // in the order in which they came
	clients int          // that there are
	rest    *controlRest // nil while it accepts
}

// ListenControl listens on a Unix socket that nobody but this user and root can open. It replaces the file that a dead
// process has left behind; one that somebody listens on is syscall.EADDRINUSE.
func ListenControl(path string, serve Serve) (*Control, error) {
	c := &Control{serve: serve, requestTime: requestTime, answerTime: answerTime}
	if err := c.listen(path); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Control) listen(path string) error {
	ln, err := sock.Listen("unix", path, sock.Options{Mode: 0o600})
	if err != nil {
		return placeError("control socket", path, err)
	}
	c.open(ln.(*net.UnixListener), path)
	return nil
}

// open accepts from a listener.
func (c *Control) open(ln *net.UnixListener, path string) {
	ln.SetUnlinkOnClose(false)
	c.listener, c.path = ln, path
	c.answered = make(chan struct{}, maxAnswered)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.served.Add(1)
	go c.accept()
}

// Close removes the socket and waits for the answers under way: as long as Serve takes to return once its ctx has
// ended, and a client to take a line.
func (c *Control) Close() error {
	c.cancel()
	err := c.listener.Close()
	sock.Remove(c.path)
	c.served.Wait()
	if err != nil {
		return fmt.Errorf("lineman: control socket: %w", err)
	}
	return nil
}

func (c *Control) accept() {
	defer c.served.Done()
	for {
		conn, err := c.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.pauseForRest()
			continue
		}
		if err != nil {
			c.pause()
			continue
		}
		if uid, err := peerOf(conn.(*net.UnixConn)); err != nil || !trusted(uid) {
			conn.Close()
			continue
		}
		cl := c.admit(conn.(*net.UnixConn))
		c.served.Add(1)
		go func() {
			defer c.served.Done()
			defer c.dismiss()
			cl.run()
		}()
	}
}

func (c *Control) pause() {
	select {
	case <-time.After(acceptPause):
	case <-c.ctx.Done():
	}
}

// admit has a client wait, if need be in the place of another one.
func (c *Control) admit(conn *net.UnixConn) *client {
	cl := newClient(c, conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == maxWaiting {
		c.waiting[0].cancel()
		c.waiting = slices.Delete(c.waiting, 0, 1)
	}
	c.waiting = append(c.waiting, cl)
	c.clients++
	return cl
}

// settle takes a client from those who wait, if it is one.
func (c *Control) settle(cl *client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.waiting, cl); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
}

// peerOf is the user whom the peer runs as, or -1 and why that is not known.
func peerOf(conn *net.UnixConn) (uid int, err error) {
	rc, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	uid = -1
	controlErr := rc.Control(func(fd uintptr) { uid, err = peerUID(int(fd)) })
	return uid, errors.Join(controlErr, err)
}

// trusted reports whether a user is this one or root.
func trusted(uid int) bool { return uid == os.Geteuid() || uid == 0 }
