package http1

import (
	"bytes"
	"math"
	"net/url"
)

// parse reads the head that data begins with, its empty line included, and returns how long it is.
func (r *Request) parse(data []byte) (n int, err error) {
	line, err := r.requestLine(data)
	if err != nil {
		return 0, err
	}
	if n, err = r.fields.read(data, line); err != nil {
		return 0, err
	}
	if err := r.checkHost(); err != nil {
		return 0, err
	}
	r.close = r.http10
	if r.fields.noticed&hasConnection != 0 {
		r.close = r.hasToken("Connection", "close") || r.http10 && !r.hasToken("Connection", "keep-alive")
	}
	if r.fields.noticed&hasExpect != 0 {
		err = r.checkExpect()
	}
	return n, err
}

// requestLine is method, target, version, with one space between each (RFC 9112, 3). It returns how long it is.
func (r *Request) requestLine(data []byte) (n int, err error) {
	space := tokenEnd(data, 0)
	if space == 0 || space == len(data) || data[space] != ' ' {
		return 0, bad("malformed request line")
	}
	if space > maxMethod {
		return 0, &Error{Status: 501, Reason: "method too long"}
	}
	r.method = known(data[:space])
	from := space + 1
	plain := plainEnd(data, from)
	end := targetEnd(data, plain)
	if end == from || end == len(data) || data[end] != ' ' {
		return 0, bad("malformed request line")
	}
	if end-from > maxTarget {
		return 0, &Error{Status: 414, Reason: "request target too long"}
	}
	if err := r.version(data[end+1:]); err != nil {
		return 0, err
	}
	if r.method == "CONNECT" {
		return 0, &Error{Status: 501, Reason: "this is no proxy"}
	}
	r.target = data[from:end]
	switch n = end + len(" HTTP/1.1\r\n"); {
	case data[from] == '/' && plain == end: // nearly always
		r.path = r.target
	case data[from] == '/' && data[plain] == '?':
		r.path, r.query = data[from:plain], data[plain+1:end]
	default:
		err = r.parseTarget()
	}
	return n, err
}

// version reads the version, and the end of its line.
func (r *Request) version(v []byte) error {
	const usual = "HTTP/1.1\r\n"
	if len(v) >= len(usual) && string(v[:len(usual)]) == usual {
		r.http10 = false
		return nil
	}
	if !isCRLF(v, len("HTTP/1.1")) || string(v[:5]) != "HTTP/" || v[6] != '.' || !digit(v[5]) || !digit(v[7]) {
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
func (r *Request) parseTarget() error {
	target := r.target
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

// checkHost wants exactly one valid Host, in HTTP/1.0 at most one (RFC 9112, 3.2).
func (r *Request) checkHost() error {
	if r.fields.noticed&hasHost == 0 {
		if !r.http10 {
			return bad("no Host")
		}
		return nil
	}
	v := r.fields.value(r.fields.host)
	if r.fields.noticed&hasHosts != 0 || !validHost(v) {
		return bad("more than one Host, or a malformed one")
	}
	if r.host == nil { // of an absolute target it is the target's that counts (RFC 9112, 3.2.2)
		r.host = v
	}
	return nil
}

// checkExpect knows one expectation, which means nothing in HTTP/1.0 (RFC 9110, 10.1.1).
func (r *Request) checkExpect() error {
	for v := range r.Values("Expect") {
		for len(v) > 0 {
			var item []byte
			item, v, _ = bytes.Cut(v, []byte{','})
			switch item = bytes.Trim(item, " \t"); {
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
	if r.fields.noticed&hasFraming == 0 {
		return f, nil
	}
	hasLength := r.fields.noticed&hasLength != 0
	if hasLength {
		n, ok := decimal(r.fields.value(r.fields.length))
		if !ok || r.fields.noticed&hasLengths != 0 {
			return f, bad("malformed or repeated Content-Length")
		}
		f.length = n
	}
	if r.fields.noticed&hasCoding == 0 { // nearly always
		return f, nil
	}
	codings := 0
	for v := range r.Values("Transfer-Encoding") {
		if codings++; codings > 1 || r.http10 || hasLength {
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
	n := 0
	for n < len(v) && hostBytes[v[n]] {
		n++
	}
	return n == len(v) || n > 0 && v[n] == ':' && validPort(v[n:])
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
