package websocket

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Handshake is what a client asks a server for. One value serves one connection at a time: it keeps the key of its last
// request.
type Handshake struct {
	// Host is that of the URL, with its port unless that is the scheme's: "example.com:8080". It must be given.
	Host string

	// Path is that of the URL with its query, beginning with a slash. "" means "/".
	Path string

	// Header is further fields as name and value, in this order: Origin, Authorization, Cookie and the like. Those that
	// the handshake is made of are refused.
	Header [][2]string

	// Subprotocols are those that the client speaks, the one it likes best first.
	Subprotocols []string

	// Compression of messages, if the server can do it too. nil: never.
	Compression *Compression

	key     [24]byte
	seen    int // bytes that hold no end of an answer
	interim int // bytes of answers before the answer
}

// ErrHandshake is what AppendRequest gives, wrapped, for a Handshake that makes no request.
var ErrHandshake = errors.New("websocket: handshake cannot be sent")

// AnswerError is why a server's answer makes no WebSocket.
type AnswerError struct {
	Status int // of the answer: 401, 403, 503 and the like; 101 if another part of it is wrong; 0 if it is not HTTP
	Reason string
}

func (e *AnswerError) Error() string { return "websocket: handshake: " + e.Reason }

// AppendRequest appends the request with a new random key (RFC 6455, 4.1). The error wraps ErrHandshake: dst is as it
// was then.
func (h *Handshake) AppendRequest(dst []byte) ([]byte, error) {
	if err := h.check(); err != nil {
		return dst, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	h.key, h.seen, h.interim = newKey(), 0, 0
	dst = fmt.Appendf(dst, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
		h.path(), h.Host)
	dst = fmt.Appendf(dst, "Sec-WebSocket-Version: %s\r\nSec-WebSocket-Key: %s\r\n", version, h.key[:])
	if len(h.Subprotocols) > 0 {
		dst = fmt.Appendf(dst, "Sec-WebSocket-Protocol: %s\r\n", strings.Join(h.Subprotocols, ", "))
	}
	if h.Compression != nil {
		dst = fmt.Appendf(dst, "%s: %s\r\n", extensionsField, h.Compression.offer())
	}
	for _, field := range h.Header {
		dst = fmt.Appendf(dst, "%s: %s\r\n", field[0], field[1])
	}
	return append(dst, "\r\n"...), nil
}

func (h *Handshake) path() string {
	if h.Path == "" {
		return "/"
	}
	return h.Path
}

// newKey is a nonce of 16 bytes in base64.
func newKey() (key [24]byte) {
	var nonce [16]byte
	for i := 0; i < len(nonce); i += 4 {
		binary.LittleEndian.PutUint32(nonce[i:], random())
	}
	base64.StdEncoding.Encode(key[:], nonce[:])
	return key
}

// check refuses what would end a line of the request, or say something else than the request itself.
func (h *Handshake) check() error {
	switch {
	case h.Host == "" || !isVisible(h.Host):
		return fmt.Errorf("host %q: give the one of the URL", h.Host)
	case h.path()[0] != '/' || !isVisible(h.path()) || strings.Contains(h.path(), "#"):
		return fmt.Errorf("path %q must begin with a slash and be escaped as in a URL", h.Path)
	}
	for i, name := range h.Subprotocols {
		if !isToken(name) || slices.Contains(h.Subprotocols[:i], name) {
			return fmt.Errorf("subprotocol %q is no token, or given twice", name) // RFC 6455, 4.1
		}
	}
	for _, field := range h.Header {
		if err := CheckField(field[0], field[1]); err != nil {
			return err
		}
	}
	return nil
}

// CheckField says what keeps a field from being a further one of a handshake, or of its answer: that it would end its
// line, or that the handshake is made of it.
func CheckField(name, value string) error {
	if !isToken(name) {
		return fmt.Errorf("field name %q is no token", name) // RFC 9110, 5.1
	}
	lower := strings.ToLower(name)
	switch lower {
	case "host", "upgrade", "connection", "content-length", "transfer-encoding":
		return fmt.Errorf("field %q is the handshake's own", name)
	}
	if strings.HasPrefix(lower, "sec-websocket-") {
		return fmt.Errorf("field %q is the handshake's own", name)
	}
	for i := range len(value) {
		if b := value[i]; b < ' ' && b != '\t' || b == 0x7f {
			return fmt.Errorf("field %q has a control character in its value", name) // RFC 9110, 5.5
		}
	}
	return nil
}

// isVisible reports whether s is of visible ASCII characters alone.
func isVisible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

const (
	maxAnswer  = 64 << 10 // the longest head of an answer, in bytes
	headBegins = "HTTP/1."
	headEnds   = "\r\n\r\n"
)

// Decode looks for the answer to the last request at the beginning of data, in the manner of protocol.Codec: an advance
// of 0 without an error waits for more. What follows the answer is for NewClientCodec. The error is an *AnswerError.
func (h *Handshake) Decode(data []byte) (advance int, a Accepted, err error) {
	for {
		begin := data[h.interim:]
		if n := min(len(begin), len(headBegins)); string(begin[:n]) != headBegins[:n] {
			return 0, Accepted{}, &AnswerError{0, "the peer does not speak HTTP"}
		}
		from := max(h.seen-len(headEnds)+1, h.interim)
		i := bytes.Index(data[from:], []byte(headEnds))
		advance = from + i + len(headEnds)
		switch {
		case i < 0 && len(data) < maxAnswer:
			h.seen = len(data)
			return 0, Accepted{}, nil
		case i < 0 || advance > maxAnswer:
			return 0, Accepted{}, &AnswerError{0, "the answer is too long"}
		}
		a, err = h.examine(data[h.interim:advance])
		switch {
		case err == errInterim:
			h.interim, h.seen = advance, advance
		case err != nil:
			return 0, Accepted{}, err
		default:
			return advance, a, nil
		}
	}
}

// errInterim is an answer before the answer, such as 103 (RFC 9110, 15.2).
var errInterim = errors.New("websocket: interim answer")

// examine looks at the head of an answer as RFC 6455, 4.1 tells.
func (h *Handshake) examine(head []byte) (Accepted, error) {
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: http.MethodGet})
	if err != nil {
		return Accepted{}, &AnswerError{0, "the answer cannot be read: " + err.Error()}
	}
	_ = r.Body.Close() // it was given none
	switch {
	case r.StatusCode == http.StatusSwitchingProtocols:
	case r.StatusCode < 200:
		return Accepted{}, errInterim
	default:
		return Accepted{}, &AnswerError{r.StatusCode, declined(r)}
	}
	a, reason := h.accept(answer{r.Header}, r.ProtoAtLeast(1, 1))
	if reason != "" {
		return Accepted{}, &AnswerError{r.StatusCode, reason}
	}
	return a, nil
}

