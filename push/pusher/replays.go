package pusher

import (
	"cmp"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
)

// Replays are the requests of the last minutes that change something, by their signatures. A library signs by the
// second, so two equal events of one second are equal byte for byte: a request that comes again within five seconds is
// done again, as it is most likely another event. Later it is a replay, and refused.
//
// Where there are several nodes, each has its own, and what it admits they have to ask each other about: see
// Request.Mark.
//
// What is remembered is bounded. If more requests come than fit in, the oldest are forgotten, and none is taken any
// more that was signed up to then: the window becomes narrower, and never has a hole.
//
// The zero value is ready for use. Owned by the loop.
type Replays struct {
	seconds map[int64]map[signature]int64 // when each has come first, Unix time in ms; by the time of the signatures
	n       int                           // of all seconds
	forgot  int64                         // the newest second that was forgotten
	most    int                           // signatures that are remembered; 0 means mostSeen
	looked  int64                         // the second in which it was looked last what is too old
}

// signature is enough of one to tell it from others.
type signature [16]byte

const (
	mostSeen = 1 << 17         // signatures
	again    = 5 * time.Second // for how long the same request is another one
)

// admit reports whether a request may be done, and remembers it. Its signature is good, and its time is within the
// Window.
func (r *Replays) admit(hexadecimal string, at int64, now time.Time) bool {
	r.forget(now)
	if at <= r.forgot {
		return false
	}
	var s signature
	_, _ = hex.Decode(s[:], []byte(hexadecimal[:2*len(s)])) // it is that of a hash
	if first, known := r.seconds[at][s]; known {
		return now.UnixMilli()-first < again.Milliseconds()
	}
	r.remember(s, at, now.UnixMilli())
	for r.n > cmp.Or(r.most, mostSeen) {
		r.forgetSecond(slices.Min(slices.Collect(maps.Keys(r.seconds))))
	}
	return true
}

// Mark is enough of the signature of a request to tell it from all others, and the second in which it was signed; empty
// for one that changes nothing, which may come again.
func (r *Request) Mark() (mark string, at int64) { return r.mark, r.at }

// Known tells whether a request is a replay, that another node may have done first, so long ago; 0 if none has.
func (r *Request) Known(before time.Duration) *Failure {
	if before >= again {
		return replayed
	}
	return nil
}

// replayed is the answer to a request that has come before.
var replayed = &Failure{401, "this request has come before, or too many that are newer have: sign a new one"}

func (r *Replays) remember(s signature, at, first int64) {
	if r.seconds == nil {
		r.seconds = make(map[int64]map[signature]int64)
	}
	if r.seconds[at] == nil {
		r.seconds[at] = make(map[signature]int64)
	}
	r.seconds[at][s] = first
	r.n++
}

// forget forgets what is too old to be taken in any case, once a second.
func (r *Replays) forget(now time.Time) {
	if now.Unix() == r.looked {
		return
	}
	r.looked = now.Unix()
	for at := range r.seconds {
		if now.Sub(time.Unix(at, 0)) > Window {
			r.n -= len(r.seconds[at])
			delete(r.seconds, at)
		}
	}
}

// forgetSecond makes room, and refuses from then on what it would not know any more.
func (r *Replays) forgetSecond(at int64) {
	r.n -= len(r.seconds[at])
	delete(r.seconds, at)
	r.forgot = max(r.forgot, at)
}

// Numbers of the fields of Replays, for the process that takes over.
const (
	replaysVersion = 1

	fieldForgot = 1
	fieldSecond = 2 // fields: fieldAt, and fieldSeen of each signature
	fieldAt     = 3
	fieldSeen   = 4 // a signature, and 8 bytes of when it has come first
)

// Append appends what is remembered, for the process that takes over.
func (r *Replays) Append(dst []byte) []byte {
	dst = fields.Uint(fields.Begin(dst, replaysVersion), fieldForgot, uint64(r.forgot))
	for at, seen := range r.seconds {
		dst = fields.Nested(dst, fieldSecond, func(dst []byte) []byte {
			dst = fields.Uint(dst, fieldAt, uint64(at))
			for s, first := range seen {
				one := make([]byte, 0, len(s)+8)
				one = append(one, s[:]...)
				for shift := 56; shift >= 0; shift -= 8 {
					one = append(one, byte(first>>shift))
				}
				dst = fields.Bytes(dst, fieldSeen, one)
			}
			return dst
		})
	}
	return dst
}

// Restore reads what Append has written, in addition to what is remembered already.
func (r *Replays) Restore(state []byte) error {
	state, err := fields.Open(state, replaysVersion)
	if err != nil {
		return err
	}
	return fields.Each(state, fieldSeen, func(number uint64, value []byte) error {
		switch number {
		case fieldForgot:
			var forgot int64
			if err := fields.Put(&forgot, value); err != nil {
				return err
			}
			r.forgot = max(r.forgot, forgot)
		case fieldSecond:
			return r.restoreSecond(value)
		}
		return nil
	})
}

var errMalformedReplays = errors.New("pusher: the state of the requests that have come is malformed")

func (r *Replays) restoreSecond(state []byte) error {
	var at int64
	return fields.Each(state, fieldSeen, func(number uint64, value []byte) error {
		switch number {
		case fieldAt:
			return fields.Put(&at, value)
		case fieldSeen:
			var s signature
			if len(value) != len(s)+8 || at == 0 {
				return errMalformedReplays
			}
			first := int64(0)
			for _, b := range value[copy(s[:], value):] {
				first = first<<8 | int64(b)
			}
			if _, known := r.seconds[at][s]; !known {
				r.remember(s, at, first)
			}
		}
		return nil
	})
}
