//go:build linux

package main

import (
	"fmt"
	"slices"
	"text/tabwriter"
	"time"
)

// compare prints what Lineman has shown, beside floor if that was measured.
func (s *scene) compare(lineman, floor *figures) {
	all := []*figures{lineman}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\t", "Lineman\t")
	if floor != nil {
		all = append(all, floor)
		fmt.Fprint(table, "floor\t")
	}
	fmt.Fprintln(table)
	row := func(what string, of func(*figures) string) {
		fmt.Fprint(table, what, "\t")
		for _, f := range all {
			fmt.Fprint(table, of(f), "\t")
		}
		fmt.Fprintln(table)
	}
	per := func(bytes uint64) string { return fmt.Sprint(bytes / uint64(s.connections)) }
	row("connected after, s", func(f *figures) string { return seconds(f.connect) })
	row("user memory of all processes, bytes a connection", func(f *figures) string { return per(f.user) })
	row("of that before the first connection", func(f *figures) string { return per(f.base) })
	row("kernel memory of both ends, bytes a connection", func(f *figures) string { return per(f.kernel) })
	if s.pings == 0 {
		row("to all, last delivery after, s", func(f *figures) string { return seconds(slices.Min(f.toAll)) })
		row("to all, CPU of the servers, us each", func(f *figures) string {
			return fmt.Sprintf("%.2f", f.cpu.Seconds()*1e6/float64(broadcasts*s.connections))
		})
	}
	_ = table.Flush() // nobody reads it
	if floor != nil {
		s.say("to all in %.2f of the time of floor (want at most 1.25)",
			slices.Min(lineman.toAll).Seconds()/slices.Min(floor.toAll).Seconds())
	}
	s.say("%s bytes of user memory each (want at most 400)", per(lineman.user))
	if s.pings > 0 {
		p := lineman.pings
		s.say("%d pings in %.1f s: %.3f of a core for all processes (want at most 0.5), %.1f us each", p.pings,
			p.span.Seconds(), p.cpu.Seconds()/p.span.Seconds(), p.cpu.Seconds()*1e6/float64(max(1, p.pings)))
		return
	}
	r := &lineman.reload
	s.say("reload: every process replaced after %s s, every page back after %s s, %d handshakes failed",
		seconds(r.command), seconds(r.back), r.failed)
	s.say("meanwhile %d pushes to one user each: %d taken and delivered, %d to nobody, as the page was away, %d asked "+
		"again; answered within %v (median), %v (99 %%), %v (all)", len(r.pushes.answers), r.pushes.taken,
		r.pushes.away, r.pushes.again, r.pushes.quantile(0.5), r.pushes.quantile(0.99), r.pushes.quantile(1))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
