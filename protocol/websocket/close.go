package websocket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Code says why a WebSocket is closed (RFC 6455, 7.4, and the registry it begins). 3000 to 3999 are for frameworks,
// 4000 to 4999 for applications.
type Code uint16

// The registered codes.
const (
	Normal         Code = 1000
	GoingAway      Code = 1001 // a page that is left, a server that stops
	ProtocolError  Code = 1002
	Unsupported    Code = 1003 // data of a kind that cannot be handled
	NoStatus       Code = 1005 // never sent: the Close frame had no code
	Abnormal       Code = 1006 // never sent: there was no Close frame
	InvalidPayload Code = 1007 // text that is not UTF-8, compressed data that is invalid
	Policy         Code = 1008
	TooBig         Code = 1009
	NoExtension    Code = 1010
	Internal       Code = 1011
	Restart        Code = 1012
	TryAgain       Code = 1013
	BadGateway     Code = 1014
)

// Valid reports whether the code may be sent.
func (c Code) Valid() bool {
	switch {
	case c >= 3000 && c <= 4999:
		return true
	case c == NoStatus || c == Abnormal || c == 1004:
		return false
	}
	return c >= Normal && c <= BadGateway
}

// CloseError is a peer's goodbye.
type CloseError struct {
	Code   Code // NoStatus if it gave none
	Reason string
}

func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("websocket: closed by the peer with %d", e.Code)
	}
	return fmt.Sprintf("websocket: closed by the peer with %d: %s", e.Code, e.Reason)
}

// Error is what Decode and ParseClose end a connection with.
type Error struct {
	Code Code  // to close with: ProtocolError, InvalidPayload or TooBig
	Err  error // for TooBig it is protocol.ErrTooLarge
}

func (e *Error) Error() string { return "websocket: " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

func violation(what string) error { return &Error{ProtocolError, errors.New(what)} }

// maxReason is what is left of a control frame beside the code.
const maxReason = MaxControl - 2

// AppendClose appends a Close frame. A reason above 123 bytes is cut at a character; one that is not UTF-8 is left
// out. A code that may not be sent becomes an empty payload.
func (c *Codec) AppendClose(dst []byte, code Code, reason string) []byte {
	if !code.Valid() {
		return c.AppendControl(dst, Close, nil)
	}
	if !utf8.ValidString(reason) {
		reason = ""
	}
	if len(reason) > maxReason {
		cut := maxReason
		for !utf8.RuneStart(reason[cut]) {
			cut--
		}
		reason = reason[:cut]
	}
	var payload [MaxControl]byte
	return c.AppendControl(dst, Close, append(binary.BigEndian.AppendUint16(payload[:0], uint16(code)), reason...))
}

// ParseClose reads the payload of a Close frame. The error is an *Error: a payload of one byte, a code that may not be
// sent, a reason that is not UTF-8.
func ParseClose(payload []byte) (*CloseError, error) {
	switch {
	case len(payload) == 0:
		return &CloseError{Code: NoStatus}, nil
	case len(payload) == 1:
		return nil, violation("close frame of one byte") // RFC 6455, 5.5.1
	}
	code := Code(binary.BigEndian.Uint16(payload))
	if !code.Valid() {
		return nil, violation(fmt.Sprintf("close code %d", code)) // RFC 6455, 7.4.2
	}
	if !utf8.Valid(payload[2:]) {
		return nil, &Error{InvalidPayload, errors.New("close reason is not UTF-8")} // RFC 6455, 8.1
	}
	return &CloseError{Code: code, Reason: string(payload[2:])}, nil
}
