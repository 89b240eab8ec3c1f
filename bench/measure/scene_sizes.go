//go:build linux

package main

import (
	"fmt"
	"strings"
)

// fox repeats words up to a size: text that compresses about as well as what people write.
func fox(size int) string {
	const words = `the quick brown fox {"jumps":true} over 12 lazy dogs; 7 others {"percent":"88%"} wait till 18:45. `
	return strings.Repeat(words, size/len(words)+1)[:size]
}

// sizes are WebSocket messages of many sizes, one under way on each connection, and compressed ones.
func (m *measurement) sizes() (cases []testCase) {
	for _, size := range []int{1 << 10, 16 << 10, 64 << 10, 256 << 10, 1_000_000} {
		conns := 100
		if size >= 64<<10 {
			conns = 20
		}
		name := fmt.Sprintf("ws echo %s, %d connections", inBytes(size), conns)
		cases = append(cases, m.cost(name, serving("ws"), conns, webSocket, echoText(fox(size), 1),
			aim{"Lineman", "gws", 1}, aim{"Lineman", "gnet", 1}, aim{"Lineman", "uWebSockets", 1}))
	}
	for _, pipelined := range []int{1, 16} {
		name := "ws echo 1 KiB compressed, 100 connections"
		if pipelined > 1 {
			name += fmt.Sprintf(", %d pipelined", pipelined)
		}
		cases = append(cases, m.cost(name, serving("wsz"), 100, deflating, echoCompressed(fox(1<<10), pipelined)))
	}
	return append(cases, m.largePublication())
}

// inBytes is a size as it is said.
func inBytes(size int) string {
	switch {
	case size >= 1<<20 && size%(1<<20) == 0:
		return fmt.Sprint(size>>20, " MiB")
	case size >= 1<<10 && size%(1<<10) == 0:
		return fmt.Sprint(size>>10, " KiB")
	case size >= 1e6 && size%1e6 == 0:
		return fmt.Sprint(size/1e6, " MB")
	}
	return fmt.Sprint(size, " B")
}

// largePublication is one of 60 KB for hundreds of pages, beside broadcasts.
func (m *measurement) largePublication() testCase {
	const pages, size = 500, 60 << 10
	all := append(serving("wsbc"), contender{"push server", "lineman", "pages,lines"})
	least := m.least()
	return m.fanout(fmt.Sprintf("%s to %d pages", inBytes(size), pages), all, publication{pages, size, 1},
		aim{"Lineman", least, 1.05}, aim{"push server", least, 1.05})
}
