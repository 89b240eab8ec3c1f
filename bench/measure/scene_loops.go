//go:build linux

package main

import (
	"fmt"
	"strings"
)

// loops are what two loops of a process cost beside one: the sum of what they use. On a machine of two cores, the
// second loop shares its core with the clients; so there are also two loops that share one.
func (m *measurement) loops() []testCase {
	on := func(proto string) []contender {
		return []contender{
			{"one loop", "subject", proto}, {"two loops", "subject-2", proto},
			{"two loops, one core", "subject-2-on-1", proto},
		}
	}
	server := []contender{
		{"one loop", "lineman", "pages,lines"}, {"two loops", "lineman-2", "pages,lines"},
		{"two loops, one core", "lineman-2-on-1", "pages,lines"},
	}
	besideOne := func(most float64) []aim {
		return []aim{{"two loops", "one loop", most}, {"two loops, one core", "one loop", most}}
	}
	same, both := besideOne(1.08), besideOne(1.15)
	frame := strings.Repeat("x", 64)
	some, all := publication{m.many / 10, 128, 16}, publication{m.many, 128, 1}
	lines := m.lines(m.many/10, 16, server, both...)
	lines.name = "loops: " + strings.TrimPrefix(lines.name, "push: ")
	return []testCase{
		m.cost("loops: ws echo 64 B, 100 connections", on("ws"), 100, webSocket, echoText(frame, 1), same...),
		m.cost("loops: ws echo 64 B, 100 connections, 16 pipelined", on("ws"), 100, webSocket, echoText(frame, 16),
			same...),
		m.fanout(fmt.Sprintf("loops: ws broadcast 128 B to %d", all.pages), on("wsbc"), all, same...),
		m.fanout(fmt.Sprintf("loops: ws broadcast 128 B to %d, 16 under way", some.pages), on("wsbc"), some, same...),
		m.fanout(fmt.Sprintf("loops: push, channel, 128 B to %d", all.pages), server, all, both...),
		m.fanout(fmt.Sprintf("loops: push, channel, 128 B to %d, 16 under way", some.pages), server, some, both...),
		lines,
	}
}
