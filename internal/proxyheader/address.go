package proxyheader

import "net/netip"

// The functions of this file read the start of a text: n bytes of it belong to what they look for, as far as they have
// been seen. So n == len(text) may go on, and a byte at n is the first that does not belong. They copy nothing, which
// netip.ParseAddr would for its errors, and hold addresses to the same rules, without zones.

// scan4 reads an IPv4 address. whole says that nothing is missing from it.
func scan4(text []byte) (addr netip.Addr, n int, whole bool) {
	var octets [4]byte
	for i := range octets {
		if i > 0 {
			if n == len(text) || text[n] != '.' {
				return netip.Addr{}, n, false
			}
			n++
		}
		value, digits := decimal(text[n:], 255)
		if digits == 0 {
			return netip.Addr{}, n, false
		}
		octets[i] = byte(value)
		n += digits
	}
	return netip.AddrFrom4(octets), n, true
}

// scan6 reads an IPv6 address (RFC 4291, section 2.2). whole says that nothing is missing from it.
//
//	       "::"                          the last group that fits, or no ":"
//	start ------+                      +------------------------------------> end
//	  |         v   1 to 4 hex digits  |
//	  +-------> group ----------------> after it --- ":" or, once, "::" --+
//	              ^  |                                                    |
//	              |  +-- "." where it may: an IPv4 address -> end         |
//	              +-------------------------------------------------------+
func scan6(text []byte) (addr netip.Addr, n int, whole bool) {
	g := groups{gap: -1}
	if n = g.colons(text); n == 1 {
		return netip.Addr{}, n, false // a single one begins nothing
	}
	for g.size < g.room() {
		value, digits := hexadecimal(text[n:])
		if digits == 0 {
			return g.address(), n, g.gap == g.size
		}
		if end := n + digits; end < len(text) && text[end] == '.' && g.takes4() {
			if v4, m, whole := scan4(text[n:]); m > digits {
				g.add4(v4)
				return g.address(), n + m, whole
			}
		}
		g.add(value)
		n += digits
		if g.size == g.room() {
			break
		}
		colons := g.colons(text[n:])
		if colons == 0 {
			return g.address(), n, g.gap >= 0
		}
		n += colons
	}
	return g.address(), n, true
}

// groups are those of an IPv6 address that have been read.
type groups struct {
	bytes [16]byte
	size  int // bytes read
	gap   int // of which so many before "::"; -1 without one
}

// room is how many bytes may be read: "::" stands for one group at least.
func (g *groups) room() int {
	if g.gap >= 0 {
		return 14
	}
	return 16
}

// takes4 reports whether an IPv4 address may come next and last: it fills what is left, or "::" does.
func (g *groups) takes4() bool {
	left := g.room() - g.size
	return left == 4 || g.gap >= 0 && left > 4
}

func (g *groups) add(value uint16) {
	g.bytes[g.size], g.bytes[g.size+1] = byte(value>>8), byte(value)
	g.size += 2
}

// add4 adds the IPv4 address that ends the text; the zero Addr, of one that is not whole, adds nothing.
func (g *groups) add4(addr netip.Addr) {
	if addr.IsValid() {
		v4 := addr.As4()
		g.size += copy(g.bytes[g.size:], v4[:])
	}
}

// colons reads ":", or "::" if there was none yet.
func (g *groups) colons(text []byte) (n int) {
	for n < min(2, len(text)) && text[n] == ':' && (n == 0 || g.gap < 0) {
		n++
	}
	if n == 2 {
		g.gap = g.size
	}
	return n
}

// address is the address with the gap filled.
func (g *groups) address() netip.Addr {
	full := g.bytes
	if g.gap >= 0 {
		after := g.size - g.gap
		clear(full[g.gap:])
		copy(full[len(full)-after:], g.bytes[g.gap:g.size])
	}
	return netip.AddrFrom16(full)
}

// decimal reads a number of no more than most, without leading zeros. No digit has n == 0.
func decimal(text []byte, most int) (value, n int) {
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		next := 10*value + int(text[n]-'0')
		if next > most || n > 0 && value == 0 {
			break
		}
		value = next
		n++
	}
	return value, n
}

// hexadecimal reads up to four hexadecimal digits. No digit has n == 0.
func hexadecimal(text []byte) (value uint16, n int) {
	for n < min(4, len(text)) {
		c := text[n]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return value, n
		}
		value = value<<4 | uint16(c)
		n++
	}
	return value, n
}
