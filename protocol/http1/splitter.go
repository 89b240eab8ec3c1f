package http1

import "math"

// A Splitter finds where requests begin and end, for a server that handles a body while it comes, of any length. It is
// as strict as Codec: what it lets pass is read as one request by whoever reads it.
//
//	head ──▶ body of a known length ──────────────▶ head
//	 │                                               ▲
//	 └──▶ chunk line ⇄ chunk ──▶ trailers ───────────┘
type Splitter struct {
	codec Codec // of the head at hand, and the limits
	state state
	left  int64 // bytes of the body, or of the chunk with its end, still to come
	http1 Exchange
}

// Piece is a run of bytes of one request.
type Piece struct {
	Size   int  // bytes, from the beginning of the data
	Begins bool // with a whole head
	Ends   bool // the request
	Skip   bool // belongs to no request
}

// maxSplit bounds a body whose length is told, so that no number overflows.
const maxSplit = math.MaxInt / 2

// NewSplitter makes the Splitter of one connection.
func (p *Protocol) NewSplitter() *Splitter {
	c := p.NewCodec(maxSplit).(*Codec)
	return &Splitter{codec: *c}
}

// Between reports whether no request is half passed on.
func (s *Splitter) Between() bool { return s.state == inHead }

// Exchange is what an answer has to know of the request that began last.
func (s *Splitter) Exchange() Exchange { return s.http1 }

// Next finds the next piece. A Size of 0 waits for more; until then data begins at the same byte and only grows. The
// error is an *Error and ends the connection.
func (s *Splitter) Next(data []byte) (Piece, error) {
	switch s.state {
	case inHead:
		return s.head(data)
	case inBody, inChunk:
		return s.body(data), nil
	case inChunkLine:
		return s.chunkLine(data)
	}
	return s.trailers(data)
}

func (s *Splitter) head(data []byte) (Piece, error) {
	c := &s.codec
	if c.strayLine(data) {
		return Piece{Size: len(crlf), Skip: true}, nil
	}
	r, err := c.readHead(data)
	if r == nil {
		return Piece{}, err
	}
	s.http1, c.posted = r.Exchange(), r.method == "POST"
	r.release()
	p := Piece{Size: c.head, Begins: true}
	s.left = int64(c.body)
	switch {
	case c.state == inChunkLine:
		s.state = inChunkLine
	case s.left > 0:
		s.state = inBody
	default:
		p.Ends = true
	}
	s.restart()
	return p, nil
}

// restart forgets how far the codec has looked.
func (s *Splitter) restart() {
	c := &s.codec
	c.state, c.expect, c.line, c.looked, c.head, c.body = inHead, false, 0, 0, 0, 0
}

func (s *Splitter) body(data []byte) Piece {
	p := Piece{Size: int(min(s.left, int64(len(data))))}
	if s.left -= int64(p.Size); s.left > 0 {
		return p
	}
	if s.state == inChunk {
		s.state, s.left = inChunkEnd, 0
		return p
	}
	s.state, p.Ends = inHead, true
	return p
}

// chunkLine takes the line before a chunk, whole.
func (s *Splitter) chunkLine(data []byte) (Piece, error) {
	line, ok, err := s.codec.nextLine(data)
	if err != nil || !ok {
		return Piece{}, orTooLong(err, len(data))
	}
	s.restart()
	size, isHex := hex(line)
	switch {
	case len(line) > maxChunkLine:
		return Piece{}, bad("chunk line too long")
	case !isHex || size > math.MaxInt64:
		return Piece{}, bad("chunk size is not a hexadecimal number, or its extension is malformed")
	}
	s.state, s.left = inChunk, int64(size)
	if size == 0 {
		s.state = inTrailers
	}
	return Piece{Size: len(line) + 2}, nil
}

// trailers takes what follows a chunk's bytes, or the last chunk.
func (s *Splitter) trailers(data []byte) (Piece, error) {
	if s.state == inChunkEnd {
		if len(data) < 2 {
			return Piece{}, nil
		}
		if !isCRLF(data, 0) {
			return Piece{}, bad("chunk does not end with CRLF")
		}
		s.state = inChunkLine
		return Piece{Size: 2}, nil
	}
	end, err := s.codec.readTrailers(data)
	if err != nil || end == 0 {
		return Piece{}, err
	}
	var trailers fields
	if _, err := trailers.read(data[:end], 0); err != nil {
		return Piece{}, err
	}
	s.restart()
	s.state = inHead
	return Piece{Size: end, Ends: true}, nil
}
