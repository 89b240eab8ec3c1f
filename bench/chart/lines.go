package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Lines show how something grows with something else. Both axes are logarithmic: what grows in proportion is a straight
// line that rises, and what does not grow is level.
type Lines struct {
	Title string
	X, Y  string // what the axes count
	Lines []Line
}

// A Line is that of one of them.
type Line struct {
	Name   string
	Points []Point // those that are not above 0 in both directions are left out
	Ours   bool
}

// A Point has a place on both axes.
type Point struct{ X, Y float64 }

const (
	plotLeft   = 70.0
	plotRight  = width - 150.0
	plotTop    = 48.0
	plotBottom = 340.0
)

// oursColors are those of our lines, the first one first.
var oursColors = []string{"#0969da", "#54aeff"}

// colors are told apart on light pages and dark ones, also by people who do not see all colors.
var colors = []string{"#bf8700", "#8250df", "#1a7f37", "#cf222e", "#6e7781", "#bc4c00", "#bf3989"}

// SVG draws them.
func (l Lines) SVG() []byte {
	p := &picture{}
	p.begin(l.Title, 400)
	x, y := l.axes()
	for _, v := range x.ticks() {
		at := x.place(v)
		p.rule(at, plotTop, at, plotBottom)
		p.text(at, plotBottom+18, "minor", "middle", short(v))
	}
	for _, v := range y.ticks() {
		at := y.place(v)
		p.rule(plotLeft, at, plotRight, at)
		p.text(plotLeft-8, at+4, "minor", "end", short(v))
	}
	p.text((plotLeft+plotRight)/2, plotBottom+40, "minor", "middle", l.X)
	p.text(margin, plotTop-4, "minor", "start", l.Y)
	l.draw(p, x, y)
	return p.end()
}

func (l Lines) draw(p *picture, x, y axis) {
	var labels []label
	ours := 0
	for i, line := range l.Lines {
		points := line.drawn()
		if len(points) == 0 {
			continue
		}
		color, class, wide := colors[i%len(colors)], "other", 2
		if line.Ours {
			color, class, wide = oursColors[min(ours, len(oursColors)-1)], "ours", 3
			ours++
		}
		var at []string
		for _, point := range points {
			at = append(at, fmt.Sprintf("%.1f,%.1f", x.place(point.X), y.place(point.Y)))
		}
		dash := ""
		if i >= len(colors) {
			dash = ` stroke-dasharray="5 3"`
		}
		fmt.Fprintf(p, `<polyline class="line" stroke="%s" stroke-width="%d"%s points="%s"/>`+"\n", color, wide, dash,
			strings.Join(at, " "))
		for _, a := range at {
			cx, cy, _ := strings.Cut(a, ",")
			fmt.Fprintf(p, `<circle cx="%s" cy="%s" r="3" fill="%s"/>`+"\n", cx, cy, color)
		}
		labels = append(labels, label{y.place(points[len(points)-1].Y), line.Name, class, color})
	}
	drawApart(p, labels)
}

// drawn are the points that have a place, from left to right.
func (l Line) drawn() (points []Point) {
	for _, p := range l.Points {
		if p.X > 0 && p.Y > 0 {
			points = append(points, p)
		}
	}
	slices.SortFunc(points, func(a, b Point) int { return cmp.Compare(a.X, b.X) })
	return points
}

// label is the name of a line, at its end.
type label struct {
	y                  float64
	text, class, color string
}

// drawApart draws labels so that none covers another one.
func drawApart(p *picture, labels []label) {
	const apart = 16.0
	slices.SortFunc(labels, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	for i := 1; i < len(labels); i++ {
		labels[i].y = max(labels[i].y, labels[i-1].y+apart)
	}
	for i := len(labels) - 1; i >= 0; i-- { // what does not fit below goes up
		most := plotBottom - apart*float64(len(labels)-1-i)
		labels[i].y = min(labels[i].y, most)
	}
	for _, l := range labels {
		fmt.Fprintf(p, `<g class="%s"><circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", l.class, plotRight+12, l.y,
			l.color)
		p.text(plotRight+22, l.y+4, "", "start", l.text)
		p.WriteString("</g>\n")
	}
}

// axis maps values between two powers of ten, or less, to pixels.
type axis struct{ least, most, from, to float64 }

func (l Lines) axes() (x, y axis) {
	x = axis{math.Inf(1), 0, plotLeft, plotRight}
	y = axis{math.Inf(1), 0, plotBottom, plotTop}
	for _, line := range l.Lines {
		for _, p := range line.drawn() {
			x.least, x.most = min(x.least, p.X), max(x.most, p.X)
			y.least, y.most = min(y.least, p.Y), max(y.most, p.Y)
		}
	}
	return x.wider(2), y.wider(10)
}

// wider makes the most at least so many times the least: what differs by little is to look like little.
func (a axis) wider(times float64) axis {
	if a.most <= 0 { // there is nothing
		a.least, a.most = 1, 1
	}
	if more := times * a.least / a.most; more > 1 {
		a.least, a.most = a.least/math.Sqrt(more), a.most*math.Sqrt(more)
	}
	return a
}

func (a axis) place(v float64) float64 {
	return a.from + (a.to-a.from)*math.Log(v/a.least)/math.Log(a.most/a.least)
}

// ticks are powers of ten, with steps between if there are few.
func (a axis) ticks() (all []float64) {
	steps := []float64{1}
	if a.most/a.least < 1000 {
		steps = []float64{1, 2, 5}
	}
	for power := math.Floor(math.Log10(a.least)); power <= math.Log10(a.most); power++ {
		for _, step := range steps {
			if v := step * math.Pow(10, power); v >= a.least*0.999 && v <= a.most*1.001 {
				all = append(all, v)
			}
		}
	}
	return all
}

// short is a value on an axis.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return Number(v/1e6) + "M"
	case v >= 1e4:
		return Number(v/1e3) + "k"
	}
	return Number(v)
}
