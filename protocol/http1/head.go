package http1

import (
	"bytes"
	"math"
	"net/url"
)

// parse reads a whole head, its empty line included.
func (r *Request) parse(head []byte) error {
	i := bytes.IndexByte(head, '\n')
	if i == 0 || head[i-1] != '\r' {
		return bareLineFeed()
	}
	if err := r.requestLine(head[:i-1]); err != nil {
		return err
	}
	var err error
	if r.fields, err = appendFields(r.fields[:0], head[i+1:]); err != nil {
		return err
	}
	r.notice()
	if err := r.checkHost(); err != nil {
		return err
	}
	r.close = r.http10
	if r.noticed&hasConnection != 0 {
		r.close = r.hasToken("Connection", "close") || r.http10 && !r.hasToken("Connection", "keep-alive")
	}
	if r.noticed&hasExpect != 0 {
		return r.checkExpect()
	}
	return nil
}

// What fields that the server itself looks at a head has, so that those which most have not need not be looked for.
const (
	hasConnection = 1 << iota
	hasExpect
	hasFraming
)

// notice looks at the names of the fields once.
func (r *Request) notice() {
	for i := range r.fields {
		switch name := r.fields[i].name; len(name) {
		case len("Expect"):
			if equalFold(name, "Expect") {
				r.noticed |= hasExpect
			}
		case len("Connection"):
			if equalFold(name, "Connection") {
				r.noticed |= hasConnection
			}
		case len("Content-Length"):
			if equalFold(name, "Content-Length") {
				r.noticed |= hasFraming
			}
		case len("Transfer-Encoding"):
			if equalFold(name, "Transfer-Encoding") {
				r.noticed |= hasFraming
			}
		}
	}
}

// requestLine is method, target, version, with one space between each (RFC 9112, 3).
func (r *Request) requestLine(line []byte) error {
	method, rest, ok := bytes.Cut(line, []byte{' '})
	target, version, ok2 := bytes.Cut(rest, []byte{' '})
	if !ok || !ok2 || !isToken(method) || len(target) == 0 {
		return bad("malformed request line")
	}
	if len(method) > maxMethod {
		return &Error{Status: 501, Reason: "method too long"}
	}
	if len(target) > maxTarget {
		return &Error{Status: 414, Reason: "request target too long"}
	}
	if err := r.version(version); err != nil {
		return err
	}
	r.method = known(method)
	if r.method == "CONNECT" {
		return &Error{Status: 501, Reason: "this is no proxy"}
	}
	return r.parseTarget(target)
}

func (r *Request) version(v []byte) error {
	if len(v) != len("HTTP/1.1") || string(v[:5]) != "HTTP/" || v[6] != '.' || !digit(v[5]) || !digit(v[7]) {
		return bad("malformed HTTP version")
	}
	if v[5] != '1' {
		return &Error{Status: 505, Reason: "only HTTP/1.0 and HTTP/1.1 are spoken"}
	}
	r.http10 = v[7] == '0'
	return nil
}

func digit(b byte) bool { return '0' <= b && b <= '9' }

// known is the method as a string, without an allocation for those that are registered.
func known(method []byte) string {
	switch string(method) {
	case "GET":
		return "GET"
	case "HEAD":
		return "HEAD"
	case "POST":
		return "POST"
	case "PUT":
		return "PUT"
	case "DELETE":
		return "DELETE"
	case "OPTIONS":
		return "OPTIONS"
	case "PATCH":
		return "PATCH"
	}
	return string(method)
}

// parseTarget takes the origin form, the absolute form and the asterisk form (RFC 9112, 3.2).
func (r *Request) parseTarget(target []byte) error {
	for _, b := range target {
		if b <= ' ' || b >= 0x7f || b == '#' {
			return bad("malformed request target")
		}
	}
	r.target = target
	rest := target
	switch {
	case target[0] == '/':
	case string(target) == "*" && r.method == "OPTIONS":
	default:
		scheme, after, ok := bytes.Cut(target, []byte("://"))
		if !ok || !equalFold(scheme, "http") && !equalFold(scheme, "https") {
			return bad("malformed request target")
		}
		end := bytes.IndexAny(after, "/?")
		if end < 0 {
			end = len(after)
		}
		if r.host, rest = after[:end], after[end:]; !validHost(r.host) || len(r.host) == 0 ||
			bytes.IndexByte(r.host, '%') >= 0 {
			return bad("malformed host in the request target") // "%" is decoded by some, so that it is another one
		}
		if _, err := url.ParseRequestURI(string(target)); err != nil { // percent-encodings of the path, and addresses
			return bad("malformed request target")
		}
		if len(rest) == 0 || rest[0] == '?' {
			r.path, r.query = []byte("/"), bytes.TrimPrefix(rest, []byte{'?'})
			return nil
		}
	}
	r.path, r.query, _ = bytes.Cut(rest, []byte{'?'})
	if !isEncoded(r.path) {
		return bad("malformed percent-encoding in the request target")
	}
	return nil
}

// isEncoded reports whether two hexadecimal digits follow each "%" (RFC 3986, 2.1).
func isEncoded(path []byte) bool {
	for {
		i := bytes.IndexByte(path, '%')
		if i < 0 {
			return true
		}
		if path = path[i+1:]; len(path) < 2 || unhex(path[0]) > 15 || unhex(path[1]) > 15 {
			return false
		}
	}
}

