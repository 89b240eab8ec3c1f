package lineman

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/frame"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/text"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// address is a Worker's Addr taken apart.
type address struct {
	scheme   string
	protocol protocol.Protocol // what the scheme names; nil for raw bytes
	network  string            // tcp, unix or udp; empty without a listener
	target   string            // host:port or path
}

const schemes = "tcp, udp, unix, text, frame, http, websocket, or " +
	"one of the last four with +unix, of text and frame with +udp"

func parseAddress(addr string) (address, error) {
	if addr == "" {
		return address{}, nil
	}
	scheme, target, ok := strings.Cut(addr, "://")
	if !ok {
		return address{}, fmt.Errorf("lineman: address %q: want scheme://host:port; schemes are %s", addr, schemes)
	}
	a := address{scheme: scheme, target: target}
	name, transport, _ := strings.Cut(scheme, "+")
	switch name {
	case "tcp", "udp", "unix":
		if transport != "" {
			return address{}, fmt.Errorf("lineman: address %q: %s takes no transport; schemes are %s", addr,
				name, schemes)
		}
		transport = name
	case "text":
		a.protocol = text.Protocol{}
	case "frame":
		a.protocol = frame.Protocol{}
	case "http":
		a.protocol = &http1.Protocol{}
	case "websocket":
		a.protocol = &websocket.Protocol{}
	default:
		return address{}, fmt.Errorf("lineman: address %q: unknown scheme %q; schemes are %s", addr, name, schemes)
	}
	if transport == "" {
		transport = "tcp"
	}
	if !slices.Contains([]string{"tcp", "unix", "udp"}, transport) {
		return address{}, fmt.Errorf("lineman: address %q: unknown transport %q; schemes are %s", addr,
			transport, schemes)
	}
	a.network = transport
	return a, a.check(addr)
}

func (a address) check(addr string) error {
	if a.network == "unix" {
		if a.target == "" {
			return fmt.Errorf("lineman: address %q: want a path after ://", addr)
		}
		return nil
	}
	if _, _, err := net.SplitHostPort(a.target); err != nil {
		return fmt.Errorf("lineman: address %q: want host:port after ://: %w", addr, err)
	}
	return nil
}
