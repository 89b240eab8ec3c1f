package chart

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"testing"
)

// element is one of a picture.
type element struct {
	name       string
	attributes map[string]string
	text       string
}

func (e element) number(t *testing.T, name string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(e.attributes[name], 64)
	if err != nil {
		t.Fatalf("%s of %+v: %v", name, e, err)
	}
	return v
}

// elements are those of an SVG, which must be well formed and stay inside of its view.
func elements(t *testing.T, svg []byte) (all []element) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attributes: map[string]string{}}
			for _, a := range token.Attr {
				e.attributes[a.Name.Local] = a.Value
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s=%q of %s", a.Name.Local, a.Value, e.name)
				}
			}
			all = append(all, e)
		case xml.CharData:
			if len(all) > 0 {
				all[len(all)-1].text += string(token)
			}
		}
	}
}

func some(all []element, name, class string) (some []element) {
	for _, e := range all {
		if e.name == name && (class == "" || e.attributes["class"] == class) {
			some = append(some, e)
		}
	}
	return some
}

// has is whether a text is shown.
func has(all []element, text string) bool {
	for _, e := range all {
		if e.name == "text" && strings.TrimSpace(e.text) == text {
			return true
		}
	}
	return false
}

// TestBars has bars as long as the values are large, none of them outside of the view.
func TestBars(t *testing.T) {
	all := elements(t, Bars{Title: `a <b> & "c"`, Unit: "us", Part: "of its own", Bars: []Bar{
		{Name: "floor", Value: 5}, {Name: "ours", Value: 10, Part: 4, Ours: true},
		{Name: "dear", Value: 40, Part: 50, Note: "disturbed, 9 %"}, {Name: "nothing"}, {Name: "less", Value: -3},
	}}.SVG())
	for _, text := range []string{`a <b> & "c"`, "floor", "5", "40 (disturbed, 9 %)", "us; left part: of its own"} {
		if !has(all, text) {
			t.Errorf("%q is not there", text)
		}
	}
	bars, parts := some(all, "rect", "bar"), some(all, "rect", "part")
	if len(bars) != 5 || len(parts) != 2 {
		t.Fatalf("%d bars and %d parts, want 5 and 2", len(bars), len(parts))
	}
	unit := bars[0].number(t, "width") / 5
	for i, want := range []float64{5, 10, 40, 0, 0} {
		if got := bars[i].number(t, "width"); got < want*unit-0.3 || got > want*unit+0.3 {
			t.Errorf("bar %d is %v long, want %v", i, got, want*unit)
		}
		if end := bars[i].number(t, "x") + bars[i].number(t, "width"); end > width-noteWidth {
			t.Errorf("bar %d ends at %v: no room for its value", i, end)
		}
	}
	if got, most := parts[1].number(t, "width"), bars[2].number(t, "width"); got > most {
		t.Errorf("a part is %v long, its bar %v", got, most)
	}
}

// TestLines has what grows in proportion rise, what does not stay level, and no name cover another one.
func TestLines(t *testing.T) {
	lines := Lines{Title: "growth", X: "connections", Y: "us", Lines: []Line{
		{Name: "ours", Points: []Point{{1000, 5}, {10, 5}, {100, 5}}, Ours: true},
		{Name: "level", Points: []Point{{10, 5.01}, {1000, 5.01}}},
		{Name: "dear", Points: []Point{{10, 10}, {100, 100}, {1000, 1000}}},
		{Name: "nothing", Points: []Point{{10, 0}, {0, 10}}},
	}}
	all := elements(t, lines.SVG())
	drawn := some(all, "polyline", "")
	if len(drawn) != 3 {
		t.Fatalf("%d lines, want 3", len(drawn))
	}
	at := func(line, point int) (x, y float64) {
		words := strings.Fields(drawn[line].attributes["points"])
		a, b, _ := strings.Cut(words[point], ",")
		x, _ = strconv.ParseFloat(a, 64)
		y, _ = strconv.ParseFloat(b, 64)
		return x, y
	}
	x0, y0 := at(0, 0)
	x1, y1 := at(0, 1)
	x2, y2 := at(0, 2)
	if !(x0 < x1 && x1 < x2) || y0 != y1 || y1 != y2 {
		t.Errorf("a level line: %v,%v %v,%v %v,%v", x0, y0, x1, y1, x2, y2)
	}
	if _, low := at(2, 0); low < plotTop || low > plotBottom {
		t.Errorf("a point is drawn at %v, outside", low)
	}
	_, a := at(2, 0)
	_, b := at(2, 1)
	_, c := at(2, 2)
	if !(a > b && b > c) || a-b < (b-c)*0.99 || a-b > (b-c)*1.01 {
		t.Errorf("what grows in proportion is no straight line: %v %v %v", a, b, c)
	}
	var names []float64
	for _, e := range some(all, "text", "") {
		if text := strings.TrimSpace(e.text); text == "ours" || text == "level" || text == "dear" {
			names = append(names, e.number(t, "y"))
		}
	}
	for i := range names {
		for _, other := range names[:i] {
			if d := names[i] - other; d > -16 && d < 16 {
				t.Errorf("names at %v: one covers another one", names)
			}
		}
	}
}

// TestLinesOfNothing draws axes, and fails in no way.
func TestLinesOfNothing(t *testing.T) {
	elements(t, Lines{Title: "empty"}.SVG())
	elements(t, Lines{Lines: []Line{{Name: "one", Points: []Point{{7, 7}}}}}.SVG())
	elements(t, Bars{}.SVG())
}

// TestManyLines has the names of many fit, the last ones beside the bottom.
func TestManyLines(t *testing.T) {
	var l Lines
	for i := range 18 {
		l.Lines = append(l.Lines, Line{Name: strconv.Itoa(i), Points: []Point{{1, 1}, {10, 1}}})
	}
	for _, e := range some(elements(t, l.SVG()), "text", "") {
		if y := e.number(t, "y"); y < 0 || y > 400 {
			t.Errorf("%q is at %v, outside", e.text, y)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", 0.123456: "0.123", 5.4321: "5.43", 99.95: "100", 123.4: "123", 1234: "1,230",
		1e6: "1,000,000", 12_345_678: "12,300,000", -5432: "-5,430", 0.00001234: "0.0000123", -0.5: "-0.5",
	} {
		if got := Number(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		axis
		want string
	}{
		{axis{least: 1, most: 100}, "1 2 5 10 20 50 100"},
		{axis{least: 16, most: 1e6}, "100 1,000 10k 100k 1M"},
	} {
		var got []string
		for _, v := range c.ticks() {
			got = append(got, short(v))
		}
		if all := strings.Join(got, " "); all != c.want {
			t.Errorf("%v to %v: %s, want %s", c.least, c.most, all, c.want)
		}
	}
}
