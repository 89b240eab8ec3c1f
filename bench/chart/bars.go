package chart

import (
	"fmt"
	"math"
)

// Bars compare something of several, one bar each.
type Bars struct {
	Title string
	Unit  string
	Part  string // what the left part of a bar is; may be empty
	Bars  []Bar
}

// A Bar is that of one of them.
type Bar struct {
	Name  string
	Value float64 // below 0 counts as 0
	Part  float64 // of Value, in another shade; 0: none
	Ours  bool    // the one that the others are compared with
	Note  string  // follows the value
}

const (
	barHeight = 18
	barStep   = 26
	nameWidth = 150 // of names, left of the bars
	noteWidth = 190 // of values and notes, right of them
)

// SVG draws them from top to bottom.
func (b Bars) SVG() []byte {
	top := 44.0
	p := &picture{}
	p.begin(b.Title, int(top)+len(b.Bars)*barStep+34)
	most := 0.0
	for _, bar := range b.Bars {
		most = math.Max(most, bar.Value)
	}
	for i, bar := range b.Bars {
		bar.draw(p, top+float64(i)*barStep, most)
	}
	about := b.Unit
	if b.Part != "" {
		about += "; left part: " + b.Part
	}
	p.text(nameWidth+margin, top+float64(len(b.Bars)*barStep)+16, "minor", "start", about)
	return p.end()
}

func (b Bar) draw(p *picture, y, most float64) {
	long := func(v float64) float64 {
		if most <= 0 || v <= 0 {
			return 0
		}
		return v / most * (width - 2*margin - nameWidth - noteWidth)
	}
	class := "other"
	if b.Ours {
		class = "ours"
	}
	const left = margin + nameWidth
	fmt.Fprintf(p, `<g class="%s">`+"\n", class)
	p.text(left-8, y+barHeight-5, "", "end", b.Name)
	p.rectangle(left, y, long(b.Value), barHeight, "bar")
	if b.Part > 0 {
		p.rectangle(left, y, long(math.Min(b.Part, b.Value)), barHeight, "part")
	}
	label := Number(b.Value)
	if b.Note != "" {
		label += " (" + b.Note + ")"
	}
	p.text(left+long(b.Value)+6, y+barHeight-5, "", "start", label)
	p.WriteString("</g>\n")
}
