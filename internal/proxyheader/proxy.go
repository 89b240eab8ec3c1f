// Package proxyheader finds out whom a connection or a request comes from when a proxy is in front: by the header of
// the PROXY protocol, which comes before the first byte of a connection, and by the X-Forwarded-For fields of a
// request.
//
// It is pure: bytes in, addresses out. It does not know whether a peer may be believed; its owner asks Trusted first.
package proxyheader

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
)

// MaxSize is the longest header in bytes, of either version and with all that is in it, that Parse accepts. Given so
// many bytes, Parse does not wait for more.
const MaxSize = 4096

var (
	// ErrMissing is a connection that does not begin with a header. Nothing is guessed: it must end.
	ErrMissing = errors.New("proxyheader: the connection does not begin with a PROXY protocol header: let the proxy " +
		"in front send one, or expect none here")

	// ErrLine is a header of version 1 that is not as it must be.
	ErrLine = errors.New("proxyheader: malformed header of version 1")

	// ErrUnassigned is a header of version 2 with a version, command, family or transport that is not assigned.
	ErrUnassigned = errors.New("proxyheader: unassigned version, command, family or transport")

	// ErrTooLarge is a line of more than 107 bytes, or a header of version 2 of more than MaxSize.
	ErrTooLarge = errors.New("proxyheader: header too large: let the proxy in front send less in it")

	// ErrLength is a header of version 2 whose length does not fit what is in it.
	ErrLength = errors.New("proxyheader: the length does not fit the addresses or the TLVs")

	// ErrChecksum is a header of version 2 whose checksum is wrong.
	ErrChecksum = errors.New("proxyheader: wrong checksum")
)

// Header is what the header of a connection says about it.
type Header struct {
	// Source is the client, Destination what it connected to. Both are the zero AddrPort if Local is set. IPv6
	// addresses that stand for IPv4 ones are given as IPv4.
	Source, Destination netip.AddrPort

	// Local means that the addresses of the connection itself count: the proxy speaks for itself, as in a health check,
	// or it cannot name the client, or names it by what is no address of TCP (UDP, a Unix socket).
	Local bool
}

// Parse reads the header that a connection begins with, in version 1 or 2 of the PROXY protocol. data is what has been
// received since the connection began; bytes after the header are not looked at. Nothing of data is kept.
//
//	0, Header{}, nil    the header is not complete: called again with more
//	n, from, nil        a header of n bytes
//	0, Header{}, err    one of the errors of this package: data begins no header, the connection must end
//
// The error comes with the first byte that cannot belong to a header, but that of the length of version 2 with its
// second byte, and that of the TLVs when the header is complete. The result does not depend on how the bytes arrive:
// what Parse says of some bytes, other than to wait, it says of the same and more. It allocates nothing.
func Parse(data []byte) (n int, from Header, err error) {
	if len(data) > 0 && data[0] == signature[0] {
		return parseBlock(data)
	}
	return parseLine(data)
}

// maxLine is the longest header of version 1, in bytes with its CRLF (section 2.1).
const maxLine = 107

// parseLine reads a header of version 1 (section 2.1).
func parseLine(data []byte) (n int, from Header, err error) {
	l := line{text: data[:min(len(data), maxLine)]}
	from, whole := l.header()
	switch {
	case whole:
		return l.at, from, nil
	case l.at == maxLine:
		return 0, Header{}, ErrTooLarge
	case l.at == len(l.text):
		return 0, Header{}, nil
	case l.at < len(greeting):
		return 0, Header{}, ErrMissing
	}
	return 0, Header{}, ErrLine
}

// greeting begins each header of version 1.
const greeting = "PROXY "

// A line is a header of version 1 on its way in. Its methods pass over what they are called after. Where one is false,
// the text is at its end, or it has a byte there that cannot belong.
//
//	PROXY -+- TCP4 SP IPv4 SP IPv4 -+- SP port SP port -+- CRLF
//	       +- TCP6 SP IPv6 SP IPv6 -+                   |
//	       +- UNKNOWN -+- SP anything ------------------+
//	                   +--------------------------------+
type line struct {
	text []byte
	at   int
}

func (l *line) header() (from Header, ok bool) {
	if !l.literal(greeting) {
		return Header{}, false
	}
	if l.next() == 'U' {
		ok = l.unknown()
		return Header{Local: ok}, ok
	}
	if !l.literal("TCP") {
		return Header{}, false
	}
	switch l.next() {
	case '4':
		return l.tcp("4 ", scan4)
	case '6':
		return l.tcp("6 ", scan6)
	}
	return Header{}, false
}

// unknown passes over a connection whose addresses the proxy cannot name. What comes before the CRLF does not count.
func (l *line) unknown() bool {
	if !l.literal("UNKNOWN") {
		return false
	}
	if l.next() == ' ' {
		for l.at < len(l.text) && l.text[l.at] != '\r' && l.text[l.at] != '\n' {
			l.at++
		}
	}
	return l.literal("\r\n")
}

// tcp passes over the addresses and ports of one family, to the CRLF.
func (l *line) tcp(family string, scan scanner) (from Header, ok bool) {
	if !l.literal(family) {
		return Header{}, false
	}
	source, ok := l.address(scan)
	if !ok {
		return Header{}, false
	}
	destination, ok := l.address(scan)
	if !ok {
		return Header{}, false
	}
	sourcePort, ok := l.port(" ")
	if !ok {
		return Header{}, false
	}
	destinationPort, ok := l.port("\r\n")
	if !ok {
		return Header{}, false
	}
	return endpoints(source, destination, sourcePort, destinationPort), true
}

