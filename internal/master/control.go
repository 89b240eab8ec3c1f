//go:build unix

package master

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/internal/sock"
)

// ErrNoMaster means that nobody listens on a control socket.
var ErrNoMaster = errors.New("lineman: nobody listens on the control socket")

const (
	maxRequest  = 64 << 10        // bytes of a request
	requestTime = 5 * time.Second // in which it has to come
	answerTime  = 5 * time.Second // in which each line of the answer has to be taken
	maxClients  = 32              // at a time; others wait
)

// Serve answers a request: one line of JSON, with any number of them. ctx ends when the client has gone, or does not read.
type Serve func(ctx context.Context, request json.RawMessage, answer func(v any) error)

// Control is the control socket of a running master. Only its own user and root are served.
type Control struct {
	listener net.Listener
	path     string
	serve    Serve
	ctx      context.Context
	cancel   context.CancelFunc
	clients  chan struct{}
	served   sync.WaitGroup
}

// ListenControl listens on a Unix socket that nobody but this user and root can open.
func ListenControl(path string, serve Serve) (*Control, error) {
	ln, err := sock.Listen("unix", path, sock.Options{Mode: 0o600})
	if err != nil {
		return nil, fmt.Errorf("lineman: control socket: %w", err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	c := &Control{listener: ln, path: path, serve: serve, clients: make(chan struct{}, maxClients)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.served.Add(1)
	go c.accept()
	return c, nil
}

// Close removes the socket and waits for the answers under way, which are told by their ctx.
func (c *Control) Close() error {
	c.cancel()
	err := c.listener.Close()
	sock.Remove(c.path)
	c.served.Wait()
	return err
}

func (c *Control) accept() {
	defer c.served.Done()
	for c.ctx.Err() == nil {
		conn, err := c.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(100 * time.Millisecond) // no descriptors: one may become free
			continue
		}
		select {
		case c.clients <- struct{}{}:
		case <-c.ctx.Done():
			conn.Close()
			return
		}
		c.served.Add(1)
		go func() {
			defer c.served.Done()
			defer func() { <-c.clients }()
			defer conn.Close()
			c.client(conn.(*net.UnixConn))
		}()
	}
}

// client serves one connection. Whatever it does wrong, it alone is closed.
func (c *Control) client(conn *net.UnixConn) {
	if !trusted(conn) {
		return
	}
	if conn.SetReadDeadline(time.Now().Add(requestTime)) != nil {
		return
	}
	unhook := context.AfterFunc(c.ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer unhook()
	in := bufio.NewReaderSize(conn, 4<<10)
	line, err := readLine(in)
	if err != nil || !json.Valid(line) {
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	if conn.SetReadDeadline(time.Time{}) != nil {
		return
	}
	var watch sync.WaitGroup
	watch.Add(1)
	go func() {
		defer watch.Done()
		defer cancel()
		_, _ = in.ReadByte() // returns when the client goes, or says what nobody asked for
	}()
	c.serve(ctx, line, func(v any) error {
		text, err := json.Marshal(v)
		if err == nil {
			err = conn.SetWriteDeadline(time.Now().Add(answerTime))
		}
		if err == nil {
			_, err = conn.Write(append(text, '\n'))
		}
		if err != nil {
			cancel()
			return fmt.Errorf("lineman: control socket: %w", err)
		}
		return nil
	})
	conn.Close()
	watch.Wait()
}

// readLine reads a line of at most maxRequest bytes.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxRequest:
			return nil, errors.New("lineman: control socket: the request is too long")
		case err == nil:
			return line, nil
		case err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}

// trusted reports whether the peer is this user or root.
func trusted(conn *net.UnixConn) bool {
	rc, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	uid := -1
	if rc.Control(func(fd uintptr) { uid, err = peerUID(int(fd)) }) != nil || err != nil {
		return false
	}
	return uid == os.Geteuid() || uid == 0
}

// Answers are the lines of an answer.
type Answers struct {
	conn   net.Conn
	in     *bufio.Reader
	unhook func() bool
}

// Ask sends a request to the control socket at path. It matches ErrNoMaster if nobody listens there.
func Ask(ctx context.Context, path string, request any) (*Answers, error) {
	line, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("lineman: control socket: %w", err)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w %s", ErrNoMaster, path)
	}
	if err != nil {
		return nil, fmt.Errorf("lineman: control socket: %w", err)
	}
	if !trusted(conn.(*net.UnixConn)) {
		conn.Close()
		return nil, fmt.Errorf("lineman: control socket %s is another user's", path)
	}
	a := &Answers{conn: conn, in: bufio.NewReader(conn)}
	a.unhook = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	if _, err := conn.Write(append(line, '\n')); err != nil {
		a.Close()
		return nil, fmt.Errorf("lineman: control socket %s: %w", path, err)
	}
	return a, nil
}

// Next decodes the next line; io.EOF means that there is none.
func (a *Answers) Next(v any) error {
	line, err := a.in.ReadBytes('\n')
	if err != nil {
		if err == io.EOF && len(line) == 0 {
			return io.EOF
		}
		return fmt.Errorf("lineman: control socket: %w", err)
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("lineman: control socket: %w", err)
	}
	return nil
}

// Close ends the conversation.
func (a *Answers) Close() {
	a.unhook()
	a.conn.Close()
}

// maxSocketPath is what the systems that Lineman runs on take at least, with the byte that ends it.
const maxSocketPath = 104

// SocketPath is path or, if the system cannot take one so long, a place of this user's in the folder for temporary files.
func SocketPath(path string) string {
	if len(path) < maxSocketPath {
		return path
	}
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(os.TempDir(), fmt.Sprintf("lineman-%d-%x.sock", os.Getuid(), sum[:8]))
}
