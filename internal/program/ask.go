//go:build unix

package program

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

// ErrNoMaster means that nobody listens on a control socket.
var ErrNoMaster = errors.New("lineman: nobody listens on the control socket")

// Answers are the lines of an answer. They are for one goroutine.
type Answers struct {
	conn   *net.UnixConn
	path   string
	in     *bufio.Reader
	ctx    context.Context // ends the conversation
	unhook func() bool
}

// Ask sends a request to the control socket at path; ctx bounds the whole conversation. The error matches ErrNoMaster
// if there is no socket, or nobody listens on it. A socket of another user, unless that is root, is not asked.
func Ask(ctx context.Context, path string, request any) (*Answers, error) {
	line, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("lineman: control socket %s: %w", path, err)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w %s", ErrNoMaster, path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("lineman: control socket %s: %w: "+
			"give the command as the user whose program it is, or as root", path, fs.ErrPermission)
	}
	if err != nil {
		return nil, fmt.Errorf("lineman: control socket: %w", err)
	}
	a := &Answers{conn: conn.(*net.UnixConn), path: path, in: bufio.NewReader(conn), ctx: ctx}
	a.unhook = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) }) // closed already is as good
	if uid, err := peerOf(a.conn); err != nil || !trusted(uid) {
		a.Close()
		return nil, fmt.Errorf("lineman: control socket %s: another user listens there%s", path, asThatUser(uid))
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		a.Close()
		return nil, a.failed(err)
	}
	return a, nil
}

// asThatUser is how to ask who listens, if that is known: what another user's program answers could be anything, and
// one that root starts again would be root's.
func asThatUser(uid int) string {
	if uid < 0 {
		return ""
	}
	name := "#" + strconv.Itoa(uid)
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		name = u.Username
	}
	return ": give the command as that user, by sudo -u '" + name + "'"
}

// Next decodes the next line; io.EOF means that there is none.
func (a *Answers) Next(v any) error {
	line, err := a.in.ReadBytes('\n')
	if err == io.EOF && len(line) == 0 {
		return io.EOF
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = json.Unmarshal(line, v)
	}
	if err != nil {
		return a.failed(err)
	}
	return nil
}

// failed says why the conversation has failed: if ctx has ended, that is it.
func (a *Answers) failed(err error) error {
	if ended := a.ctx.Err(); ended != nil {
		err = ended
	}
	return fmt.Errorf("lineman: control socket %s: %w", a.path, err)
}

// Close ends the conversation. It may be called more than once.
func (a *Answers) Close() {
	a.unhook()
	a.conn.Close()
}