// scanner is scan4 or scan6.
type scanner func(text []byte) (addr netip.Addr, n int, whole bool)

func (l *line) address(scan scanner) (addr netip.Addr, ok bool) {
	addr, n, whole := scan(l.text[l.at:])
	l.at += n
	return addr, whole && l.literal(" ")
}

func (l *line) port(end string) (port uint16, ok bool) {
	value, n := decimal(l.text[l.at:], 65535)
	l.at += n
	return uint16(value), n > 0 && l.literal(end)
}

func (l *line) literal(want string) bool {
	for i := range len(want) {
		if l.at == len(l.text) || l.text[l.at] != want[i] {
			return false
		}
		l.at++
	}
	return true
}

// next is the byte that comes next, 0 at the end.
func (l *line) next() byte {
	if l.at == len(l.text) {
		return 0
	}
	return l.text[l.at]
}

func endpoints(source, destination netip.Addr, sourcePort, destinationPort uint16) Header {
	return Header{
		Source:      netip.AddrPortFrom(source.Unmap(), sourcePort),
		Destination: netip.AddrPortFrom(destination.Unmap(), destinationPort),
	}
}

// A header of version 2 (section 2.2):
//
//	0           12                13                 14       16          16 + size   16 + length
//	+-----------+-----------------+------------------+--------+-----------+-----------+
//	| signature | version command | family transport | length | addresses | TLVs      |
//	+-----------+-----------------+------------------+--------+-----------+-----------+
const (
	signature = "\r\n\r\n\x00\r\nQUIT\n"
	fixedSize = 16 // of what comes before the addresses

	local = 0x20 // version 2, command LOCAL
	proxy = 0x21 // version 2, command PROXY

	unspecified = 0
	inet        = 1 // families
	inet6       = 2
	unix        = 3
	stream      = 1 // transports
	datagram    = 2
)

// parseBlock reads a header of version 2.
func parseBlock(data []byte) (n int, from Header, err error) {
	if err := checkStart(data); err != nil || len(data) < fixedSize {
		return 0, Header{}, err
	}
	n = fixedSize + int(binary.BigEndian.Uint16(data[14:]))
	if n > MaxSize {
		return 0, Header{}, ErrTooLarge
	}
	kind := data[13]
	if data[12] == local {
		kind = unspecified // its block is skipped, and its family does not count
	}
	size, known := addressSize(kind)
	if fixedSize+size > n {
		return 0, Header{}, ErrLength
	}
	if len(data) < n {
		return 0, Header{}, nil
	}
	if known {
		err = checkTLVs(data[:n], fixedSize+size)
	}
	if err != nil {
		return 0, Header{}, err
	}
	return n, addresses(kind, data[fixedSize:n]), nil
}

// checkStart looks at what there is of the signature, the command, and the family and transport.
func checkStart(data []byte) error {
	if seen := min(len(data), len(signature)); string(data[:seen]) != signature[:seen] {
		return ErrMissing
	}
	if len(data) > 12 && data[12] != local && data[12] != proxy {
		return ErrUnassigned
	}
	// The family of LOCAL is ignored, whatever it is.
	if len(data) > 13 && data[12] == proxy && (data[13]>>4 > unix || data[13]&0xf > datagram) {
		return ErrUnassigned
	}
	return nil
}

// addressSize is how many bytes the addresses of a family and transport take. If one of the two is unspecified that is
// not known, so that the whole block is to be skipped, TLVs and all.
func addressSize(kind byte) (size int, known bool) {
	if kind&0xf == unspecified {
		return 0, false
	}
	switch kind >> 4 {
	case inet:
		return 2*4 + 2*2, true
	case inet6:
		return 2*16 + 2*2, true
	case unix:
		return 2 * 108, true
	}
	return 0, false
}

// addresses are those of a block. Only streams of IPv4 and IPv6 have some that count; section 2.2 has all other kinds
// fall back to the connection's own.
func addresses(kind byte, block []byte) Header {
	port := binary.BigEndian.Uint16
	switch kind {
	case inet<<4 | stream:
		source, destination := netip.AddrFrom4([4]byte(block)), netip.AddrFrom4([4]byte(block[4:]))
		return endpoints(source, destination, port(block[8:]), port(block[10:]))
	case inet6<<4 | stream:
		source, destination := netip.AddrFrom16([16]byte(block)), netip.AddrFrom16([16]byte(block[16:]))
		return endpoints(source, destination, port(block[32:]), port(block[34:]))
	}
	return Header{Local: true}
}

// crc32c is the one type of TLV that is looked into (section 2.2.3).
const crc32c = 0x03

// checkTLVs passes over the TLVs of a whole header, each of a type, a length in two bytes and a value.
func checkTLVs(header []byte, at int) error {
	for at < len(header) {
		if len(header)-at < 3 {
			return ErrLength
		}
		kind, value := header[at], at+3
		at = value + int(binary.BigEndian.Uint16(header[at+1:]))
		switch {
		case at > len(header), kind == crc32c && at-value != crc32.Size:
			return ErrLength
		case kind == crc32c && binary.BigEndian.Uint32(header[value:]) != checksum(header, value):
			return ErrChecksum
		}
	}
	return nil
}

var zeros [crc32.Size]byte

// checksum is that of a header with zeros for the checksum that it has at some place. Its table takes 9 KB: it is made
// for the first header that has one.
func checksum(header []byte, at int) uint32 {
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, castagnoli, header[:at])
	sum = crc32.Update(sum, castagnoli, zeros[:])
	return crc32.Update(sum, castagnoli, header[at+crc32.Size:])
}
