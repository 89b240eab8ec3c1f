// Package chart draws charts as SVG, for light and dark pages.
package chart

import (
	"bytes"
	"fmt"
	"html"
	"strconv"
	"strings"
)

const (
	width  = 760 // of a chart, in pixels
	margin = 16
)

// style has one look for light pages and one for dark ones. Series of lines are told apart by color, dashes and names.
const style = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 15px; }
.minor { fill: #656d76; font-size: 12px; }
.bar { fill: #b6c2cf; }
.part { fill: #7d8fa3; }
.ours .bar { fill: #54aeff; }
.ours .part { fill: #0969da; }
.ours text { font-weight: 600; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.line { fill: none; }
@media (prefers-color-scheme: dark) {
	text { fill: #f0f6fc; }
	.minor { fill: #9198a1; }
	.bar { fill: #4b5866; }
	.part { fill: #7f91a4; }
	.ours .bar { fill: #1f6feb; }
	.ours .part { fill: #79c0ff; }
	.grid { stroke: #3d444d; }
}
</style>
`

// picture is an SVG that is being drawn.
type picture struct{ bytes.Buffer }

func (p *picture) begin(title string, height int) {
	const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`
	fmt.Fprintf(p, open+"\n", width, height, width, height)
	fmt.Fprintf(p, "<title>%s</title>\n%s", html.EscapeString(title), style)
	p.text(margin, 26, "title", "start", title)
}

func (p *picture) end() []byte {
	p.WriteString("</svg>\n")
	return p.Bytes()
}

// text writes at a point, with the anchor start, middle or end.
func (p *picture) text(x, y float64, class, anchor, text string) {
	fmt.Fprintf(p, `<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`+"\n", x, y, class, anchor,
		html.EscapeString(text))
}

func (p *picture) rectangle(x, y, width, height float64, class string) {
	fmt.Fprintf(p, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2" class="%s"/>`+"\n", x, y, width, height,
		class)
}

func (p *picture) rule(x1, y1, x2, y2 float64) {
	fmt.Fprintf(p, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="grid"/>`+"\n", x1, y1, x2, y2)
}

// Number writes a value with three digits that count, and thousands apart.
func Number(v float64) string {
	text := strconv.FormatFloat(v, 'g', 3, 64)
	if exact, err := strconv.ParseFloat(text, 64); err == nil {
		text = strconv.FormatFloat(exact, 'f', -1, 64)
	}
	whole, rest, _ := strings.Cut(text, ".")
	if rest != "" {
		rest = "." + rest
	}
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole + rest
}
