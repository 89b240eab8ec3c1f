//go:build unix

package program

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// client is a connection to a Control.
//
//	admitted ──▶ its request is read ──▶ it is one of maxAnswered ──▶ answered ──▶ closed
//	    └─────────── another takes its place, or Close ──────────────────────────────▲
type client struct {
	control *Control
	conn    *net.UnixConn
	in      *bufio.Reader
	ctx     context.Context
	cancel  context.CancelFunc

	mu     sync.Mutex // guards broken and the order of lines
	broken error      // why nothing can be written any more
}

func newClient(c *Control, conn *net.UnixConn) *client {
	cl := &client{control: c, conn: conn, in: bufio.NewReader(conn)}
	cl.ctx, cl.cancel = context.WithCancel(context.WithValue(c.ctx, clientKey{}, cl))
	return cl
}

func (cl *client) run() {
	c := cl.control
	defer cl.conn.Close()
	defer cl.cancel()
	defer c.settle(cl)
	request, err := cl.request()
	if err != nil {
		return
	}
	select {
	case c.answered <- struct{}{}:
	case <-cl.ctx.Done():
		return
	}
	defer func() { <-c.answered }()
	c.settle(cl)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		cl.watch()
	}()
	c.serve(cl.ctx, request, cl.answer)
	cl.conn.Close() // ends watch
	<-watched
}

// request reads what the client asks.
func (cl *client) request() (json.RawMessage, error) {
	if err := cl.conn.SetReadDeadline(time.Now().Add(cl.control.requestTime)); err != nil {
		return nil, err
	}
	unhook := context.AfterFunc(cl.ctx, func() { _ = cl.conn.SetReadDeadline(time.Now()) }) // closed already is as good
	defer unhook()
	line, err := readLine(cl.in)
	if err != nil {
		return nil, err
	}
	if !json.Valid(line) {
		return nil, errors.New("lineman: control socket: the request is not JSON")
	}
	return line, cl.conn.SetReadDeadline(time.Time{})
}

// maxRequest is how long a request may be, in bytes, without the end of its line.
const maxRequest = 64 << 10

// readLine reads a line, and returns it without its end.
func readLine(in *bufio.Reader) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil && len(line) <= maxRequest+1:
			return line[:len(line)-1], nil
		case len(line) > maxRequest:
			return nil, errors.New("lineman: control socket: the request is too long")
		case err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}

// watch ends ctx when the client has gone. One that has only ended its stream, as nc -N does, still reads.
func (cl *client) watch() {
	if _, err := cl.in.ReadByte(); err != io.EOF || hungUp(cl.conn) {
		cl.cancel()
	}
}

// hungUp reports whether the peer has closed the connection in both directions.
func hungUp(conn *net.UnixConn) bool {
	rc, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	state := []unix.PollFd{{}}
	err = rc.Control(func(fd uintptr) {
		state[0].Fd = int32(fd)
		_, _ = unix.Poll(state, 0) // without a result it has not hung up: writing will tell
	})
	return err != nil || state[0].Revents&unix.POLLHUP != 0
}

// answer writes a line.
func (cl *client) answer(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("lineman: control socket: %w", err)
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.broken == nil {
		cl.broken = cl.write(append(text, '\n'))
	}
	if cl.broken != nil {
		cl.cancel()
		return fmt.Errorf("lineman: control socket: %w", cl.broken)
	}
	return nil
}

func (cl *client) write(line []byte) error {
	if err := cl.conn.SetWriteDeadline(time.Now().Add(cl.control.answerTime)); err != nil {
		return err
	}
	_, err := cl.conn.Write(line)
	return err
}
