package proxyheader_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/internal/proxyheader"
)

// A vector is what a connection begins with and what Parse is to say of it.
type vector struct {
	name  string
	wire  string
	after int                // how many bytes the decision takes; 0 if Parse is to wait
	from  proxyheader.Header // of a header
	err   error
}

var ownAddresses = proxyheader.Header{Local: true}

func endpoints(source, destination string) proxyheader.Header {
	return proxyheader.Header{
		Source: netip.MustParseAddrPort(source), Destination: netip.MustParseAddrPort(destination),
	}
}

// header is a vector of one header and nothing else.
func header(name, wire string, from proxyheader.Header) vector {
	return vector{name: name, wire: wire, after: len(wire), from: from}
}

// refused is a vector that is refused with the last byte of wire.
func refused(name, wire string, err error) vector {
	return vector{name: name, wire: wire, after: len(wire), err: err}
}

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// block is a header of version 2.
func block(command, kind byte, body string) string {
	wire := append([]byte(signature), command, kind)
	return string(binary.BigEndian.AppendUint16(wire, uint16(len(body)))) + body
}

func tlv(kind byte, value string) string {
	return string(binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(value)))) + value
}

// summed is a header with its checksum in place of the one TLV that has none.
func summed(wire string) string {
	sum := crc32.Checksum([]byte(wire), crc32.MakeTable(crc32.Castagnoli))
	with := tlv(3, string(binary.BigEndian.AppendUint32(nil, sum)))
	return strings.Replace(wire, noSum, with, 1)
}

const (
	local = 0x20
	proxy = 0x21

	addresses4 = "\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"
	noSum      = "\x03\x00\x04\x00\x00\x00\x00"
)

var (
	from4 = endpoints("192.0.2.1:56324", "198.51.100.2:443")
	from6 = endpoints("[2001:db8::1]:1", "[2001:db8::2]:2")

	addresses6 = "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01" +
		"\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x02" + "\x00\x01\x00\x02"
	mapped = strings.Repeat("\x00", 10) + "\xff\xff\xc0\x00\x02\x01" +
		strings.Repeat("\x00", 10) + "\xff\xff\xc6\x33\x64\x02" + "\xdc\x04\x01\xbb"
	paths = "/run/client" + strings.Repeat("\x00", 97) + "/run/server" + strings.Repeat("\x00", 97)
)

