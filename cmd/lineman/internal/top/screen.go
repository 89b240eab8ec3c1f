package top

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
)

// Screen is how a View is drawn.
type Screen struct {
	Width, Height int
	Colour        bool
}

// paint has a text be shown in a way that ANSI numbers, where that is wanted.
func (s Screen) paint(way, text string) string {
	if !s.Colour {
		return text
	}
	return "\x1b[" + way + "m" + text + "\x1b[0m"
}

const (
	bold = "1"
	red  = "31"
)

// line is one of the screen.
type line struct {
	text string
	way  string // "" is plain
}

// Draw gives the lines of a View: no more than fit, and none that is longer.
func (s Screen) Draw(v *View) []string {
	lines := append(head(v), totals(&v.All)...)
	rows := processes(v)
	if room := max(s.Height-len(lines)-1, 2); len(rows) > room { // the last line of a terminal stays free
		left := len(rows) - room + 1
		rows = append(rows[:room-1], line{text: fmt.Sprintf("and %d processes more", left)})
	}
	lines = append(lines, rows...)
	drawn := make([]string, 0, len(lines))
	for _, l := range lines {
		text := cut(l.text, s.Width)
		if l.way != "" {
			text = s.paint(l.way, text)
		}
		drawn = append(drawn, text)
	}
	return drawn
}

// cut is a text that is no longer than a width.
func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width])
}

func head(v *View) []line {
	text := fmt.Sprintf("%s   %s   up %s", v.Name, v.At.Format(time.TimeOnly), v.At.Sub(v.Started).Round(time.Second))
	if len(v.Load) == 3 {
		text += fmt.Sprintf("   load %.2f %.2f %.2f", v.Load[0], v.Load[1], v.Load[2])
	}
	return []line{{text, bold}, {}}
}

// totals are the figures of all processes together. What somebody should look at is red.
func totals(f *figures.Figures) []line {
	row := func(name, format string, args ...any) line {
		return line{text: fmt.Sprintf("%-10s", name) + fmt.Sprintf(format, args...)}
	}
	alarm := func(l line, on bool) line {
		if on {
			l.way = red
		}
		return l
	}
	c, r := &f.Conns, &f.Rates
	others := ""
	if c.Pusher > 0 {
		others = "   Pusher " + count(c.Pusher)
	}
	lines := []line{
		row("pages", "%s   level 0 %s   level 1 %s   streams %s%s   logging in %s", count(c.Pages), count(c.Level0),
			count(c.Level1), count(c.Streams), others, count(c.Waiting)),
		row("", "%s uids   %s groups   %s channels   %s back ends", count(c.UIDs), count(c.Groups), count(c.Channels),
			count(c.BackEnds)),
		row("messages", "published %s/s   delivered %s/s   accepted %s connections/s", rate(r.Published),
			rate(r.Delivered), rate(r.Accepted)),
		row("bytes", "in %s/s   out %s/s", size(r.BytesIn), size(r.BytesOut)),
		row("lag", "p50 %s   p99 %s", seconds(f.Lag.P50), seconds(f.Lag.P99)),
		row("waiting", "%s for all pages   %s for one", size(float64(f.Queued.Bytes)), size(float64(f.Queued.Most))),
		alarm(row("refused", "%s/s%s", rate(r.Refused), reasons(r.RefusedBy)), r.Refused > 0),
		alarm(row("trouble", "cut %s/s   gaps %s/s   unsent %s/s   panics %s/s   slow callbacks %s/s", rate(r.Cut),
			rate(r.Gaps), rate(r.Unsent), rate(r.Panics), rate(r.Slow)), r.Cut+r.Gaps+r.Unsent+r.Panics+r.Slow > 0),
		alarm(row("history", "%s in memory, %s messages   journal %s, %s failures/s", size(float64(f.History.Bytes)),
			count(f.History.Messages), size(float64(f.History.Journal)), rate(f.History.Failures)),
			f.History.Failures > 0),
		alarm(row("events", "%s listeners   %s waiting   dropped %s/s   hooks: %s open, %s failed/s",
			count(f.Events.Listeners), count(f.Events.Waiting), rate(f.Events.Dropped), count(f.Hooks.Open),
			rate(f.Hooks.Failed)), f.Events.Dropped+float64(f.Hooks.Open) > 0),
	}
	if b := &f.Broker; b.Nodes > 0 || !b.Linked {
		state := "reached"
		if !b.Linked {
			state = "NOT REACHED"
		}
		lines = append(lines, alarm(row("redis", "%s   %d nodes   round trip %s", state, b.Nodes, seconds(b.RoundTrip)),
			!b.Linked))
	}
	return append(lines, line{})
}

// processes are a row for each.
func processes(v *View) []line {
	const format = "%-8s%-10s%9s%10s%10s%11s%11s%11s"
	lines := []line{{fmt.Sprintf(format, "pid", "state", "memory", "pages", "publ/s", "deliv/s", "out/s", "p99"), bold}}
	for _, p := range v.Processes {
		cells := []any{strconv.Itoa(p.PID), p.State, size(float64(p.Memory)), "-", "-", "-", "-", "-"}
		if p.PID == 0 {
			cells[0], cells[2] = "-", "-"
		}
		if f := p.Now; f != nil {
			copy(cells[3:], []any{
				count(f.Conns.Pages), rate(f.Rates.Published), rate(f.Rates.Delivered), size(f.Rates.BytesOut),
				seconds(f.Lag.P99),
			})
		}
		lines = append(lines, line{text: fmt.Sprintf(format, cells...)})
	}
	return lines
}

// reasons are the most frequent ones.
func reasons(by map[string]float64) (text string) {
	names := slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		return cmp.Or(cmp.Compare(by[b], by[a]), cmp.Compare(a, b))
	})
	for _, name := range names[:min(3, len(names))] {
		text += fmt.Sprintf("   %s %s/s", name, rate(by[name]))
	}
	return text
}

// count is a number with its thousands apart.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// rate is a number a second: with a digit behind the point where it is small.
func rate(n float64) string {
	if n > 0 && n < 10 {
		return strconv.FormatFloat(n, 'f', 1, 64)
	}
	return count(int(n + 0.5))
}

// size is a number of bytes with a unit.
func size(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1000 {
			if unit == "B" {
				return fmt.Sprintf("%.0fB", n)
			}
			return fmt.Sprintf("%.1f%s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1fTiB", n)
}

// seconds is a time as long as it needs to be; a dash if there is none.
func seconds(s float64) string {
	switch {
	case s <= 0:
		return "-"
	case s < 0.01:
		return fmt.Sprintf("%.2fms", s*1000)
	case s < 1:
		return fmt.Sprintf("%.0fms", s*1000)
	}
	return fmt.Sprintf("%.1fs", s)
}