// trim leaves out the white space around a value (RFC 9112, 5.1). What is left of an empty one is not nil.
func trim(v []byte) []byte {
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	for len(v) > 0 && (v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		v = v[:len(v)-1]
	}
	return v
}

// appendFields reads field lines up to and with the empty one (RFC 9112, 5).
func appendFields(fields []field, lines []byte) ([]field, error) {
	for {
		i := bytes.IndexByte(lines, '\n')
		if i == 0 || lines[i-1] != '\r' {
			return fields, bareLineFeed()
		}
		line := lines[:i-1]
		lines = lines[i+1:]
		if len(line) == 0 {
			return fields, nil
		}
		if len(fields) == maxFields {
			return fields, &Error{Status: 431, Reason: "too many header fields"}
		}
		colon := tokenLength(line)
		if colon == 0 || colon == len(line) || line[colon] != ':' {
			return fields, bad("malformed field name") // RFC 9112, 5.1 and 5.2: space before ":", folded lines
		}
		value := trim(line[colon+1:])
		if !isValue(value) {
			return fields, bad("control character in a field value")
		}
		fields = append(fields, field{line[:colon:colon], value})
	}
}

// checkHost wants exactly one valid Host, in HTTP/1.0 at most one (RFC 9112, 3.2).
func (r *Request) checkHost() error {
	n := 0
	for v := range r.Values("Host") {
		if n++; n > 1 || !validHost(v) {
			return bad("more than one Host, or a malformed one")
		}
		if r.host == nil { // of an absolute target it is the target's that counts (RFC 9112, 3.2.2)
			r.host = v
		}
	}
	if n == 0 && !r.http10 {
		return bad("no Host")
	}
	return nil
}

// checkExpect knows one expectation, which means nothing in HTTP/1.0 (RFC 9110, 10.1.1).
func (r *Request) checkExpect() error {
	for v := range r.Values("Expect") {
		for len(v) > 0 {
			var item []byte
			item, v, _ = bytes.Cut(v, []byte{','})
			switch item = trim(item); {
			case equalFold(item, "100-continue"):
				r.expect = !r.http10
			case len(item) > 0: // RFC 9110, 5.6.1.2: empty elements do not count
				return &Error{Status: 417, Reason: "unknown expectation"}
			}
		}
	}
	return nil
}

// framing is how a body ends.
type framing struct {
	length  int64
	chunked bool
}

// framing reads it from the fields. What a second parser might read otherwise is refused (RFC 9112, 6.1 to 6.3, 11.2).
func (r *Request) framing() (framing, error) {
	var f framing
	if r.noticed&hasFraming == 0 {
		return f, nil
	}
	lengths, codings := 0, 0
	for v := range r.Values("Content-Length") {
		n, ok := decimal(v)
		if lengths++; !ok || lengths > 1 {
			return f, bad("malformed or repeated Content-Length")
		}
		f.length = n
	}
	for v := range r.Values("Transfer-Encoding") {
		if codings++; codings > 1 || r.http10 || lengths > 0 {
			return f, bad("Transfer-Encoding repeated, in HTTP/1.0, or beside Content-Length")
		}
		if !equalFold(v, "chunked") {
			return f, transferError(v)
		}
		f.chunked = true
	}
	if f.chunked && r.announcesFraming() {
		return f, bad("Trailer announces a field that frames the body")
	}
	return f, nil
}

// announcesFraming reports whether fields are said to follow the body that have to stand before it (RFC 9110, 6.5.1).
func (r *Request) announcesFraming() bool {
	return r.hasToken("Trailer", "Content-Length") || r.hasToken("Trailer", "Transfer-Encoding") ||
		r.hasToken("Trailer", "Trailer")
}

func transferError(value []byte) error {
	last := value
	if i := bytes.LastIndexByte(value, ','); i >= 0 {
		last = value[i+1:]
	}
	if !equalFold(bytes.Trim(last, " \t"), "chunked") && bytes.Contains(bytes.ToLower(value), []byte("chunked")) {
		return bad("chunked is not the last transfer coding")
	}
	return &Error{Status: 501, Reason: "unknown transfer coding"}
}

// decimal reads digits and nothing else. What does not fit is as good as the largest number.
func decimal(v []byte) (n int64, ok bool) {
	for _, b := range v {
		if !digit(b) {
			return 0, false
		}
		if n > (math.MaxInt64-9)/10 {
			n = math.MaxInt64/10 - 1
		}
		n = n*10 + int64(b-'0')
	}
	return n, len(v) > 0
}

// validHost checks the bytes and the port of host:port (RFC 3986, 3.2.2). Empty is legal.
func validHost(v []byte) bool {
	if len(v) > 0 && v[0] == '[' {
		end := bytes.IndexByte(v, ']')
		if end < 0 || end+1 < len(v) && v[end+1] != ':' {
			return false
		}
		for _, b := range v[1:end] {
			if unhex(b) > 15 && b != ':' && b != '.' && b != '%' {
				return false
			}
		}
		return end > 1 && validPort(v[end+1:])
	}
	name, port := v, []byte(nil)
	if i := bytes.IndexByte(v, ':'); i >= 0 {
		name, port = v[:i], v[i:]
	}
	for _, b := range name {
		if !hostBytes[b] {
			return false
		}
	}
	return validPort(port) && (len(name) > 0 || len(v) == 0)
}

func validPort(v []byte) bool {
	if len(v) == 0 {
		return true
	}
	for _, b := range v[1:] {
		if !digit(b) {
			return false
		}
	}
	return len(v) <= len(":65535")
}
