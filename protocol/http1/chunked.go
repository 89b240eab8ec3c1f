package http1

import "bytes"

// readChunks joins the chunks of a body in place, directly behind the head (RFC 9112, 7.1). It returns the end of the
// request, 0 while it is not whole.
func (c *Codec) readChunks(data []byte) (end int, err error) {
	for {
		switch c.state {
		case inChunkLine:
			line, ok, err := c.nextLine(data)
			if err != nil || !ok {
				return 0, orTooLong(err, len(data)-c.line)
			}
			if err := c.chunkLine(line); err != nil {
				return 0, err
			}
		case inChunk:
			n := min(c.chunk, len(data)-c.line)
			copy(data[c.head+c.body:], data[c.line:c.line+n])
			c.body, c.chunk, c.line = c.body+n, c.chunk-n, c.line+n
			c.looked = c.line
			if c.chunk > 0 {
				return 0, nil
			}
			c.state = inChunkEnd
		case inChunkEnd:
			if len(data) < c.line+2 {
				return 0, nil
			}
			if !bytes.Equal(data[c.line:c.line+2], crlf) {
				return 0, bad("chunk does not end with CRLF")
			}
			c.line, c.looked, c.state = c.line+2, c.line+2, inChunkLine
		default:
			return c.readTrailers(data)
		}
	}
}

func orTooLong(err error, n int) error {
	if err == nil && n > maxChunkLine {
		return bad("chunk line too long")
	}
	return err
}

// chunkLine reads a chunk's size; extensions are ignored (RFC 9112, 7.1.1).
func (c *Codec) chunkLine(line []byte) error {
	if len(line) > maxChunkLine {
		return bad("chunk line too long")
	}
	size, ok := hex(line)
	if !ok {
		return bad("chunk size is not a hexadecimal number")
	}
	if size > uint64(c.maxBody-c.body) {
		return &Error{Status: 413, Reason: "body too large"}
	}
	if overhead := c.line - c.head - c.body; overhead > chunkSlack+chunkFactor*c.body {
		return bad("chunks too small")
	}
	c.chunk, c.state = int(size), inChunk
	if size == 0 {
		c.state = inTrailers
		c.chunk = c.line // where the trailers begin
	}
	return nil
}

// hex reads the number that a chunk line begins with.
func hex(line []byte) (n uint64, ok bool) {
	i := 0
	for ; i < len(line); i++ {
		d := unhex(line[i])
		if d > 15 {
			break
		}
		if i == 16 {
			return 0, false
		}
		n = n<<4 | uint64(d)
	}
	rest := line[i:]
	if i == 0 || len(rest) > 0 && rest[0] != ';' {
		return 0, false
	}
	for _, b := range rest {
		if !isText(b) {
			return 0, false
		}
	}
	return n, true
}

func unhex(b byte) byte {
	switch {
	case '0' <= b && b <= '9':
		return b - '0'
	case 'a' <= b && b <= 'f':
		return b - 'a' + 10
	case 'A' <= b && b <= 'F':
		return b - 'A' + 10
	}
	return 255
}

// readTrailers looks for the empty line that ends the trailers.
func (c *Codec) readTrailers(data []byte) (end int, err error) {
	for {
		line, ok, err := c.nextLine(data)
		if err != nil {
			return 0, err
		}
		if reach := max(c.line, c.looked); reach-c.chunk > c.maxHeader {
			return 0, &Error{Status: 431, Reason: "trailers too large"}
		}
		if !ok {
			return 0, nil
		}
		if len(line) == 0 {
			end, c.line = c.line, c.chunk
			return end, nil
		}
	}
}
