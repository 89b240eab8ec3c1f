package server

import "github.com/lineman-go/lineman"

// frameBatch is some frames on their way to a page in arrays.
type frameBatch struct {
	server *Server
	conn   *lineman.Conn
	open   bool
}

// batchSize is how long an array may be before the next one is begun, in bytes.
const batchSize = 32 << 10

// add adds a frame.
func (b *frameBatch) add(f frame) {
	b.begin()
	b.server.scratch = f.Append(b.server.scratch)
}

// addEncoded adds a frame as it is sent.
func (b *frameBatch) addEncoded(frame []byte) {
	b.begin()
	b.server.scratch = append(b.server.scratch, frame...)
}

// begin writes what stands before a frame. It ends an array that is long.
func (b *frameBatch) begin() {
	s := b.server
	if b.open && len(s.scratch) >= batchSize {
		b.end()
	}
	if b.open {
		s.scratch = append(s.scratch, ',')
	} else {
		s.scratch, b.open = append(s.scratch[:0], '['), true
	}
}

// end sends what was added.
func (b *frameBatch) end() {
	if !b.open {
		return
	}
	b.open = false
	b.server.say(b.conn, append(b.server.scratch, ']'))
}
