//go:build unix

package main

import (
	"bytes"

	"github.com/lineman-go/lineman"
)

// onLoops is a service on several loops, which share its connections out.
func onLoops(loops int, proto, addr string) (*lineman.Worker, error) {
	one, err := service(proto, addr)
	if err != nil {
		return nil, err
	}
	w := *one
	w.Events, w.Loops = lineman.Events{}, loops
	w.PerLoop = func(own *lineman.Worker) { own.Events = one.Events }
	if proto == "wsbc" {
		said := &lineman.Bus[[]byte]{}
		w.PerLoop = func(own *lineman.Worker) { toAll(own, said) }
	}
	return &w, nil
}

// toAll has a loop send its connections what any connection of any loop says.
func toAll(w *lineman.Worker, said *lineman.Bus[[]byte]) {
	w.OnStart = func(l *lineman.Loop) error {
		said.Join(l, func(msg []byte) { l.Broadcast(l.Conns(w), msg) })
		return nil
	}
	w.OnMessage = func(_ *lineman.Conn, msg []byte) { said.Publish(bytes.Clone(msg)) }
}
