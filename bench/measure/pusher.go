//go:build linux

package main

import "fmt"

// pusherPage is a page of the Pusher protocol, on a channel of the app of dev mode.
var pusherPage = opening{
	webSocket: true, query: func(int) string { return "app/lineman-key?protocol=7" },
	first: func(int) string { return `{"event":"pusher:subscribe","data":{"channel":"orders"}}` },
}

// orders is a page of level 0 on that channel.
var orders = opening{webSocket: true, query: func(port int) string { return "?sub=1001:orders&token=" + uid(port) }}

// asLong are pages of level 0 that get as many bytes as those of the Pusher protocol: what is between the two is the
// work of the server.
const asLong = "plain, as long"

// aroundPusher is what a page of the Pusher protocol gets around a text of the channel.
const aroundPusher = `{"event":"message","channel":"orders","data":""}`

// pushers are what pages of the Pusher protocol cost, beside those of level 0 on the same channel.
func (m *measurement) pushers() (cases []testCase) {
	beside := []contender{
		{"plain", "lineman-pusher", "pages,lines"}, {"Pusher", "lineman-pusher", "pages,lines"},
		{asLong, "lineman-pusher", "pages,lines"},
	}
	for _, underWay := range []int{1, 16} {
		p := publication{m.many, 128, underWay}
		name := fmt.Sprintf("pusher: 128 B to %d of a channel, %d under way", m.many, underWay)
		cases = append(cases, m.fanout(name, beside, p, aim{"Pusher", "plain", 1.2}, aim{"Pusher", asLong, 1.2}))
	}
	return append(cases, m.heldAfter("pusher: memory of an idle page with one channel",
		[]contender{{"push server", "lineman-pusher", "pages,lines"}}, pusherPage, m.quiet(), m.here,
		aim{"push server", "", 1500}))
}
