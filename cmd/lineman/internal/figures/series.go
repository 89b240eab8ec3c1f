package figures

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
)

// Series is what is kept of the past, oldest first: each second of the last five minutes, and each ten seconds of the
// last hour. Of ten seconds, what happened is told of all of them, and of what there was the most, or the worst. The
// seconds that are not ten yet are in the first list only.
type Series struct {
	Seconds    []Point `json:"seconds"`
	TenSeconds []Point `json:"ten_seconds"`
}

// Shift moves it in time: that of another process is by the clock of its machine.
func (s *Series) Shift(by time.Duration) {
	for _, points := range [][]Point{s.Seconds, s.TenSeconds} {
		for i := range points {
			points[i].At += by.Milliseconds()
		}
	}
}

// Together is what several processes did.
func Together(all []Series) Series {
	var seconds, tens [][]Point
	for _, s := range all {
		seconds, tens = append(seconds, s.Seconds), append(tens, s.TenSeconds)
	}
	return Series{together(seconds, keptSeconds, time.Second), together(tens, keptTens, longer)}
}

// together adds up what was done at so many instants, oldest first: those of which all tell that have begun by then.
func together(all [][]Point, most int, step time.Duration) []Point {
	all = slices.DeleteFunc(all, func(one []Point) bool { return len(one) == 0 })
	sum := []Point{}
	if len(all) == 0 {
		return sum
	}
	first, last := int64(math.MinInt64), int64(math.MaxInt64)
	for _, one := range all {
		last = min(last, one[len(one)-1].At)
		if len(one) == most { // it has begun before that
			first = max(first, one[0].At)
		}
	}
	next := make([]int, len(all)) // the point of each that is the first not to end before the instant
	for i := range most {
		at := last - int64(most-1-i)*step.Milliseconds()
		if at < first {
			continue
		}
		told := Point{At: at, Seconds: step.Seconds()}
		covered := false
		for k, one := range all {
			for next[k] < len(one) && one[next[k]].At < at {
				next[k]++
			}
			if next[k] < len(one) && one[next[k]].covers(at) {
				told.add(&one[next[k]])
				covered = true
			}
		}
		if covered {
			sum = append(sum, told)
		}
	}
	return sum
}

// covers reports whether the interval of a point has an instant.
func (p *Point) covers(at int64) bool {
	return at <= p.At && float64(at) > float64(p.At)-1000*p.Seconds
}

// ring has the last Points.
type ring struct {
	most  int
	kept  []Point
	first int // the oldest, once there are most
}

func (r *ring) add(p Point) {
	if len(r.kept) < r.most {
		r.kept = append(r.kept, p)
		return
	}
	r.kept[r.first] = p
	r.first = (r.first + 1) % r.most
}

// newest are the last n Points, oldest first. There are as many.
func (r *ring) newest(n int) []Point {
	of := make([]Point, 0, n)
	for i := len(r.kept) - n; i < len(r.kept); i++ {
		of = append(of, r.kept[(r.first+i)%len(r.kept)])
	}
	return of
}

func (r *ring) all() []Point { return r.newest(len(r.kept)) }

// last is the newest one; nil if there is none.
func (r *ring) last() *Point {
	if len(r.kept) == 0 {
		return nil
	}
	return &r.newest(1)[0]
}

// stateVersion is that of the state of a Series.
const stateVersion = 1

const (
	stateSecond = iota + 1 // once for each
	stateTen               // likewise
)

// appendState appends it for the successor of the process: at most 60 bytes for each Point.
func (s *Series) appendState(dst []byte) []byte {
	dst = fields.Begin(dst, stateVersion)
	var room [60]byte
	for _, p := range s.Seconds {
		dst = fields.Item(dst, stateSecond, p.appendState(room[:0]))
	}
	for _, p := range s.TenSeconds {
		dst = fields.Item(dst, stateTen, p.appendState(room[:0]))
	}
	return dst
}

func (s *Series) restoreState(state []byte) error {
	state, err := fields.Open(state, stateVersion)
	if err != nil {
		return err
	}
	return fields.Each(state, stateTen, func(number uint64, value []byte) error {
		var p Point
		switch number {
		case stateSecond:
			err = p.restoreState(value)
			s.Seconds = append(s.Seconds, p)
		case stateTen:
			err = p.restoreState(value)
			s.TenSeconds = append(s.TenSeconds, p)
		}
		return err
	})
}

// A Point is its instant, and four bytes for each number.

func (p *Point) appendState(dst []byte) []byte {
	dst = binary.AppendVarint(dst, p.At)
	for _, n := range p.numbers() {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(n)))
	}
	return dst
}

func (p *Point) restoreState(state []byte) error {
	at, n := binary.Varint(state)
	if n <= 0 || len(state)-n < 4*values {
		return fields.ErrMalformed
	}
	var of [values]float64
	for i := range of {
		of[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(state[n+4*i:])))
	}
	p.At = at
	if p.setNumbers(of) != nil {
		return fields.ErrMalformed
	}
	return nil
}
