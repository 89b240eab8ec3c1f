//go:build linux

package main

import "fmt"

// fanouts are messages of 128 B to many: broadcasts of the loop, and publications of the push server to pages of
// level 0, and of level 1, whose channel is kept.
func (m *measurement) fanouts() (cases []testCase) {
	server := []contender{
		{"Lineman", "subject", "wsbc"}, {"push server", "lineman", "pages,lines"},
		{"level 1", "lineman-channels", "pages,lines"},
	}
	for _, pages := range []int{m.many / 10, m.many, m.many * 19 / 10} {
		for _, underWay := range []int{1, 16} {
			p, most := publication{pages, 128, underWay}, 1.25
			aims := []aim{{"Lineman", m.least(), 1.05}, {"Lineman", m.least(), 1}}
			to := fmt.Sprintf("128 B to %d", pages)
			if underWay > 1 {
				to += fmt.Sprintf(", %d under way", underWay)
				aims, most = []aim{{"Lineman", "C floor, gathers", 1.05}}, 2
			}
			cases = append(cases,
				m.fanout("ws broadcast "+to, serving("wsbc"), p, aims...),
				m.fanout("push: channel, "+to, server, p, aim{"push server", "Lineman", most},
					aim{"level 1", "push server", 1.15}))
		}
	}
	return cases
}