var lines = []vector{
	header("TCP4", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", from4),
	header("TCP4, all least", "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", endpoints("0.0.0.0:0", "0.0.0.0:0")),
	header("TCP4, the longest", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
		endpoints("255.255.255.255:65535", "255.255.255.255:65535")),
	header("TCP6", "PROXY TCP6 2001:db8::1 2001:DB8::2 1 2\r\n", from6),
	header("TCP6, the longest",
		"PROXY TCP6 "+strings.Repeat("ffff:", 7)+"ffff "+strings.Repeat("ffff:", 7)+"ffff 65535 65535\r\n",
		endpoints("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")),
	header("TCP6, IPv4-mapped", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6402 56324 443\r\n", from4),
	header("UNKNOWN", "PROXY UNKNOWN\r\n", ownAddresses),
	header("UNKNOWN and a space", "PROXY UNKNOWN \r\n", ownAddresses),
	header("UNKNOWN and anything", "PROXY UNKNOWN TCP9 \x00\xff  x\r\n", ownAddresses),
	header("UNKNOWN, the longest", "PROXY UNKNOWN "+strings.Repeat("x", 91)+"\r\n", ownAddresses),
	{name: "what follows is not looked at", wire: "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nPROXY ?",
		after: 45, from: from4},

	{name: "nothing", wire: ""},
	{name: "no CRLF", wire: "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443"},
	{name: "no LF", wire: "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r"},
	{name: "106 bytes", wire: "PROXY UNKNOWN " + strings.Repeat("x", 91) + "\r"},

	refused("no header", "G", proxyheader.ErrMissing),
	refused("TLS", "\x16", proxyheader.ErrMissing),
	refused("a method that begins like it", "PRI", proxyheader.ErrMissing),
	refused("lower case", "p", proxyheader.ErrMissing),
	refused("two spaces first", "PROXY  ", proxyheader.ErrLine),
	refused("a tab first", "PROXY\t", proxyheader.ErrMissing),
	refused("no protocol", "PROXY \r", proxyheader.ErrLine),
	refused("a protocol in lower case", "PROXY t", proxyheader.ErrLine),
	refused("UDP4", "PROXY UD", proxyheader.ErrLine),
	refused("TCP5", "PROXY TCP5", proxyheader.ErrLine),
	refused("TCP and a zero byte", "PROXY TCP\x00", proxyheader.ErrLine),
	refused("TCP46", "PROXY TCP46", proxyheader.ErrLine),
	refused("TCP4 and no addresses", "PROXY TCP4\r", proxyheader.ErrLine),
	refused("UNKNOWN and no space", "PROXY UNKNOWNX", proxyheader.ErrLine),
	refused("UNKNOWN and LF alone", "PROXY UNKNOWN\n", proxyheader.ErrLine),
	refused("UNKNOWN, anything and LF alone", "PROXY UNKNOWN x\n", proxyheader.ErrLine),
	refused("UNKNOWN, anything and CR alone", "PROXY UNKNOWN x\rx", proxyheader.ErrLine),
	refused("UNKNOWN, too long", "PROXY UNKNOWN "+strings.Repeat("x", 93), proxyheader.ErrTooLarge),
	refused("UNKNOWN, CR as byte 107", "PROXY UNKNOWN "+strings.Repeat("x", 92)+"\r", proxyheader.ErrTooLarge),
	refused("TCP6, addresses too long", "PROXY TCP6 "+strings.Repeat("0000:", 6)+"255.255.255.255 "+
		strings.Repeat("0000:", 6)+"255.255.255.255 6553", proxyheader.ErrTooLarge),
	refused("TCP4 with an IPv6 address", "PROXY TCP4 2001", proxyheader.ErrLine),
	refused("TCP4 with a short IPv6 address", "PROXY TCP4 :", proxyheader.ErrLine),
	refused("TCP6 with an IPv4 address", "PROXY TCP6 192.", proxyheader.ErrLine),
	refused("two spaces before an address", "PROXY TCP4  ", proxyheader.ErrLine),
	refused("two spaces between addresses", "PROXY TCP4 192.0.2.1  ", proxyheader.ErrLine),
	refused("an octet of 256", "PROXY TCP4 192.0.2.256", proxyheader.ErrLine),
	refused("an octet with a leading zero", "PROXY TCP4 192.00", proxyheader.ErrLine),
	refused("an octet missing", "PROXY TCP4 192.0.2 ", proxyheader.ErrLine),
	refused("an octet empty", "PROXY TCP4 192..", proxyheader.ErrLine),
	refused("five octets", "PROXY TCP4 192.0.2.1.", proxyheader.ErrLine),
	refused("a group of five digits", "PROXY TCP6 20010", proxyheader.ErrLine),
	refused("a group missing", "PROXY TCP6 1:2:3:4:5:6:7 ", proxyheader.ErrLine),
	refused("nine groups", "PROXY TCP6 1:2:3:4:5:6:7:8:", proxyheader.ErrLine),
	refused("eight groups and a gap", "PROXY TCP6 ::1:2:3:4:5:6:7:", proxyheader.ErrLine),
	refused("two gaps", "PROXY TCP6 1::2::", proxyheader.ErrLine),
	refused("three colons", "PROXY TCP6 :::", proxyheader.ErrLine),
	refused("one colon first", "PROXY TCP6 :1", proxyheader.ErrLine),
	refused("one colon last", "PROXY TCP6 1: ", proxyheader.ErrLine),
	refused("a zone", "PROXY TCP6 fe80::1%", proxyheader.ErrLine),
	refused("brackets", "PROXY TCP6 [", proxyheader.ErrLine),
	refused("no port", "PROXY TCP4 192.0.2.1 198.51.100.2\r", proxyheader.ErrLine),
	refused("one port", "PROXY TCP4 192.0.2.1 198.51.100.2 56324\r", proxyheader.ErrLine),
	refused("three ports", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 ", proxyheader.ErrLine),
	refused("an empty port", "PROXY TCP4 192.0.2.1 198.51.100.2  ", proxyheader.ErrLine),
	refused("a port of 65536", "PROXY TCP4 192.0.2.1 198.51.100.2 65536", proxyheader.ErrLine),
	refused("a port of six digits", "PROXY TCP4 192.0.2.1 198.51.100.2 123456", proxyheader.ErrLine),
	refused("a port with a leading zero", "PROXY TCP4 192.0.2.1 198.51.100.2 00", proxyheader.ErrLine),
	refused("a port with a sign", "PROXY TCP4 192.0.2.1 198.51.100.2 +", proxyheader.ErrLine),
	refused("LF alone", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\n", proxyheader.ErrLine),
	refused("CR alone", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\r", proxyheader.ErrLine),
}

var blocks = []vector{
	header("IPv4 stream", block(proxy, 0x11, addresses4), from4),
	header("IPv6 stream", block(proxy, 0x21, addresses6), from6),
	header("IPv6 stream, IPv4-mapped", block(proxy, 0x21, mapped), from4),
	header("Unix stream", block(proxy, 0x31, paths), ownAddresses),
	header("IPv4 datagram", block(proxy, 0x12, addresses4), ownAddresses),
	header("IPv6 datagram", block(proxy, 0x22, addresses6), ownAddresses),
	header("Unix datagram", block(proxy, 0x32, paths), ownAddresses),
	header("unspecified", block(proxy, 0x00, ""), ownAddresses),
	header("unspecified family, block skipped", block(proxy, 0x01, "xy"), ownAddresses),
	header("unspecified transport, block skipped", block(proxy, 0x10, "xy"), ownAddresses),
	header("LOCAL", block(local, 0x00, ""), ownAddresses),
	header("LOCAL, addresses skipped", block(local, 0x11, addresses4), ownAddresses),
	header("LOCAL, any family, any block", block(local, 0xff, "xy"), ownAddresses),
	header("TLVs", block(proxy, 0x11, addresses4+tlv(1, "h2")+tlv(4, "")+tlv(0xff, "x")), from4),
	header("TLVs after paths", block(proxy, 0x31, paths+tlv(4, "x")), ownAddresses),
	header("checksum", summed(block(proxy, 0x11, addresses4+noSum)), from4),
	header("checksum between TLVs", summed(block(proxy, 0x21, addresses6+tlv(1, "h2")+noSum+tlv(4, "x"))), from6),
	header("checksum of a datagram", summed(block(proxy, 0x12, addresses4+noSum)), ownAddresses),
	header("the longest", block(proxy, 0x11, addresses4+tlv(4, strings.Repeat("x", 4096-16-12-3))), from4),
	{name: "what follows is not looked at, version 2", wire: block(proxy, 0x11, addresses4) + "\r\n\r\n",
		after: 28, from: from4},

	{name: "half a signature", wire: signature[:6]},
	{name: "no length", wire: signature + "\x21\x11"},
	{name: "half a block", wire: block(proxy, 0x11, addresses4)[:20]},
	{name: "half a TLV", wire: block(proxy, 0x11, addresses4+tlv(4, "xyz"))[:30]},

	refused("CRLF and a request", "\r\nG", proxyheader.ErrMissing),
	refused("another signature", "\r\n\r\n\x00\r\nQUIX", proxyheader.ErrMissing),
	refused("version 1 in binary", signature+"\x11", proxyheader.ErrUnassigned),
	refused("version 3", signature+"\x31", proxyheader.ErrUnassigned),
	refused("command 2", signature+"\x22", proxyheader.ErrUnassigned),
	refused("family 4", signature+"\x21\x41", proxyheader.ErrUnassigned),
	refused("transport 3", signature+"\x21\x13", proxyheader.ErrUnassigned),
	refused("a byte too long", signature+"\x21\x11\x0f\xf1", proxyheader.ErrTooLarge),
	refused("LOCAL, too long", signature+"\x20\x00\xff\xff", proxyheader.ErrTooLarge),
	refused("IPv4, length 11", signature+"\x21\x11\x00\x0b", proxyheader.ErrLength),
	refused("IPv6, length 35", signature+"\x21\x21\x00\x23", proxyheader.ErrLength),
	refused("Unix, length 215", signature+"\x21\x31\x00\xd7", proxyheader.ErrLength),
	refused("IPv6 datagram with IPv4 addresses", block(proxy, 0x22, addresses4)[:16], proxyheader.ErrLength),
	refused("a byte for a TLV", block(proxy, 0x11, addresses4+"\x04"), proxyheader.ErrLength),
	refused("two bytes for a TLV", block(proxy, 0x11, addresses4+"\x04\x00"), proxyheader.ErrLength),
	refused("a TLV beyond the end", block(proxy, 0x11, addresses4+"\x04\x00\x02x"), proxyheader.ErrLength),
	refused("a second TLV beyond the end", block(proxy, 0x11, addresses4+tlv(4, "x")+"\x04\xff\xff"),
		proxyheader.ErrLength),
	refused("a checksum of three bytes", block(proxy, 0x11, addresses4+tlv(3, "xyz")), proxyheader.ErrLength),
	refused("a checksum of five bytes", block(proxy, 0x11, addresses4+tlv(3, "xyzxy")), proxyheader.ErrLength),
	refused("a wrong checksum", block(proxy, 0x11, addresses4+tlv(3, "wxyz")), proxyheader.ErrChecksum),
	refused("a wrong address under a checksum",
		strings.Replace(summed(block(proxy, 0x11, addresses4+noSum)), "\xc0", "\xc1", 1), proxyheader.ErrChecksum),
}

func vectors() []vector { return append(append([]vector{}, lines...), blocks...) }

// TestParse gives Parse every start of every vector, and it must decide at the byte that is expected and stay with it.
func TestParse(t *testing.T) {
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			for size := range len(v.wire) + 1 {
				wantN, wantFrom, wantErr := 0, proxyheader.Header{}, error(nil)
				if v.after > 0 && size >= v.after {
					wantFrom, wantErr = v.from, v.err
					if v.err == nil {
						wantN = v.after
					}
				}
				n, from, err := proxyheader.Parse([]byte(v.wire[:size]))
				if n != wantN || from != wantFrom || !errors.Is(err, wantErr) {
					t.Fatalf("%q: got %d, %v, %v, want %d, %v, %v", v.wire[:size], n, from, err, wantN,
						wantFrom, wantErr)
				}
			}
		})
	}
}

// TestParseChecksum has a checksum that was not made by the code under test or its tables: CRC-32C bit by bit.
func TestParseChecksum(t *testing.T) {
	wire := []byte(block(proxy, 0x11, addresses4+noSum))
	sum := ^uint32(0)
	for _, c := range wire {
		sum ^= uint32(c)
		for range 8 {
			sum = sum>>1 ^ sum&1*0x82f63b78
		}
	}
	binary.BigEndian.PutUint32(wire[len(wire)-4:], ^sum)
	if n, from, err := proxyheader.Parse(wire); n != len(wire) || from != from4 || err != nil {
		t.Errorf("got %d, %v, %v", n, from, err)
	}
	for i := 16; i < 16+len(addresses4); i++ {
		wire[i] ^= 0x10
		if n, _, err := proxyheader.Parse(wire); n != 0 || !errors.Is(err, proxyheader.ErrChecksum) {
			t.Errorf("byte %d is wrong: got %d, %v", i, n, err)
		}
		wire[i] ^= 0x10
	}
}

// FuzzParse feeds the bytes in arbitrary pieces: what is decided must be what all of them at once give.
func FuzzParse(f *testing.F) {
	for _, v := range vectors() {
		f.Add([]byte(v.wire), []byte{1, 5, 0, 30})
	}
	f.Fuzz(func(t *testing.T, data, pieces []byte) {
		n, from, err := proxyheader.Parse(data)
		check(t, data, n, from, err)
		for fed := 0; fed < len(data); {
			step := 1
			if len(pieces) > 0 {
				step, pieces = int(pieces[0]), pieces[1:]
			}
			fed = min(len(data), fed+step)
			someN, someFrom, someErr := proxyheader.Parse(data[:fed])
			if waits := someN == 0 && someErr == nil; waits && fed < len(data) {
				continue
			}
			if someN != n || someFrom != from || someErr != err {
				t.Fatalf("%d bytes gave %d, %v, %v; all gave %d, %v, %v", fed, someN, someFrom, someErr, n, from, err)
			}
			break
		}
	})
}

// check holds a result to what Parse promises of all.
func check(t *testing.T, data []byte, n int, from proxyheader.Header, err error) {
	t.Helper()
	switch {
	case n == 0:
		if from != (proxyheader.Header{}) {
			t.Fatalf("no header, but it says %v", from)
		}
		if err == nil && len(data) >= proxyheader.MaxSize {
			t.Fatalf("waits with %d bytes", len(data))
		}
	case n < 0 || n > len(data) || err != nil:
		t.Fatalf("of %d bytes: %d, %v", len(data), n, err)
	case from.Local:
		if from != ownAddresses {
			t.Fatalf("local, and %v", from)
		}
	case !from.Source.IsValid() || !from.Destination.IsValid(),
		from.Source.Addr().Is4In6() || from.Destination.Addr().Is4In6():
		t.Fatalf("addresses %v", from)
	}
}

func TestParseAllocations(t *testing.T) {
	for _, v := range vectors() {
		wire := []byte(v.wire)
		if n := testing.AllocsPerRun(10, func() { _, _, _ = proxyheader.Parse(wire) }); n != 0 {
			t.Errorf("%s: %v allocations", v.name, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, v := range []vector{lines[0], lines[4], blocks[0], blocks[15]} {
		b.Run(v.name, func(b *testing.B) {
			wire := []byte(v.wire)
			b.ReportAllocs()
			for range b.N {
				if n, _, err := proxyheader.Parse(wire); n != len(wire) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}
