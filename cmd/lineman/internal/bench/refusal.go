package bench

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
)

// refusal is why a page cannot be there, and what to do about it.
func (b *bench) refusal(err error) error {
	var answer *websocket.AnswerError
	var said *websocket.CloseError
	var operation *net.OpError
	switch {
	case errors.As(err, &said) && said.Code == push.CodeUnauthorized:
		return fmt.Errorf("bench: the server refuses a credential: %s: outside of dev mode, each page needs one "+
			"of its own: "+
			"--credentials-file FILE, with lines of a uid, a space, and what lineman token --uid UID prints",
			said.Reason)
	case errors.As(err, &said):
		return fmt.Errorf("bench: the server has closed a page with %d %s: the settings of limits may be the reason",
			said.Code, said.Reason)
	case errors.As(err, &answer) && answer.Status == 429:
		return fmt.Errorf("bench: the server takes no further page: %d of %d have come: see limits in its settings: %w",
			b.opened, len(b.pages), err)
	case errors.As(err, &answer):
		return fmt.Errorf("bench: is %s the port for pages? %w", b.options.URL, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("bench: there is no port left for a connection, or no source address %q: %d of %d have "+
			"come: take less, or another --from, such as 127.0.0.2: %w",
			b.options.From, b.opened, len(b.pages), err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("bench: this machine allows no more open files: %d of %d pages have come: lineman doctor "+
			"tells what to do: %w", b.opened, len(b.pages), err)
	case errors.As(err, &operation) && operation.Op == "dial" && b.opened == 0:
		return fmt.Errorf("bench: no server on %s: start it by lineman start, or say where it is by --url: %w",
			b.options.URL, reason(err))
	case err == nil:
		return errors.New("bench: a page was closed")
	}
	return fmt.Errorf("bench: %d of %d pages have come, and one has gone: %w", b.opened, len(b.pages), err)
}

// reason is why a connection has not come about, without its address, which is said anyway.
func reason(err error) error {
	var call *os.SyscallError
	var network *net.OpError
	switch {
	case errors.As(err, &call):
		return call.Err
	case errors.As(err, &network):
		return network.Err
	}
	return err
}
