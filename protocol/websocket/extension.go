package websocket

import "bytes"

// extension is one element of a Sec-WebSocket-Extensions field.
type extension struct {
	name       string
	parameters []parameter
}

// parameter is one of an extension. A quoted value is without its quotes.
type parameter struct {
	name, value string
	valued      bool // has a value at all
}

// maxParameters is how many parameters of an extension are looked at: permessage-deflate has four, so that a fifth is
// one too many whatever it says.
const maxParameters = 5

// extensionList reads the value of a Sec-WebSocket-Extensions field from the left (RFC 6455, 9.1):
//
//	extension-list = 1#( token *( ";" token [ "=" ( token | quoted-string ) ] ) )
type extensionList struct {
	rest      []byte
	malformed bool // what follows in rest is not of this form
}

// next is the next extension of the list; false at the end, or where it is malformed.
func (l *extensionList) next() (extension, bool) {
	for l.take(',') { // RFC 9110, 5.6.1.2: a list may have empty elements
	}
	if len(l.rest) == 0 || l.malformed {
		return extension{}, false
	}
	x := extension{name: l.token()}
	for l.take(';') {
		p := l.parameter()
		if len(x.parameters) < maxParameters {
			x.parameters = append(x.parameters, p)
		}
	}
	if len(l.rest) > 0 && !l.take(',') {
		l.malformed = true
	}
	return x, !l.malformed
}

func (l *extensionList) parameter() parameter {
	p := parameter{name: l.token()}
	if p.valued = l.take('='); !p.valued {
		return p
	}
	if len(l.rest) > 0 && l.rest[0] == '"' {
		p.value = l.quoted()
	} else {
		p.value = l.token()
	}
	return p
}

// take skips a separator and the white space on both sides of it.
func (l *extensionList) take(separator byte) bool {
	l.space()
	if len(l.rest) == 0 || l.rest[0] != separator {
		return false
	}
	l.rest = l.rest[1:]
	l.space()
	return true
}

func (l *extensionList) space() { l.rest = bytes.TrimLeft(l.rest, " \t") }

func (l *extensionList) token() string {
	n := 0
	for n < len(l.rest) && tokenByte(l.rest[n]) {
		n++
	}
	token := string(l.rest[:n])
	l.rest = l.rest[n:]
	l.malformed = l.malformed || n == 0
	return token
}

// quoted reads a quoted string, whose content must be a token once it is unescaped (RFC 6455, 9.1).
func (l *extensionList) quoted() string {
	var token []byte
	for i := 1; i < len(l.rest); i++ {
		switch b := l.rest[i]; {
		case b == '"' && len(token) > 0:
			l.rest = l.rest[i+1:]
			return string(token)
		case b == '\\' && i+1 < len(l.rest) && tokenByte(l.rest[i+1]):
			i++
			token = append(token, l.rest[i])
		case tokenByte(b):
			token = append(token, b)
		default:
			l.malformed = true
			return ""
		}
	}
	l.malformed = true
	return ""
}

func isToken(s string) bool {
	for i := range len(s) {
		if !tokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// tokenByte reports whether a token may have this byte (RFC 9110, 5.6.2).
func tokenByte(b byte) bool {
	switch {
	case b >= '0' && b <= '9', b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z':
		return true
	}
	return b != 0 && bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), b) >= 0
}
