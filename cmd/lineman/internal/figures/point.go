package figures

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Point is what is kept of an interval: what plots show.
type Point struct {
	At      int64   // the end, in milliseconds of Unix time
	Seconds float64 // that the interval took

	Pages  int // connections of pages
	Queued Queued
	Lag    Lag

	// Per second.
	Published, Delivered, Refused float64
	BytesIn, BytesOut             float64
}

func pointOf(f *Figures) Point {
	return Point{
		At: f.At, Seconds: f.Seconds, Pages: f.Conns.Pages, Queued: f.Queued, Lag: f.Lag,
		Published: f.Rates.Published, Delivered: f.Rates.Delivered, Refused: f.Rates.Refused,
		BytesIn: f.Rates.BytesIn, BytesOut: f.Rates.BytesOut,
	}
}

// values is how many numbers a Point has beside At.
const values = 12

// numbers are those. Their order is known to the page, and to a successor of the process.
func (p *Point) numbers() [values]float64 {
	return [values]float64{
		p.Seconds, float64(p.Pages), p.Published, p.Delivered, p.Refused, p.BytesIn, p.BytesOut,
		float64(p.Lag.Samples), p.Lag.P50, p.Lag.P99, float64(p.Queued.Bytes), float64(p.Queued.Most),
	}
}

// setNumbers takes what numbers has given. It is an error if one is none that could be.
func (p *Point) setNumbers(of [values]float64) error {
	for _, n := range of {
		if !(n >= 0 && n <= math.MaxFloat32) {
			return fmt.Errorf("figures: a point has %v", n)
		}
	}
	*p = Point{
		At: p.At, Seconds: of[0], Pages: int(of[1]), Published: of[2], Delivered: of[3], Refused: of[4],
		BytesIn: of[5], BytesOut: of[6], Lag: Lag{uint64(of[7]), of[8], of[9]},
		Queued: Queued{int(of[10]), int(of[11])},
	}
	return nil
}

// MarshalJSON writes the numbers without names, as there are many Points: At, and the others to seven digits.
func (p Point) MarshalJSON() ([]byte, error) {
	text := strconv.AppendInt([]byte("["), p.At, 10)
	for _, n := range p.numbers() {
		text = strconv.AppendFloat(append(text, ','), n, 'g', -1, 32)
	}
	return append(text, ']'), nil
}

// UnmarshalJSON reads what MarshalJSON has written, perhaps in a later version, which writes more numbers.
func (p *Point) UnmarshalJSON(text []byte) error {
	var of []float64
	if err := json.Unmarshal(text, &of); err != nil {
		return err
	}
	if len(of) < 1+values || !(math.Abs(of[0]) < 1<<53) {
		return fmt.Errorf("figures: a point has %d numbers", len(of))
	}
	p.At = int64(of[0])
	return p.setNumbers([values]float64(of[1 : 1+values]))
}

// raise has of what there is the most of both, and of what took long the longest.
func (p *Point) raise(to *Point) {
	p.Pages = max(p.Pages, to.Pages)
	p.Queued.Bytes, p.Queued.Most = max(p.Queued.Bytes, to.Queued.Bytes), max(p.Queued.Most, to.Queued.Most)
	p.Lag.P50, p.Lag.P99 = max(p.Lag.P50, to.Lag.P50), max(p.Lag.P99, to.Lag.P99)
}

// join is one interval in place of several that follow each other: what happened is a mean, and of what there was it is
// the most.
func join(all []Point) (one Point) {
	for i := range all {
		p := &all[i]
		one.raise(p)
		one.At = p.At
		one.Seconds += p.Seconds
		one.Lag.Samples += p.Lag.Samples
		one.Published += p.Published * p.Seconds
		one.Delivered += p.Delivered * p.Seconds
		one.Refused += p.Refused * p.Seconds
		one.BytesIn += p.BytesIn * p.Seconds
		one.BytesOut += p.BytesOut * p.Seconds
	}
	if one.Seconds > 0 {
		one.Published /= one.Seconds
		one.Delivered /= one.Seconds
		one.Refused /= one.Seconds
		one.BytesIn /= one.Seconds
		one.BytesOut /= one.Seconds
	}
	return one
}

// add counts in what another process did in an interval.
func (p *Point) add(other *Point) {
	p.Pages += other.Pages
	p.Queued.Bytes += other.Queued.Bytes
	p.Queued.Most = max(p.Queued.Most, other.Queued.Most)
	p.Lag.Samples += other.Lag.Samples
	p.Lag.P50, p.Lag.P99 = max(p.Lag.P50, other.Lag.P50), max(p.Lag.P99, other.Lag.P99)
	p.Published += other.Published
	p.Delivered += other.Delivered
	p.Refused += other.Refused
	p.BytesIn += other.BytesIn
	p.BytesOut += other.BytesOut
}
