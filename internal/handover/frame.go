package handover

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A kind is what a message is.
type kind byte

const (
	kindHello   kind = iota + 1 // from the predecessor
	kindState                   // from the predecessor
	kindRecord                  // from the predecessor, with a descriptor
	kindEnd                     // from the predecessor
	kindTail                    // from the predecessor
	kindKeep                    // from the predecessor
	kindYours                   // from the predecessor
	kindAbort                   // from the predecessor; also within another message, which ends so
	kindWelcome                 // from the successor
	kindRefused                 // from the successor
	kindReady                   // from the successor
	kindMine                    // from the successor
	kindFailed                  // from the successor

	// Before the predecessor stands still, on a stream of their own, which has kindEnd too.
	kindLoan     // from the predecessor, with a descriptor
	kindBorrowed // from the successor
)

var kindNames = [...]string{
	kindHello: "hello", kindState: "state", kindRecord: "record", kindEnd: "end", kindTail: "tail", kindKeep: "keep",
	kindYours: "yours", kindAbort: "abort", kindWelcome: "welcome", kindRefused: "refused", kindReady: "ready",
	kindMine: "mine", kindFailed: "failed", kindLoan: "loan", kindBorrowed: "borrowed",
}

func (k kind) String() string {
	if k.known() {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", byte(k))
}

func (k kind) known() bool { return 0 < k && int(k) < len(kindNames) }

// A frame is kind (1) | more (1) | length (4) | payload | sum (4).
const (
	headBytes  = 6
	sumBytes   = 4
	frameBytes = headBytes + BatchBytes + sumBytes // of the longest
)

// castagnoli is made when a handover needs it first: it takes 9 KB, of each process.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// A framer writes frames. Its value is the sum of all that it has written.
type framer uint32

// append appends a frame to dst. more means that its message goes on in the next one.
func (f *framer) append(dst []byte, k kind, payload []byte, more bool) []byte {
	begin := len(dst)
	dst = append(dst, byte(k), 0)
	if more {
		dst[begin+1] = 1
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	dst = append(dst, payload...)
	*f = framer(crc32.Update(uint32(*f), castagnoli(), dst[begin:]))
	return binary.BigEndian.AppendUint32(dst, uint32(*f))
}

type frame struct {
	kind    kind
	more    bool
	payload []byte
}

// A deframer reads frames. Its value is the sum of all that it has read.
type deframer uint32

// next reads the frame that b begins with, which has n bytes; none if it is not whole yet. The payload is that of b.
func (d *deframer) next(b []byte) (f frame, n int, err error) {
	if len(b) < headBytes {
		return frame{}, 0, nil
	}
	f.kind, f.more = kind(b[0]), b[1] == 1
	length := binary.BigEndian.Uint32(b[2:])
	if !f.kind.known() || b[1] > 1 || length > BatchBytes {
		return frame{}, 0, fmt.Errorf("%w: %x is not the head of a frame", ErrCorrupt, b[:headBytes])
	}
	end := headBytes + int(length)
	if len(b) < end+sumBytes {
		return frame{}, 0, nil
	}
	sum := crc32.Update(uint32(*d), castagnoli(), b[:end])
	if binary.BigEndian.Uint32(b[end:]) != sum {
		return frame{}, 0, fmt.Errorf("%w: the sum of %s is wrong", ErrCorrupt, f.kind)
	}
	*d = deframer(sum)
	f.payload = b[headBytes:end]
	return f, end + sumBytes, nil
}
