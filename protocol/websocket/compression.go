package websocket

import (
	"slices"
	"strconv"
)

// Compression is permessage-deflate (RFC 7692). It pays for texts such as JSON, and takes time and, while a message is
// handled, memory. Messages that mix a secret with what strangers can choose should not be compressed: their length
// tells of the secret.
type Compression struct {
	// Threshold is how many bytes a message must have to be compressed: a shorter one goes as it is, and so does one
	// that would not become smaller. 0 means 128; less: all are tried.
	Threshold int

	// ContextTakeover keeps the end of the messages so far, so that what repeats from message to message costs nothing
	// again: a better ratio for up to 40 KiB more per connection, and each connection of a broadcast is encoded by
	// itself. The peer has to agree. By default each message stands alone and an idle connection keeps nothing.
	ContextTakeover bool
}

const (
	defaultThreshold = 128

	minBits = 8 // of an LZ77 window (RFC 7692, 7.1.2)
	maxBits = 15
)

// agreement is what both sides found about permessage-deflate, as one of them sees it. The window of what comes is
// always taken to be the largest.
type agreement struct {
	threshold     int
	bits          uint8 // of the window of what this side sends; 0: no compression
	keepsSent     bool  // what this side sends refers to earlier messages
	keepsReceived bool  // what it receives does
}

func (c *Compression) threshold() int {
	if c.Threshold == 0 {
		return defaultThreshold
	}
	return max(c.Threshold, 0)
}

// accept takes the first offer of a client that is acceptable, and says the answer to it. It reports whether the offers
// are well-formed.
func (c *Compression) accept(r fields) (a agreement, answer string, ok bool) {
	for i := 0; ; i++ {
		v := r.Value(extensionsField, i)
		if v == nil {
			return a, answer, true
		}
		list := extensionList{rest: v}
		for x, more := list.next(); more; x, more = list.next() {
			if p, ok := readDeflateParameters(x); ok && answer == "" {
				a, answer = c.answer(p)
			}
		}
		if list.malformed {
			return agreement{}, "", false
		}
	}
}

// answer is RFC 7692, 7.1, for each parameter of an acceptable offer. That the client can use a smaller window, or
// does, is of no use to this side.
func (c *Compression) answer(offer deflateParameters) (agreement, string) {
	a := agreement{
		threshold:     c.threshold(),
		bits:          maxBits,
		keepsSent:     c.ContextTakeover && !offer.serverNoTakeover,
		keepsReceived: c.ContextTakeover && !offer.clientNoTakeover,
	}
	text := deflateName
	if !a.keepsSent {
		text += "; " + serverNoTakeover
	}
	if !a.keepsReceived {
		text += "; " + clientNoTakeover
	}
	if offer.serverBits != 0 {
		a.bits = offer.serverBits
		text += "; " + serverMaxWindow + "=" + strconv.Itoa(int(a.bits))
	}
	return a, text
}

// offer is what a client says.
func (c *Compression) offer() string {
	text := deflateName + "; " + clientMaxWindow
	if !c.ContextTakeover {
		text += "; " + serverNoTakeover + "; " + clientNoTakeover
	}
	return text
}

// agree checks the answer to offer (RFC 7692, 7.1.3). The server may ask for less history than was offered, never for
// more.
func (c *Compression) agree(x extension) (agreement, bool) {
	p, ok := readDeflateParameters(x)
	if !ok || p.clientBitsOpen || !c.ContextTakeover && !p.serverNoTakeover {
		return agreement{}, false
	}
	a := agreement{
		threshold:     c.threshold(),
		bits:          maxBits,
		keepsSent:     c.ContextTakeover && !p.clientNoTakeover,
		keepsReceived: !p.serverNoTakeover,
	}
	if p.clientBits != 0 {
		a.bits = p.clientBits
	}
	return a, true
}

const (
	extensionsField = "Sec-WebSocket-Extensions"

	deflateName      = "permessage-deflate"
	serverNoTakeover = "server_no_context_takeover"
	clientNoTakeover = "client_no_context_takeover"
	serverMaxWindow  = "server_max_window_bits"
	clientMaxWindow  = "client_max_window_bits"
)

// deflateParameters are those of an offer or an answer. 0 bits: not given.
type deflateParameters struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             uint8
	clientBitsOpen                     bool // given without a value, as an offer may (RFC 7692, 7.1.2.2)
}

// readDeflateParameters reports whether an extension is permessage-deflate with parameters that are known, valid and
// given once (RFC 7692, 7.1).
func readDeflateParameters(x extension) (p deflateParameters, ok bool) {
	if x.name != deflateName {
		return deflateParameters{}, false
	}
	for i, given := range x.parameters {
		switch given.name {
		case serverNoTakeover:
			p.serverNoTakeover, ok = true, !given.valued
		case clientNoTakeover:
			p.clientNoTakeover, ok = true, !given.valued
		case serverMaxWindow:
			p.serverBits, ok = windowBits(given)
		case clientMaxWindow:
			p.clientBits, ok = windowBits(given)
			p.clientBitsOpen = !given.valued
			ok = ok || p.clientBitsOpen
		default:
			ok = false
		}
		twice := slices.ContainsFunc(x.parameters[:i], func(p parameter) bool { return p.name == given.name })
		if !ok || twice {
			return deflateParameters{}, false
		}
	}
	return p, true
}

// windowBits reads a decimal from 8 to 15 without leading zeros.
func windowBits(p parameter) (uint8, bool) {
	n, err := strconv.ParseUint(p.value, 10, 8)
	if err != nil || n < minBits || n > maxBits || p.value[0] == '0' {
		return 0, false
	}
	return uint8(n), true
}
