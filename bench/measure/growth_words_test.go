//go:build linux

package main

import (
	"math"
	"testing"
)

// TestSlope fits points of a known exponent, and leaves out those that have no logarithm.
func TestSlope(t *testing.T) {
	x := []float64{1, 10, 100, 1000}
	for _, exponent := range []float64{-0.5, 0, 0.4, 1, 2} {
		g := growth{x: append([]float64{0}, x...), y: []float64{7}}
		for _, v := range x {
			g.y = append(g.y, 3*math.Pow(v, exponent))
		}
		if got := g.slope(); math.Abs(got-exponent) > 1e-9 {
			t.Errorf("x^%v: slope %v", exponent, got)
		}
	}
	if got := (growth{x: x[:1], y: x[:1]}).slope(); !math.IsNaN(got) {
		t.Errorf("one point: slope %v", got)
	}
}

// TestInWords says each kind of growth.
func TestInWords(t *testing.T) {
	x := []float64{16, 256, 4096, 65536, 1048576, 1 << 24, 1 << 28, 1 << 32}
	for _, tt := range []struct {
		y    []float64
		want string
	}{
		{[]float64{5, 5.1, 5, 5.2, 5.1}, "the cost does not grow with bytes (slope 0.00)"},
		{[]float64{1, 1.4, 2, 2.8, 4}, "the cost hardly grows with bytes: by 33 % for ten times as many (slope 0.12)"},
		{[]float64{1, 2, 4, 8, 16},
			"the cost grows less than in proportion to bytes: 1.8-fold for ten times as many (slope 0.25)"},
		{[]float64{5, 5, 5, 5, 5, 40, 320, 2560}, "up to 1,048,576 bytes, the cost does not grow with bytes " +
			"(slope 0.00); from there on, it grows less than in proportion to bytes: 5.6-fold for ten times as many " +
			"(slope 0.75)"},
		{[]float64{1, 4, 16, 64, 256},
			"the cost grows less than in proportion to bytes: 3.2-fold for ten times as many (slope 0.50)"},
		{x[:5], "the cost grows in proportion to bytes (slope 1.00)"},
		{[]float64{1, 1 << 8, 1 << 16, 1 << 24, 1 << 32},
			"the cost grows more than in proportion to bytes: 100.0-fold for ten times as many (slope 2.00)"},
		{[]float64{16, 8, 4, 2, 1}, "the cost falls with bytes: by 44 % for ten times as many (slope -0.25)"},
		{[]float64{5, 5, 5, 80, 1280},
			"up to 4,096 bytes, the cost does not grow with bytes (slope 0.00); " +
				"from there on, it grows in proportion to bytes (slope 1.00)"},
	} {
		if got := (growth{x[:len(tt.y)], tt.y}).inWords("the cost", "bytes"); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.y, got, tt.want)
		}
	}
}