// declined says what a server answered in place of 101.
func declined(r *http.Response) string {
	reason := fmt.Sprintf("answered with %d %s", r.StatusCode, http.StatusText(r.StatusCode))
	if to := r.Header.Get("Location"); to != "" {
		reason += fmt.Sprintf(" to %q: redirects are not followed", to) // RFC 6455, 4.1 leaves it to the client
	}
	return reason
}

// answer is the head of an answer as fields.
type answer struct{ http.Header }

func (a answer) Value(name string, i int) []byte {
	if values := a.Values(name); i < len(values) {
		return []byte(values[i])
	}
	return nil
}

// accept checks the fields of an answer with status 101. The reason says what is wrong, "" that nothing is.
func (h *Handshake) accept(r fields, http11 bool) (a Accepted, reason string) {
	key := acceptKey(h.key[:])
	switch {
	case !http11:
		return a, "answered with less than HTTP/1.1"
	case !isWord(r.Value("Upgrade", 0), "websocket") || several(r, "Upgrade"):
		return a, "the answer has no \"Upgrade: websocket\""
	case !hasToken(r, "Connection", "upgrade"):
		return a, "the answer has no \"Connection: Upgrade\""
	case !bytes.Equal(r.Value("Sec-WebSocket-Accept", 0), key[:]) || several(r, "Sec-WebSocket-Accept"):
		return a, "the answer is not to this request: Sec-WebSocket-Accept is wrong"
	}
	if chosen := r.Value("Sec-WebSocket-Protocol", 0); chosen != nil {
		a.Subprotocol = string(chosen)
		if !slices.Contains(h.Subprotocols, a.Subprotocol) || several(r, "Sec-WebSocket-Protocol") {
			return a, fmt.Sprintf("the server chose subprotocol %q, which was not offered", a.Subprotocol)
		}
	}
	var ok bool
	if a.deflate, ok = h.agree(r); !ok {
		return a, "the server chose an extension that was not offered, or not like this"
	}
	return a, ""
}

// agree checks the extensions of an answer: none, or the one that was offered, once.
func (h *Handshake) agree(r fields) (a agreement, ok bool) {
	for i := 0; ; i++ {
		v := r.Value(extensionsField, i)
		if v == nil {
			return a, true
		}
		list := extensionList{rest: v}
		for x, more := list.next(); more; x, more = list.next() {
			if h.Compression == nil || a.bits != 0 {
				return a, false
			}
			if a, ok = h.Compression.agree(x); !ok {
				return a, false
			}
		}
		if list.malformed {
			return a, false
		}
	}
}
