package http1

import (
	"bytes"
	"errors"
)

// A Codec is the requests of one connection. It keeps no bytes: a request that is not whole stays in data, and the
// codec remembers how far it has come.
//
//	head ──────▶ body of a known length ──▶ request
//	 │                                         ▲
//	 └──▶ chunk line ⇄ chunk ──▶ trailers ─────┘
type Codec struct {
	maxBody   int
	maxHeader int
	request   *Request // on loan, with its body if state is inHead; nil while there is none
	spare     *Spare   // nil unless Share was called

	state  state
	expect bool // the client waits for 100 before it sends the body
	posted bool // the last request was a POST
	line   int  // where the line at hand begins
	looked int  // how far it holds no "\n"
	head   int  // length of the head
	body   int  // decoded bytes of the body so far, or, of a known length, all
	chunk  int  // bytes of the chunk at hand still to come
}

type state uint8

const (
	inHead state = iota
	inBody
	inChunkLine
	inChunk
	inChunkEnd
	inTrailers
)

const (
	maxChunkLine = 256      // bytes of a chunk's line, extensions included
	chunkSlack   = 16 << 10 // what chunk lines may add to a body of any size
	chunkFactor  = 8        // and how many bytes for each of the body's
)

// Continue is the interim answer to "Expect: 100-continue".
const Continue = "HTTP/1.1 100 Continue\r\n\r\n"

// Request is the request that Decode returned last, or the one whose head it has just found and whose body has still to
// come, so that who reads it can decide before that. It is told of once then. It is on loan until the next Decode, or
// Release; nil if there is none.
func (c *Codec) Request() *Request { return c.request }

// Idle reports whether no request is half received, as far as the codec can tell beyond the bytes it has not used up.
func (c *Codec) Idle() bool { return c.state == inHead }

// Size is how many bytes the request at hand has, where the head has come and tells how long the body is; else 0.
func (c *Codec) Size([]byte) int {
	if c.state != inBody {
		return 0
	}
	return c.head + c.body
}

// WantsContinue reports, once for a request, that its head has come and its sender waits to be told to go on
// (RFC 9110, 10.1.1).
func (c *Codec) WantsContinue() bool {
	wants := c.expect
	c.expect = false
	return wants
}

// Decode finds the next request: the message is its body, empty but not nil if there is none, and Request tells the
// rest. Chunks are joined in place. The error is an *Error and ends the connection.
func (c *Codec) Decode(data []byte) (advance int, msg []byte, err error) {
	var r *Request // it is parsed again when its body has come, for data may have moved
	switch {
	case len(data) < c.line:
		return 0, nil, errState // of RestoreState: what the codec had seen is not there
	case c.state != inHead:
		c.Release()
	case c.strayLine(data):
		c.Release()
		return len(crlf), nil, nil
	default:
		if r, err = c.readHead(data); r == nil {
			return 0, nil, err
		}
	}
	end := c.head + c.body
	if c.state != inBody {
		end, err = c.readChunks(data)
	} else if len(data) < end {
		end = 0
	}
	if end == 0 {
		if c.expect = c.expect && len(data) == c.head; err != nil {
			r.release()
			return 0, nil, err
		}
		c.request = r
		return 0, nil, nil
	}
	return c.finish(r, data, end)
}

// newRequest is an empty request: the one whose loan has just ended, a spare one, or one of the pool's.
func (c *Codec) newRequest() *Request {
	r := c.request
	if r != nil {
		c.request = nil
		r.forget()
		return r
	}
	if s := c.spare; s != nil && s.request != nil {
		r, s.request = s.request, nil
		return r
	}
	return requests.Get().(*Request)
}

// A Spare is a request that nobody has at hand, for the next codec that needs one: so it finds memory that is in the
// cache, and the pool that all goroutines share is left alone. The zero value is empty. For one goroutine.
type Spare struct{ request *Request }

// Share has the codec keep its requests in s between two of them, as others of the same goroutine do.
func (c *Codec) Share(s *Spare) { c.spare = s }

