package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// magic begins a segment. Its last character is the version of the format.
const magic = "LMNJRNL1"

// header is what a segment says of itself.
type header struct {
	epoch  string
	boot   string // the system's start under which it was begun; empty if that is not known
	always bool   // each batch was synced before it was answered

	// How many bytes of the segment before this one count. What is behind them was refused, or torn by a crash.
	previous uint64
}

// appendHeader appends the beginning of a segment.
func appendHeader(to []byte, h *header) []byte {
	return appendFramed(append(to, magic...), func(b []byte) []byte {
		b = appendText(append(b, byte(kindHeader)), h.epoch)
		b = appendText(b, h.boot)
		always := byte(0)
		if h.always {
			always = 1
		}
		return binary.AppendUvarint(append(b, always), h.previous)
	})
}

func parseHeader(b []byte) (h header, ok bool) {
	r := reader{rest: b}
	kind := r.bytes(1)
	h.epoch, h.boot = r.text(), r.text()
	always := r.bytes(1)
	h.previous = r.number()
	if r.wrong || len(r.rest) > 0 || push.RecordKind(kind[0]) != kindHeader || always[0] > 1 {
		return header{}, false
	}
	h.always = always[0] == 1
	_, err := push.ParsePosition(h.epoch + ".0")
	return h, err == nil
}

// flaw is what is wrong with the bytes behind the last record that is good.
type flaw uint8

const (
	whole   flaw = iota // nothing
	torn                // a record is not complete: the process ended while it wrote
	corrupt             // a record was complete, and its bytes are others now
)

func (f flaw) String() string { return [...]string{"whole", "torn", "corrupt"}[f] }

// segment is what a file has.
type segment struct {
	header
	begun   bool // it has a header
	records []push.Record
	end     int // of the records that are good
	closed  bool
	flaw    flaw
}

// errNewer is of a segment that another version of this package has written.
var errNewer = fmt.Errorf("it is of another version of the server")

// parseSegment reads a segment up to the first record that is not good. What the records have is a part of the bytes.
func parseSegment(b []byte) (s segment, err error) {
	if len(b) < len(magic) {
		s.flaw = torn
		return s, nil
	}
	switch known := magic[:len(magic)-1]; {
	case string(b[:len(magic)]) == magic:
	case string(b[:len(known)]) == known:
		return s, errNewer
	default:
		s.flaw = corrupt
		return s, nil
	}
	first, at, flaw := nextRecord(b, len(magic))
	if s.flaw = flaw; flaw != whole {
		return s, nil
	}
	if s.header, s.begun = parseHeader(first); !s.begun {
		s.flaw = corrupt
		return s, nil
	}
	for s.end = at; s.end < len(b); {
		record, next, flaw := nextRecord(b, s.end)
		if s.flaw = flaw; flaw != whole {
			return s, nil
		}
		if !s.add(record) {
			s.flaw = corrupt
			return s, nil
		}
		s.end = next
	}
	return s, nil
}

// add takes a record, and reports whether it can be there.
func (s *segment) add(record []byte) bool {
	if s.closed {
		return false
	}
	if s.closed = len(record) == 1 && push.RecordKind(record[0]) == kindEnd; s.closed {
		return true
	}
	r, ok := parseRecord(record)
	if ok {
		s.records = append(s.records, r)
	}
	return ok
}

// nextRecord is the one at a place, and where that ends.
func nextRecord(b []byte, at int) (record []byte, end int, _ flaw) {
	rest := b[at:]
	if len(rest) < frame {
		return nil, at, torn
	}
	size, sum := binary.LittleEndian.Uint32(rest), binary.LittleEndian.Uint32(rest[4:])
	switch {
	case size == 0:
		return nil, at, corrupt
	case uint64(size) > uint64(len(rest)-frame):
		return nil, at, torn
	}
	end = at + frame + int(size)
	if record = b[at+frame : end]; crc32.Checksum(record, castagnoli) != sum {
		return nil, at, corrupt
	}
	return record, end, whole
}

// segmentName is that of a file.
func segmentName(number uint64) string { return fmt.Sprintf("%016x.log", number) }

// segmentNumber is that of a name; false for other files.
func segmentNumber(name string) (uint64, bool) {
	digits, found := strings.CutSuffix(name, ".log")
	n, err := strconv.ParseUint(digits, 16, 64)
	return n, found && err == nil && segmentName(n) == name
}
