package push

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// Position says how far the publications for a target have come. Its text, "epoch.offset", is what clients store and
// hand back; for them it is opaque, and two are the same if their texts are. The zero value is no Position, and its
// text is empty. Comparable.
type Position struct {
	// Epoch is that of the Broker, or of a partition of it: 1 to 32 digits of base 36. Another one means that nothing
	// is known of what was before.
	Epoch string

	// Offset counts the publications for the target. The next one has the next offset. 0 is before the first one.
	Offset uint64
}

// ErrPosition is the error of ParsePosition.
var ErrPosition = errors.New("push: this is no position: give one back as it was told")

// maxEpoch is how long an epoch may be.
const maxEpoch = 32

// ParsePosition reads the text of a Position. It takes no other spelling than that of String.
func ParsePosition(text string) (Position, error) {
	epoch, offset, found := strings.Cut(text, ".")
	if !found || epoch == "" || len(epoch) > maxEpoch || strings.ContainsFunc(epoch, isNoDigit) {
		return Position{}, ErrPosition
	}
	n, err := strconv.ParseUint(offset, 36, 64)
	if err != nil || strconv.FormatUint(n, 36) != offset {
		return Position{}, ErrPosition
	}
	return Position{epoch, n}, nil
}

// isNoDigit reports whether a character is no digit of base 36 as it is written here.
func isNoDigit(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') }

// String is the text, at most 46 bytes.
func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	return p.Epoch + "." + strconv.FormatUint(p.Offset, 36)
}

// MarshalText is String, for JSON.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// NewEpoch makes the epoch of Positions that begin anew: none had it before.
func NewEpoch() string {
	var b [8]byte
	_, _ = rand.Read(b[2:]) // it never fails
	return strconv.FormatUint(binary.BigEndian.Uint64(b[:]), 36)
}

// Gap is why not everything that came after a Position can be told. Empty: everything can.
type Gap string

// The reasons.
const (
	GapEpoch   Gap = "epoch"   // the Broker was begun anew, and knows nothing of what was before
	GapExpired Gap = "expired" // some of it is no longer kept
	GapAhead   Gap = "ahead"   // there is no such Position yet: it was not told by this Broker
)

// gapSince is what is missing of what came after a Position, where top is how far it has come, and what comes after
// oldest is kept.
func gapSince(since, oldest, top Position) Gap {
	switch {
	case since.Epoch != top.Epoch:
		return GapEpoch
	case since.Offset > top.Offset:
		return GapAhead
	case since.Offset < oldest.Offset:
		return GapExpired
	}
	return ""
}

// UnmarshalText is ParsePosition, for JSON.
func (p *Position) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePosition(string(text))
	return err
}
