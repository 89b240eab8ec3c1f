package handover

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// A message is a list of fields: a number, a length, both uvarints, and that many bytes. Those that are zero are left
// out, so that a field costs nothing where it is not used.

func appendUint(dst []byte, number, value uint64) []byte {
	if value == 0 {
		return dst
	}
	var digits [binary.MaxVarintLen64]byte
	return appendField(dst, number, digits[:binary.PutUvarint(digits[:], value)])
}

func appendBool(dst []byte, number uint64, value bool) []byte {
	if !value {
		return dst
	}
	return appendUint(dst, number, 1)
}

func appendBytes[T []byte | string](dst []byte, number uint64, value T) []byte {
	if len(value) == 0 {
		return dst
	}
	return appendField(dst, number, value)
}

func appendAddr(dst []byte, number uint64, value netip.Addr) []byte {
	var room [16]byte
	return appendBytes(dst, number, appendOctets(room[:0], value))
}

func appendAddrPort(dst []byte, number uint64, value netip.AddrPort) []byte {
	if !value.IsValid() {
		return dst
	}
	var room [18]byte
	return appendBytes(dst, number, binary.BigEndian.AppendUint16(appendOctets(room[:0], value.Addr()), value.Port()))
}

// appendOctets appends 4 or 16 bytes, or none of an address that is not valid.
func appendOctets(dst []byte, addr netip.Addr) []byte {
	switch octets := addr.As16(); {
	case addr.Is4():
		return append(dst, octets[12:]...)
	case addr.IsValid():
		return append(dst, octets[:]...)
	}
	return dst
}

func appendField[T []byte | string](dst []byte, number uint64, value T) []byte {
	dst = binary.AppendUvarint(dst, number)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

// eachField gives the fields of a message to take, until one is not understood.
func eachField(message []byte, take func(number uint64, value []byte) error) error {
	for len(message) > 0 {
		number, n := binary.Uvarint(message)
		if n <= 0 {
			return fmt.Errorf("%w: a field without a number", ErrCorrupt)
		}
		length, m := binary.Uvarint(message[n:])
		if m <= 0 || length > uint64(len(message)-n-m) {
			return fmt.Errorf("%w: field %d is longer than its message", ErrCorrupt, number)
		}
		message = message[n+m:]
		if err := take(number, message[:length]); err != nil {
			return err
		}
		message = message[length:]
	}
	return nil
}

// unknownField is the error of a field that version Version of a message does not have.
func unknownField(message string, number uint64) error {
	return fmt.Errorf("%w: version %d has no field %d of %s", ErrVersion, Version, number, message)
}

func parseUint[T int | time.Duration | uint16 | uint32 | uint64](value []byte, into *T) error {
	v, n := binary.Uvarint(value)
	if n <= 0 || n != len(value) || T(v) < 0 || uint64(T(v)) != v {
		return fmt.Errorf("%w: %x is not a number of this size", ErrCorrupt, value)
	}
	*into = T(v)
	return nil
}

func parseBool(value []byte, into *bool) error {
	if len(value) != 1 || value[0] != 1 {
		return fmt.Errorf("%w: %x is not true", ErrCorrupt, value)
	}
	*into = true
	return nil
}

// parseText makes no copy of a text that is the same as the one before.
func parseText(value []byte, before string, into *string) error {
	*into = before
	if before != string(value) {
		*into = string(value)
	}
	return nil
}

func parseBytes(value []byte, into *[]byte) error {
	*into = value
	return nil
}

func parseAddr(value []byte, into *netip.Addr) error {
	addr, ok := netip.AddrFromSlice(value)
	if !ok {
		return fmt.Errorf("%w: %x is not an address", ErrCorrupt, value)
	}
	*into = addr
	return nil
}

func parseAddrPort(value []byte, into *netip.AddrPort) error {
	if len(value) < 2 {
		return fmt.Errorf("%w: %x is not an address with a port", ErrCorrupt, value)
	}
	var addr netip.Addr
	octets, port := value[:len(value)-2], value[len(value)-2:]
	if err := parseAddr(octets, &addr); err != nil {
		return err
	}
	*into = netip.AddrPortFrom(addr, binary.BigEndian.Uint16(port))
	return nil
}
