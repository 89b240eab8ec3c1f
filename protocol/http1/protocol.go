// Package http1 is the server's side of HTTP/1.1 (RFC 9110, RFC 9112) as a pure codec. A request is parsed where it
// lies, whole, and strictly: what two parsers could read in two ways is refused.
package http1

import (
	"math"

	"github.com/lineman-go/lineman/protocol"
)

// Protocol is HTTP/1.1 with its options. The zero value is ready.
type Protocol struct {
	// MaxHeader bounds the request line and the fields together, in bytes; 0 means 16 KiB.
	MaxHeader int
}

const (
	defaultHeader = 16 << 10
	maxMethod     = 64      // bytes of a method: all that are registered are shorter
	maxTarget     = 8 << 10 // bytes of a request target
	maxLine       = maxTarget + 2*maxMethod
	maxFields     = 100
)

// Name is "http".
func (*Protocol) Name() string { return "http" }

// NewCodec makes the *Codec of one connection. maxMessage bounds the body of a request.
func (p *Protocol) NewCodec(maxMessage int) protocol.Codec {
	c := &Codec{maxBody: maxMessage, maxHeader: defaultHeader}
	if p.MaxHeader > 0 {
		c.maxHeader = min(p.MaxHeader, math.MaxInt32) // places in a head are kept as int32
	}
	return c
}
