package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// mark is what a publication tells about itself.
type mark struct {
	number uint64        // among those for the same target, from 0
	at     time.Duration // when it was to be published, since the run began
}

// marker writes marks into publications, and finds them there.
//
//	{"uid":"bench-7","pad":"xxxx","bench":"5f0c…","number":12,"at":345678}
type marker struct {
	tag  []byte // ,"bench":"…","number":
	size int    // of a publication
}

const atTag = `,"at":`

func newMarker(run uint64, size int) marker {
	return marker{fmt.Appendf(nil, `,"bench":"%016x","number":`, run), size}
}

// toUID is what a publication for a uid begins with.
func toUID(uid string) []byte {
	text, _ := json.Marshal(uid) // a string can be written
	return append([]byte(`{"uid":`), text...)
}

// toAll is what one for everyone begins with.
const toAll = `{"all":true`

// append adds a publication that begins with head to dst.
func (k marker) append(dst, head []byte, m mark) []byte {
	before := len(dst)
	dst = append(dst, head...)
	// the numbers
	if pad := k.size - len(head) - len(`,"pad":""`) - len(k.tag) - len(atTag) - len(`1099511627775`) -
		len(`600000000000`) - 1; pad > 0 {
		dst = append(dst, `,"pad":"`...)
		dst = append(dst, strings.Repeat("x", pad)...)
		dst = append(dst, '"')
	}
	dst = append(dst, k.tag...)
	dst = strconv.AppendUint(dst, m.number, 10)
	dst = append(dst, atTag...)
	dst = strconv.AppendInt(dst, int64(m.at), 10)
	for len(dst)-before < k.size-1 {
		dst = append(dst, ' ')
	}
	return append(dst, '}')
}

// find is the mark of a publication. It has none if it is not of this run.
func (k marker) find(msg []byte) (m mark, ok bool) {
	i := bytes.LastIndex(msg, k.tag)
	if i < 0 {
		return m, false
	}
	rest := msg[i+len(k.tag):]
	number, rest, ok := digits(rest)
	if !ok || !bytes.HasPrefix(rest, []byte(atTag)) {
		return m, false
	}
	at, _, ok := digits(rest[len(atTag):])
	return mark{number, time.Duration(at)}, ok
}

// digits is the number that b begins with. One above 2^60 is none that was written here.
func digits(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && '0' <= b[i] && b[i] <= '9'; i++ {
		if n = 10*n + uint64(b[i]-'0'); n > 1<<60 {
			return 0, nil, false
		}
	}
	return n, b[i:], i > 0
}
