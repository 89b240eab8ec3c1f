package handover

import (
	"net/netip"
	"time"
)

// A Record is a connection as bytes. Its descriptor comes along, unless it is absent, or lent.
type Record struct {
	ID     uint64
	Loop   int    // index of its loop in the predecessor
	Worker string // whose callbacks it has, by name
	Origin string // whose listener accepted it; empty: the same
	Kind   string // of session: "raw", "codec", "websocket", "http"

	Peer   netip.AddrPort // without a zone; invalid for a Unix socket
	Zone   string         // of Peer
	Client netip.Addr     // behind a proxy, without a zone; invalid without one
	Local  string         // the address of this end, if the descriptor does not tell, as that of a relay

	Paused, Full, Pinged bool
	Held                 uint16
	Since, Touched       uint32 // ages of limits, in ticks

	BytesIn, BytesOut uint64
	MessagesIn        uint32
	Accepted, Refused uint32 // messages to send

	Session []byte // what its session keeps
	Unread  []byte
	Unsent  []byte
	Value   []byte // what the application keeps
	TLS     []byte // what a relay tells of the handshake; empty without TLS

	Dialer string        // who has dialed it, by name; empty: it was accepted
	Absent bool          // it is not there yet, or not there again, and has no descriptor
	Due    time.Duration // until its next attempt
	Waited time.Duration // before its last attempt
	Lasted time.Duration // since it is there

	Lent bool // the successor has its descriptor
}

// A State is what a loop of the predecessor keeps beside connections.
type State struct {
	Worker string // whose state it is, by name
	Loop   int    // index in the predecessor
	Value  []byte
}

// Numbers of fields of a Record. A number is never used again for anything else.
const (
	recordID = iota + 1
	recordLoop
	recordWorker
	recordOrigin
	recordKind
	recordPeer
	recordZone
	recordClient
	recordLocal
	recordPaused
	recordFull
	recordPinged
	recordHeld
	recordSince
	recordTouched
	recordBytesIn
	recordBytesOut
	recordMessagesIn
	recordAccepted
	recordRefused
	recordSession
	recordUnread
	recordUnsent
	recordValue
	recordTLS
	recordDialer
	recordAbsent
	recordDue
	recordWaited
	recordLasted
	recordLent // since version 2
)

// Append appends the record to dst.
func (r *Record) Append(dst []byte) []byte {
	dst = appendUint(dst, recordID, r.ID)
	dst = appendUint(dst, recordLoop, uint64(r.Loop))
	dst = appendBytes(dst, recordWorker, r.Worker)
	dst = appendBytes(dst, recordOrigin, r.Origin)
	dst = appendBytes(dst, recordKind, r.Kind)
	dst = appendAddrPort(dst, recordPeer, r.Peer)
	dst = appendBytes(dst, recordZone, r.Zone)
	dst = appendAddr(dst, recordClient, r.Client)
	dst = appendBytes(dst, recordLocal, r.Local)
	dst = appendBool(dst, recordPaused, r.Paused)
	dst = appendBool(dst, recordFull, r.Full)
	dst = appendBool(dst, recordPinged, r.Pinged)
	dst = appendUint(dst, recordHeld, uint64(r.Held))
	dst = appendUint(dst, recordSince, uint64(r.Since))
	dst = appendUint(dst, recordTouched, uint64(r.Touched))
	dst = appendUint(dst, recordBytesIn, r.BytesIn)
	dst = appendUint(dst, recordBytesOut, r.BytesOut)
	dst = appendUint(dst, recordMessagesIn, uint64(r.MessagesIn))
	dst = appendUint(dst, recordAccepted, uint64(r.Accepted))
	dst = appendUint(dst, recordRefused, uint64(r.Refused))
	dst = appendBytes(dst, recordSession, r.Session)
	dst = appendBytes(dst, recordUnread, r.Unread)
	dst = appendBytes(dst, recordUnsent, r.Unsent)
	dst = appendBytes(dst, recordValue, r.Value)
	dst = appendBytes(dst, recordTLS, r.TLS)
	dst = appendBytes(dst, recordDialer, r.Dialer)
	dst = appendBool(dst, recordAbsent, r.Absent)
	dst = appendUint(dst, recordDue, uint64(r.Due))
	dst = appendUint(dst, recordWaited, uint64(r.Waited))
	dst = appendUint(dst, recordLasted, uint64(r.Lasted))
	return appendBool(dst, recordLent, r.Lent)
}

// brings reports whether a descriptor comes along.
func (r *Record) brings() bool { return !r.Absent && !r.Lent }

// Parse makes r the record that message is. Its bytes are those of message. The error matches ErrCorrupt or ErrVersion.
func (r *Record) Parse(message []byte) error {
	before := *r
	*r = Record{}
	return eachField(message, func(number uint64, value []byte) error { return r.parseField(number, value, &before) })
}

// parseField takes names from the record before, where they are the same.
func (r *Record) parseField(number uint64, value []byte, before *Record) error {
	switch number {
	case recordID:
		return parseUint(value, &r.ID)
	case recordLoop:
		return parseUint(value, &r.Loop)
	case recordWorker:
		return parseText(value, before.Worker, &r.Worker)
	case recordOrigin:
		return parseText(value, before.Origin, &r.Origin)
	case recordKind:
		return parseText(value, before.Kind, &r.Kind)
	case recordPeer:
		return parseAddrPort(value, &r.Peer)
	case recordZone:
		return parseText(value, before.Zone, &r.Zone)
	case recordClient:
		return parseAddr(value, &r.Client)
	case recordLocal:
		return parseText(value, before.Local, &r.Local)
	case recordPaused:
		return parseBool(value, &r.Paused)
	case recordFull:
		return parseBool(value, &r.Full)
	case recordPinged:
		return parseBool(value, &r.Pinged)
	case recordHeld:
		return parseUint(value, &r.Held)
	case recordSince:
		return parseUint(value, &r.Since)
	case recordTouched:
		return parseUint(value, &r.Touched)
	case recordBytesIn:
		return parseUint(value, &r.BytesIn)
	case recordBytesOut:
		return parseUint(value, &r.BytesOut)
	case recordMessagesIn:
		return parseUint(value, &r.MessagesIn)
	case recordAccepted:
		return parseUint(value, &r.Accepted)
	case recordRefused:
		return parseUint(value, &r.Refused)
	}
	return r.parseContent(number, value, before)
}

func (r *Record) parseContent(number uint64, value []byte, before *Record) error {
	switch number {
	case recordSession:
		return parseBytes(value, &r.Session)
	case recordUnread:
		return parseBytes(value, &r.Unread)
	case recordUnsent:
		return parseBytes(value, &r.Unsent)
	case recordValue:
		return parseBytes(value, &r.Value)
	case recordTLS:
		return parseBytes(value, &r.TLS)
	}
	return r.parseDialed(number, value, before)
}

func (r *Record) parseDialed(number uint64, value []byte, before *Record) error {
	switch number {
	case recordDialer:
		return parseText(value, before.Dialer, &r.Dialer)
	case recordAbsent:
		return parseBool(value, &r.Absent)
	case recordDue:
		return parseUint(value, &r.Due)
	case recordWaited:
		return parseUint(value, &r.Waited)
	case recordLasted:
		return parseUint(value, &r.Lasted)
	case recordLent:
		return parseBool(value, &r.Lent)
	}
	return unknownField("a record", number)
}
