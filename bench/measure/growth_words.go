//go:build linux

package main

import (
	"fmt"
	"math"
	"strings"
)

// growth is how the cost of something changes with the size of something else.
type growth struct{ x, y []float64 }

// growth is that of a contender.
func (o outcome) growth(contender string) (g growth) {
	for _, row := range o.Rows {
		if y, ok := row.Figures[contender]; ok && row.At > 0 {
			g.x, g.y = append(g.x, row.At), append(g.y, y)
		}
	}
	return g
}

// sentences say for each contender how its cost grows. There are none of a case without an axis.
func (o outcome) sentences() (all []string) {
	if o.Axis == "" {
		return nil
	}
	for _, name := range o.Contenders {
		g := o.growth(name)
		what := strings.TrimSuffix(strings.TrimPrefix(o.Name, "growth: "), by+o.Axis)
		all = append(all, name+": "+g.inWords(what, o.Axis)+".")
	}
	return all
}

// slope is that of the line that fits the logarithms of both best: 0 means that y does not change with x, 1 that it is
// in proportion to it. It is NaN of fewer than two points.
func (g growth) slope() float64 {
	slope, _ := g.fit()
	return slope
}

// fit is the slope of that line, and the sum of the squares by which the points are beside it.
func (g growth) fit() (slope, beside float64) {
	var n, sx, sy, sxx, sxy, syy float64
	for i, x := range g.x {
		if x <= 0 || !(g.y[i] > 0) {
			continue
		}
		lx, ly := math.Log(x), math.Log(g.y[i])
		n, sx, sy, sxx, sxy, syy = n+1, sx+lx, sy+ly, sxx+lx*lx, sxy+lx*ly, syy+ly*ly
	}
	if n < 2 {
		return math.NaN(), 0
	}
	slope = (n*sxy - sx*sy) / (n*sxx - sx*sx)
	return slope, syy - sy*sy/n - slope*(sxy-sx*sy/n)
}

// halves are the two parts that two lines fit best, of three points at least, with one in common.
func (g growth) halves() (low, high growth, ok bool) {
	least := math.Inf(1)
	for at := 2; at+2 < len(g.x); at++ {
		a, b := growth{g.x[:at+1], g.y[:at+1]}, growth{g.x[at:], g.y[at:]}
		_, besideA := a.fit()
		_, besideB := b.fit()
		if besideA+besideB < least {
			least, low, high, ok = besideA+besideB, a, b, true
		}
	}
	return low, high, ok
}

// Slopes up to which words hold. One of 0.05 is a tenth more for ten times as much: what machines differ by from one
// minute to the next.
const (
	flat         = 0.05
	slight       = 0.15
	lessThan     = 0.85
	proportional = 1.15

	apartSlopes = 0.3 // by which two halves are told apart
)

// words say how y grows with what x counts.
func words(slope float64, what, axis string) string {
	tenfold := math.Pow(10, slope)
	switch {
	case math.IsNaN(slope):
		return what + " was measured at too few points to say how it grows with " + axis
	case slope < -flat:
		return fmt.Sprintf("%s falls with %s: by %.0f %% for ten times as many", what, axis, 100*(1-tenfold))
	case slope <= flat:
		return fmt.Sprintf("%s does not grow with %s", what, axis)
	case slope <= slight:
		return fmt.Sprintf("%s hardly grows with %s: by %.0f %% for ten times as many", what, axis, 100*(tenfold-1))
	case slope < lessThan:
		const less = "%s grows less than in proportion to %s: %.1f-fold for ten times as many"
		return fmt.Sprintf(less, what, axis, tenfold)
	case slope <= proportional:
		return fmt.Sprintf("%s grows in proportion to %s", what, axis)
	}
	const more = "%s grows more than in proportion to %s: %.1f-fold for ten times as many"
	return fmt.Sprintf(more, what, axis, tenfold)
}

// inWords says how the cost grows. One that is flat first and then grows, as that of a message with its size, is said
// in two halves.
func (g growth) inWords(what, axis string) string {
	low, high, ok := g.halves()
	if ok && math.Abs(low.slope()-high.slope()) > apartSlopes {
		return fmt.Sprintf("up to %s %s, %s; from there on, %s", number(high.x[0]), axis, low.withSlope(what, axis),
			high.withSlope("it", axis))
	}
	return g.withSlope(what, axis)
}

func (g growth) withSlope(what, axis string) string {
	slope := g.slope()
	if math.IsNaN(slope) {
		return words(slope, what, axis)
	}
	return fmt.Sprintf("%s (slope %.2f)", words(slope, what, axis), slope+0) // no -0
}

// number is a number with commas.
func number(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
