package websocket

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"strings"
)

// Request is the HTTP head of a handshake. Names are given in any case.
type Request interface {
	Method() string
	ProtoAtLeast11() bool
	Host() []byte
	Value(name string, i int) []byte // of the i-th field of this name, from 0; nil if there are not so many
}

// A SecureRequest is a Request that knows whether the client speaks TLS: with this side, or with a proxy in front of
// it. Of a Request that is none, a page's scheme is not looked at.
type SecureRequest interface {
	Request
	Secure() bool
}

// fields are those of a head, as Request has them.
type fields interface {
	Value(name string, i int) []byte
}

// Accepted is a handshake that was found right, by the server or the client.
type Accepted struct {
	Subprotocol string   // "" for none
	key         [28]byte // Sec-WebSocket-Accept
	deflate     agreement
	extension   string // the server's Sec-WebSocket-Extensions; "" for none
}

// HandshakeError is why a handshake is refused, as the HTTP answer says it.
type HandshakeError struct {
	Status int // 400, 403, 405 or 426
	Reason string
}

func (e *HandshakeError) Error() string { return "websocket: handshake: " + e.Reason }

// Fields are header fields that the answer needs, as name and value.
func (e *HandshakeError) Fields() [][2]string {
	switch e.Status {
	case 426: // RFC 6455, 4.4; RFC 9110, 15.5.22
		return [][2]string{{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", version}}
	case 405: // RFC 9110, 15.5.6
		return [][2]string{{"Allow", "GET"}}
	}
	return nil
}

const version = "13"

// IsUpgrade reports whether a request asks for a WebSocket at all.
func IsUpgrade(r Request) bool { return hasToken(r, "Upgrade", "websocket") }

// Check looks at a handshake as RFC 6455, 4.2.1 tells, checks its origin and chooses the subprotocol and the
// compression: the first offer of permessage-deflate that is valid. Other offers are declined; a list of them that is
// malformed fails the handshake, but is looked at with Compression only. The error is a *HandshakeError.
func (p *Protocol) Check(r Request) (Accepted, error) {
	key := r.Value("Sec-WebSocket-Key", 0)
	switch {
	case !IsUpgrade(r):
		return Accepted{}, &HandshakeError{426, "this port speaks WebSocket: the request has no \"Upgrade: websocket\""}
	case r.Method() != "GET":
		return Accepted{}, &HandshakeError{405, "a handshake is a GET request"}
	case hasBody(r):
		return Accepted{}, &HandshakeError{400, "a handshake has no body"}
	case !r.ProtoAtLeast11():
		return Accepted{}, &HandshakeError{400, "a handshake needs HTTP/1.1"}
	case len(r.Host()) == 0:
		return Accepted{}, &HandshakeError{400, "no Host"}
	case !hasToken(r, "Connection", "upgrade"):
		return Accepted{}, &HandshakeError{400, "no \"Connection: Upgrade\""}
	case string(r.Value("Sec-WebSocket-Version", 0)) != version || several(r, "Sec-WebSocket-Version"):
		return Accepted{}, &HandshakeError{426, "only version 13 is spoken"}
	case !validKey(key) || several(r, "Sec-WebSocket-Key"):
		return Accepted{}, &HandshakeError{400, "Sec-WebSocket-Key is not 16 bytes in base64"}
	}
	if err := p.CheckOrigin(r); err != nil {
		return Accepted{}, err
	}
	a := Accepted{Subprotocol: p.choose(r), key: acceptKey(key)}
	if p.Compression != nil {
		var ok bool
		if a.deflate, a.extension, ok = p.Compression.accept(r); !ok {
			return Accepted{}, &HandshakeError{400, extensionsField + " is malformed"} // RFC 6455, 9.1
		}
	}
	return a, nil
}

// AppendAccept appends the answer that makes the connection a WebSocket. Further fields of it, as name and value, are
// those that CheckField finds nothing wrong with.
func AppendAccept(dst []byte, a Accepted, header ...[2]string) []byte {
	dst = append(dst,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = append(dst, a.key[:]...)
	if a.Subprotocol != "" {
		dst = append(append(dst, "\r\nSec-WebSocket-Protocol: "...), a.Subprotocol...)
	}
	if a.extension != "" {
		dst = append(append(dst, "\r\n"+extensionsField+": "...), a.extension...)
	}
	for _, f := range header {
		dst = append(append(append(append(dst, "\r\n"...), f[0]...), ": "...), f[1]...)
	}
	return append(dst, "\r\n\r\n"...)
}

// acceptKey is RFC 6455, 4.2.2, step 5.4.
func acceptKey(key []byte) (accept [28]byte) {
	var b [60]byte
	h := sha1.Sum(append(append(b[:0], key...), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	base64.StdEncoding.Encode(accept[:], h[:])
	return accept
}

func validKey(key []byte) bool {
	var b [18]byte
	if len(key) != 24 {
		return false
	}
	n, err := base64.StdEncoding.Decode(b[:], key)
	return err == nil && n == 16
}

// hasBody reports whether the head tells of a body. Its length was checked to be a number.
func hasBody(r fields) bool {
	return r.Value("Transfer-Encoding", 0) != nil || len(bytes.Trim(r.Value("Content-Length", 0), "0")) > 0
}

func several(r fields, name string) bool { return r.Value(name, 1) != nil }

// hasToken looks for a token in the comma-separated values of a field, in any case.
func hasToken(r fields, name, token string) bool {
	for i := 0; ; i++ {
		v := r.Value(name, i)
		if v == nil {
			return false
		}
		for len(v) > 0 {
			var item []byte
			item, v, _ = bytes.Cut(v, []byte{','})
			if isWord(bytes.TrimSpace(item), token) {
				return true
			}
		}
	}
}

// isWord compares with a word in ASCII, in any case.
func isWord(b []byte, word string) bool {
	return len(b) == len(word) && strings.EqualFold(string(b), word)
}

// choose is the first subprotocol that the client offers too, "" if there is none.
func (p *Protocol) choose(r Request) string {
	for _, name := range p.Subprotocols {
		if offers(r, name) {
			return name
		}
	}
	return ""
}

// Offered are the subprotocols that a client offers, as it offers them: the one that it likes best first. The head is a
// Request, or anything else that has fields.
func Offered(head interface {
	Value(name string, i int) []byte
}) (names []string) {
	for i := 0; ; i++ {
		v := head.Value("Sec-WebSocket-Protocol", i)
		if v == nil {
			return names
		}
		for item := range bytes.SplitSeq(v, []byte{','}) {
			if name := string(bytes.TrimSpace(item)); name != "" {
				names = append(names, name)
			}
		}
	}
}

func offers(r fields, subprotocol string) bool {
	for i := 0; ; i++ {
		v := r.Value("Sec-WebSocket-Protocol", i)
		if v == nil {
			return false
		}
		for len(v) > 0 {
			var item []byte
			item, v, _ = bytes.Cut(v, []byte{','})
			if string(bytes.TrimSpace(item)) == subprotocol {
				return true
			}
		}
	}
}
