package http1

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
			if !isCRLF(data, c.line) {
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

// chunkLine reads a chunk's size; extensions are checked, and ignored (RFC 9112, 7.1.1).
func (c *Codec) chunkLine(line []byte) error {
	if len(line) > maxChunkLine {
		return bad("chunk line too long")
	}
	size, ok := hex(line)
	if !ok {
		return bad("chunk size is not a hexadecimal number, or its extension is malformed")
	}
	if size > uint64(c.maxBody-c.body) {
		return tooLarge(c.maxBody)
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
	return n, i > 0 && areExtensions(line[i:])
}

// areExtensions checks chunk extensions: ";" name, and perhaps "=" with a token or a quoted string (RFC 9112, 7.1.1).
// White space stands around the "=" and behind the ";" only, or before another one.
func areExtensions(b []byte) bool {
	for first := true; len(b) > 0; first = false {
		if !first {
			b = skipBlanks(b)
		}
		if len(b) == 0 || b[0] != ';' {
			return false
		}
		name, rest := cutToken(skipBlanks(b[1:]))
		if len(name) == 0 {
			return false
		}
		b = rest
		after := skipBlanks(rest)
		if len(after) == 0 || after[0] != '=' {
			continue
		}
		var ok bool
		if b, ok = cutValue(skipBlanks(after[1:])); !ok {
			return false
		}
	}
	return true
}

func skipBlanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

func cutToken(b []byte) (token, rest []byte) {
	n := 0
	for n < len(b) && tokenBytes[b[n]] {
		n++
	}
	return b[:n], b[n:]
}

// cutValue cuts a token or a quoted string (RFC 9110, 5.6.4) off.
func cutValue(b []byte) (rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		token, rest := cutToken(b)
		return rest, len(token) > 0
	}
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '"':
			return b[i+1:], true
		case b[i] == '\\':
			i++
		}
		if i < len(b) && !isText(b[i]) {
			return nil, false
		}
	}
	return nil, false
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