// finish makes the request of the bytes up to end; r is what its head was found to be, or nil.
func (c *Codec) finish(r *Request, data []byte, end int) (int, []byte, error) {
	if r == nil {
		r = c.newRequest()
		if _, err := r.parse(data[:c.head]); err != nil {
			r.release()
			return 0, nil, err
		}
	}
	if c.state == inTrailers {
		if _, err := r.trailers.read(data[c.line:end], 0); err != nil {
			r.release()
			return 0, nil, err
		}
	}
	r.body = data[c.head : c.head+c.body : c.head+c.body]
	c.request, c.posted = r, r.method == "POST"
	c.state, c.expect, c.line, c.looked, c.head, c.body = inHead, false, 0, 0, 0, 0
	return end, r.body, nil
}

// Release ends the loan of the request that Decode returned last, as the next Decode would, so that nothing belongs to
// an idle connection.
func (c *Codec) Release() {
	r := c.request
	switch s := c.spare; {
	case r == nil:
		return
	case s != nil && s.request == nil:
		r.forget()
		s.request = r
	default:
		r.release()
	}
	c.request = nil
}

// strayLine reports whether data begins with the empty line that some clients send after the body of a POST (RFC 9112,
// 2.2).
func (c *Codec) strayLine(data []byte) bool {
	if !c.posted || c.line > 0 || !isCRLF(data, 0) {
		return false
	}
	c.posted, c.looked = false, 0
	return true
}

// nextLine finds the end of the line at hand and moves on to the next. Lines end with CRLF, and a CR stands nowhere
// else (RFC 9112, 2.2).
func (c *Codec) nextLine(data []byte) (line []byte, ok bool, err error) {
	i := bytes.IndexByte(data[c.looked:], '\n')
	if i < 0 {
		c.looked = len(data)
		return nil, false, nil
	}
	end := c.looked + i
	if end == c.line || data[end-1] != '\r' {
		return nil, false, bareLineFeed()
	}
	line = data[c.line : end-1]
	c.line, c.looked = end+1, end+1
	return line, true, nil
}

func bareLineFeed() error { return bad("line feed without carriage return") }

// readHead looks for the empty line that ends the head, and then reads from the head how the body is framed. The
// request is nil as long as the head is not whole.
func (c *Codec) readHead(data []byte) (*Request, error) {
	if c.looked == 0 {
		// Nearly always it comes at once, is short, and has no error: what is one is said by looking line by line.
		if r, err := c.parseHead(data[:min(len(data), maxLine, c.maxHeader)]); err == nil {
			return r, nil
		}
	}
	for {
		start := c.line
		line, ok, err := c.nextLine(data)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, c.checkHead(data, start, len(data))
		}
		if err := c.checkHead(data, start, c.line); err != nil {
			return nil, err
		}
		if len(line) == 0 {
			if start == 0 {
				return nil, bad("an empty line, and no request")
			}
			return c.parseHead(data[:c.line])
		}
	}
}

// parseHead reads the head that data begins with.
func (c *Codec) parseHead(data []byte) (*Request, error) {
	r := c.newRequest()
	n, err := r.parse(data)
	switch {
	case err != nil:
	case r.fields.noticed&hasFraming == 0:
		c.state, c.body, c.expect = inBody, 0, false
	default:
		err = c.frame(r)
	}
	if err != nil {
		err = toHead(err, r.method)
		r.release()
		return nil, err
	}
	c.head, c.line, c.looked = n, n, n
	return r, nil
}

// toHead notes in an *Error what its answer has to know of the request.
func toHead(err error, method string) error {
	var e *Error
	if errors.As(err, &e) {
		e.Head = method == "HEAD"
	}
	return err
}

// checkHead bounds what has come of a head: n bytes, whose last line begins at start.
func (c *Codec) checkHead(data []byte, start, n int) error {
	switch long := start == 0 && n > min(maxLine, c.maxHeader); {
	case long && len(data) > maxMethod && isToken(data[:maxMethod+1]):
		return &Error{Status: 501, Reason: "method too long"} // RFC 9112, 3
	case long:
		return &Error{Status: 414, Reason: "request target too long"}
	case n > c.maxHeader:
		return &Error{Status: 431, Reason: "header fields too large"}
	}
	return nil
}

// frame decides how the body is framed, where fields tell of one (RFC 9112, 6.3).
func (c *Codec) frame(r *Request) error {
	f, err := r.framing()
	if err != nil {
		return err
	}
	if f.length > int64(c.maxBody) {
		return tooLarge(c.maxBody)
	}
	c.expect = r.expect && (f.chunked || f.length > 0)
	if f.chunked {
		c.state = inChunkLine
		return nil
	}
	c.state, c.body = inBody, int(f.length)
	return nil
}
