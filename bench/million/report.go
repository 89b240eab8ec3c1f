//go:build linux

package main

import (
	"fmt"
	"slices"
	"text/tabwriter"
	"time"
)

// compare prints what Lineman and floor have shown, of those that are not nil side by side.
func (s *scene) compare(lineman, floor *figures) {
	s.printTable(lineman, floor)
	if lineman == nil {
		return
	}
	if floor != nil {
		s.say("to all in %.2f of the time of floor (want at most 1.25)",
			slices.Min(lineman.toAll).Seconds()/slices.Min(floor.toAll).Seconds())
	}
	s.say("%d bytes of user memory each (want at most 400)", lineman.user/uint64(s.connections))
	if s.pings > 0 {
		lineman.pings.print(s)
	} else {
		lineman.reload.print(s)
	}
}

func (s *scene) printTable(lineman, floor *figures) {
	var all []*figures
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	row := func(what string, of func(*figures) string) {
		fmt.Fprint(table, what, "\t")
		for _, f := range all {
			fmt.Fprint(table, of(f), "\t")
		}
		fmt.Fprintln(table)
	}
	for _, f := range []*figures{lineman, floor} {
		if f != nil {
			all = append(all, f)
		}
	}
	row("", func(f *figures) string { return f.name })
	each := func(bytes uint64) string { return fmt.Sprint(bytes / uint64(s.connections)) }
	row("connected after, s", func(f *figures) string { return seconds(f.connect) })
	row("user memory of all processes, bytes a connection", func(f *figures) string { return each(f.user) })
	row("of that before the first connection", func(f *figures) string { return each(f.base) })
	row("kernel memory of both ends, bytes a connection", func(f *figures) string { return each(f.kernel) })
	if s.pings > 0 {
		return
	}
	row("to all, last delivery after, s", func(f *figures) string { return seconds(slices.Min(f.toAll)) })
	row("to all, CPU of the servers, us each", func(f *figures) string {
		return fmt.Sprintf("%.2f", f.cpu.Seconds()*1e6/float64(broadcasts*s.connections))
	})
}

func (p *pinged) print(s *scene) {
	s.say("%d pings in %.1f s: %.3f of a core for all processes (want at most 0.5), %.1f us each", p.pings,
		p.span.Seconds(), p.cpu.Seconds()/p.span.Seconds(), p.cpu.Seconds()*1e6/float64(max(1, p.pings)))
}

func (r *reloaded) print(s *scene) {
	s.say("reload: every process replaced after %s s, every connection kept; it says:\n%s", seconds(r.command), r.said)
	p := &r.pushes
	s.say("meanwhile %d pushes to one user each: %d taken and delivered, %d asked again; answered within %v (median), "+
		"%v (99 %%), %v (all)", len(p.answers), p.taken, p.again, p.quantile(0.5), p.quantile(0.99), p.quantile(1))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
