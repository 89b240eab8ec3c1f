package bench

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// Modes of publishing.
const (
	ModeUID = "uid" // each publication is for the next of the uids
	ModeAll = "all" // each is for everyone
)

// Bounds of a run.
const (
	// maxConnections leaves some of the 28,232 ephemeral ports that Linux has for one address to others.
	maxConnections = 25_000

	maxTime = 10 * time.Minute
	maxSize = 32 << 10
	maxRate = 10_000_000
	window  = 512 // lines that wait for their answers, and messages that wait for their pages, at most
)

// Options are what Run does.
type Options struct {
	URL        string        // of the port for pages, ws:// or wss://
	Text       string        // host:port of the port for lines
	Key        string        // to say there; empty means none
	From       string        // IP address that pages come from; empty means that the system chooses
	Identities []Identity    // of the pages, one for each connection; at most 25,000
	Mode       string        // ModeUID or ModeAll
	Rate       float64       // publications per second; 0 means as fast as they are delivered
	For        time.Duration // that is published; at most 10 minutes
	Patience   time.Duration // with one step of the server; 0 means 10 s
	// bytes of a publication, at most 32 KiB; it is larger where that does not hold what has to be in it
	Size int
}

// Check tells what is wrong with the options.
func (o *Options) Check() error {
	switch {
	case len(o.Identities) == 0:
		return errors.New("bench: no connections: want at least one")
	case len(o.Identities) > maxConnections:
		return fmt.Errorf("bench: %d connections: want at most %d: each takes one of the ephemeral ports that this "+
			"machine has for one address (sysctl net.ipv4.ip_local_port_range). "+
			"For more, run several at once, each with other uids and another source address: --from 127.0.0.2 and "+
			"so on", len(o.Identities), maxConnections)
	case o.Mode != ModeUID && o.Mode != ModeAll:
		return fmt.Errorf("bench: mode %q: want %s or %s", o.Mode, ModeUID, ModeAll)
	case !(o.Rate >= 0 && o.Rate <= maxRate):
		return fmt.Errorf("bench: rate %v: want 0, as fast as it goes, to %d a second", o.Rate, maxRate)
	case o.For <= 0 || o.For > maxTime:
		return fmt.Errorf("bench: publishing for %v: want more than 0, and at most %v", o.For, maxTime)
	case o.Size < 0 || o.Size > maxSize:
		return fmt.Errorf("bench: size %d: want at most %d bytes", o.Size, maxSize)
	case o.From != "" && net.ParseIP(o.From) == nil:
		return fmt.Errorf("bench: source address %q: want an IP address of this machine, such as 127.0.0.2", o.From)
	}
	if _, _, err := net.SplitHostPort(o.Text); err != nil {
		return fmt.Errorf("bench: port for lines %q: want host:port, such as 127.0.0.1:5678", o.Text)
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
		return fmt.Errorf("bench: port for pages %q: want ws://host:port or wss://host:port", o.URL)
	}
	return distinct(o.Identities)
}

// Remote is the first of the two addresses that is not of this machine; empty if both are.
func (o *Options) Remote() string {
	if u, err := url.Parse(o.URL); err != nil || !config.Loopback(net.JoinHostPort(u.Hostname(), "0")) {
		return o.URL
	}
	if !config.Loopback(o.Text) {
		return o.Text
	}
	return ""
}
