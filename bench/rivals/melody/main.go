//go:build unix

// Command melody is github.com/olahol/melody.
package main

import (
	"net/http"

	"github.com/olahol/melody"

	"github.com/lineman-go/lineman/bench/served"
)

func main() {
	served.By(map[string]served.Server{
		"ws": served.HTTP(serve(echoes(false))), "wss": served.HTTPS(serve(echoes(false))),
		"wsz": served.HTTP(serve(echoes(true))), "wsbc": served.HTTP(serve(broadcasts())),
	})
}

func serve(m *melody.Melody) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { _ = m.HandleRequest(w, r) } // it has answered
}

func echoes(compressed bool) *melody.Melody {
	m := room()
	m.Upgrader.EnableCompression = compressed
	m.HandleMessage(func(s *melody.Session, text []byte) { _ = s.Write(text) })             // reading sees that it
	m.HandleMessageBinary(func(s *melody.Session, data []byte) { _ = s.WriteBinary(data) }) // has gone
	return m
}

func broadcasts() *melody.Melody {
	m := room()
	m.HandleMessage(func(_ *melody.Session, text []byte) { _ = m.Broadcast(text) }) // only fails when it is closed
	return m
}

func room() *melody.Melody {
	m := melody.New()
	m.Config.MaxMessageSize = served.MostBytes
	return m
}
