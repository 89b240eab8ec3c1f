//go:build linux

package main

import (
	"slices"
	"strings"
)

// rival is a server that takes part: a column of the tables.
type rival struct {
	name    string
	program string
	// serves are the protocols of the cases in which it takes part: tcp, udp and text (echo), http and https (Hello,
	// World! to each request), ws and wss (echo), wsz (echo of compressed messages), wsbc (each message to all
	// connections), hub (see hubs). "http=handler" is one that its program has another name for.
	serves string
	make   recipe // nil: another rival's program, or one of the project's own
}

// rivals are all that take part, in the order of the columns. A further one is a line here, and its program in a folder
// of its own.
var rivals = []rival{
	{"goepoll", "goepoll", "text http ws wsbc", baseline},
	{"C floor", "c-floor", "tcp text http ws wsbc", cFloor},
	{"C floor, gathers", "c-floor", "wsbc=wsgather", nil},
	{"Go floor", "floor", "tcp udp text http ws wsbc", goFloor},
	{"Lineman", "subject", "tcp udp text http https ws wss wsz wsbc", nil},
	{"Handler", "subject", "http=handler https=handlers", nil},
	{"uWebSockets", "uwebsockets", "http ws wsz wsbc", uWebSockets},
	{"gnet", "gnet", "tcp text ws wsbc", sources("gnet", "github.com/panjf2000/gnet/v2")},
	{"gnet, no parser", "gnet", "http", nil},
	{"nbio", "nbio", "tcp text http ws wsz wsbc", sources("nbio", "github.com/lesismal/nbio")},
	{"net", "net", "tcp text", module("net", "")},
	{"net/http", "net/http", "http https", module("nethttp", "")},
	{"fasthttp", "fasthttp", "http https", module("fasthttp", "github.com/valyala/fasthttp")},
	{"nginx", "nginx", "http https", nginx},
	{"gws", "gws", "ws wss wsz wsbc", module("gws", "github.com/lxzan/gws")},
	{"gobwas/ws", "gobwas/ws", "ws wsz wsbc", module("gobwas", "github.com/gobwas/ws")},
	{"gorilla", "gorilla", "ws wss wsz wsbc", module("gorilla", "github.com/gorilla/websocket")},
	{"coder", "coder", "ws wss wsz wsbc", module("coder", "github.com/coder/websocket")},
	{"melody", "melody", "ws wss wsz wsbc", module("melody", "github.com/olahol/melody")},
	{"Node", "node", "tcp text http https ws wss wsz wsbc", node},
	{"Workerman", "workerman", "tcp text http https ws wss wsbc", workerman},
	{"push server", "lineman-hub", "hub=pages,lines,api", nil},
	{"Centrifugo", "centrifugo", "hub", centrifugo},
	{"Mercure", "mercure", "hub", mercure},
}

// serving are all rivals that serve a protocol, in the order of the columns.
func serving(proto string) (all []contender) {
	for _, r := range rivals {
		for _, serves := range strings.Fields(r.serves) {
			of, as, renamed := strings.Cut(serves, "=")
			if !renamed {
				as = of
			}
			if of == proto {
				all = append(all, contender{r.name, r.program, as})
			}
		}
	}
	return all
}

// only are those of some names.
func only(all []contender, names ...string) []contender {
	return slices.DeleteFunc(slices.Clone(all), func(c contender) bool { return !slices.Contains(names, c.name) })
}
