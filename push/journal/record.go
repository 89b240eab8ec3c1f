package journal

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"

	"github.com/lineman-go/lineman/push"
)

// frame is what is around each record: the length of the record and its checksum, four bytes each, little-endian.
const frame = 8

// castagnoli is the polynomial of CRC32C, which processors can do.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Kinds of records beside those of push.
const (
	kindHeader push.RecordKind = 0x40 // the first record of a segment
	kindEnd    push.RecordKind = 0x41 // the last one, where the segment was closed well
)

// appendFramed appends a record that body appends.
func appendFramed(to []byte, body func([]byte) []byte) []byte {
	start := len(to)
	to = body(append(to, make([]byte, frame)...))
	record := to[start+frame:]
	binary.LittleEndian.PutUint32(to[start:], uint32(len(record)))
	binary.LittleEndian.PutUint32(to[start+4:], crc32.Checksum(record, castagnoli))
	return to
}

// appendRecord appends a record of push, with its frame.
func appendRecord(to []byte, r *push.Record) []byte {
	return appendFramed(to, func(b []byte) []byte {
		b = append(b, byte(r.Kind))
		if r.Kind == push.RecordMessage {
			b = binary.AppendUvarint(b, r.Number)
			b = binary.LittleEndian.AppendUint64(b, uint64(r.At.UnixNano()))
		}
		b = binary.AppendUvarint(b, uint64(len(r.Of)))
		for _, p := range r.Of {
			b = appendText(b, string(p.Target))
			b = binary.AppendUvarint(b, p.Offset)
		}
		return append(b, r.Data...)
	})
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// appendEnd appends the record that a segment ends with.
func appendEnd(to []byte) []byte {
	return appendFramed(to, func(b []byte) []byte { return append(b, byte(kindEnd)) })
}

// reader reads what is in a record. After an error everything is zero.
type reader struct {
	rest  []byte
	wrong bool
}

func (r *reader) fail() { r.rest, r.wrong = nil, true }

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) text() string { return string(r.bytes(r.number())) }

// parseRecord reads a record of push without its frame. Its data is a part of the given bytes.
func parseRecord(b []byte) (record push.Record, ok bool) {
	r := reader{rest: b}
	kind := r.bytes(1)
	if r.wrong {
		return record, false
	}
	record.Kind = push.RecordKind(kind[0])
	switch record.Kind {
	case push.RecordMessage:
		record.Number = r.number()
		if at := r.bytes(8); !r.wrong {
			record.At = time.Unix(0, int64(binary.LittleEndian.Uint64(at)))
		}
	case push.RecordTops, push.RecordForgotten, push.RecordDropped:
	default:
		return record, false
	}
	n := r.number()
	if n == 0 || n > uint64(len(r.rest)/2) { // each place has two bytes, at least
		return record, false
	}
	record.Of = make([]push.Place, n)
	for i := range record.Of {
		p := push.Place{Target: push.Target(r.text()), Offset: r.number()}
		if p.Offset == math.MaxUint64 {
			r.fail() // there would be no next one
		}
		record.Of[i] = p
	}
	if record.Kind == push.RecordMessage {
		record.Data = r.bytes(uint64(len(r.rest)))
	}
	return record, !r.wrong && len(r.rest) == 0
}
