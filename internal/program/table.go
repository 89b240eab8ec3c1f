package program

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// A Table lines columns up.
type Table struct{ w *tabwriter.Writer }

// NewTable is a table that End writes to w.
func NewTable(w io.Writer) Table { return Table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// Row adds a row.
func (t Table) Row(cells ...any) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = fmt.Sprint(c)
	}
	fmt.Fprintln(t.w, strings.Join(texts, "\t"))
}

// End writes the table.
func (t Table) End() { _ = t.w.Flush() } // into memory, or to a terminal that has gone

// Size is a number of bytes with a unit.
func Size[N int | int64 | uint64](n N) string {
	v, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, next
	}
	if unit == "B" {
		return fmt.Sprintf("%d%s", n, unit)
	}
	return fmt.Sprintf("%.1f%s", v, unit)
}

// Count is a number of things with their name: "1 process", "2 processes".
func Count(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Duration is a time as long as it needs to be.
func Duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < 24*time.Hour:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%dd %s", d/(24*time.Hour), (d % (24 * time.Hour)).Round(time.Minute))
}
