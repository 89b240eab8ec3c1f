// Package protocol is the contract between a protocol and the loop that runs it.
//
// A protocol is pure: bytes in, messages out, and back. It does no I/O, starts no goroutine and keeps no clock, so it
// can be tested by byte vectors alone. Two methods are enough:
//
//	type Lines struct{}
//
//	func (Lines) Name() string                { return "lines" }
//	func (Lines) NewCodec(int) protocol.Codec { return Lines{} }
//
//	func (Lines) Decode(data []byte) (int, []byte, error) {
//		if i := bytes.IndexByte(data, '\n'); i >= 0 {
//			return i + 1, data[:i:i], nil
//		}
//		return 0, nil, nil
//	}
//
//	func (Lines) Append(dst, msg []byte) ([]byte, error) {
//		return append(append(dst, msg...), '\n'), nil
//	}
//
// The sub-packages are the protocols that come with Lineman.
package protocol

import "errors"

// A Protocol makes the codecs of the connections that speak it. One value serves many connections, perhaps of many
// loops at once, so it must not change once a worker that uses it serves.
type Protocol interface {
	// Name is what status, logs and errors call the protocol: one lower-case word.
	Name() string

	// NewCodec is called once for each connection. maxMessage is the largest message in bytes that the codec may
	// accept, always above zero.
	NewCodec(maxMessage int) Codec
}

// A Codec turns the bytes of one connection into messages and back.
//
// Decode runs on the loop of the connection. Append runs on any goroutine, one call at a time, perhaps while Decode
// runs: the two share no state. What Append gives depends on its arguments alone, so that a broadcast can encode once
// for all connections of a worker.
type Codec interface {
	// Decode finds the first message in data, in the manner of bufio.SplitFunc. It returns how many bytes are used up
	// and the message, which may be a part of data or of the codec's own memory and is valid until the next call.
	//
	//	0, nil, nil    data holds no whole message: called again when there is more
	//	n, nil, nil    n bytes used up, nothing to deliver
	//	n, msg, nil    a message; one that is not nil but empty is delivered too
	//	n, nil, err    this message is refused, the stream is in step: OnInvalid is asked, decoding goes on
	//	0, nil, err    the stream is broken: the connection ends with err
	//
	// Until Decode advances, data starts at the same byte and only grows, so a codec that remembers how far it has
	// looked costs linear time however the bytes arrive. It may change the bytes of data in place. It must give
	// ErrTooLarge, possibly wrapped, as soon as it can see that a message will be larger than maxMessage.
	Decode(data []byte) (advance int, msg []byte, err error)

	// Append appends the wire form of msg to dst and returns the result. With an error nothing is sent.
	Append(dst, msg []byte) ([]byte, error)
}

// ErrTooLarge is what Decode gives for a message above the limit.
var ErrTooLarge = errors.New("protocol: message too large")
