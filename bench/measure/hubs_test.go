//go:build linux

package main

import (
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push/token"
)

// TestMarks counts publications however they come in pieces, and not what is in the heads of frames.
func TestMarks(t *testing.T) {
	var stream []byte
	for _, size := range []int{64, 126, 128, 256} { // 126 is ~ in a head
		stream = append(stream, serverFrame(0x81, []byte(marked(size)))...)
	}
	stream = append(stream, "data: "+marked(20)+"\n\n~ \n"...)
	for at := range len(stream) - 1 {
		l := &load{conns: make([]client, 1)}
		got := 0
		for _, piece := range [][]byte{stream[:at+1], stream[at+1:]} {
			got += l.marks(0, copy(l.buf[:], piece))
		}
		if got != 5 {
			t.Errorf("split at %d: %d publications, want 5", at+1, got)
		}
	}
	l := &load{conns: make([]client, 1)}
	got := 0
	for i := range stream {
		l.buf[0] = stream[i]
		got += l.marks(0, 1)
	}
	if got != 5 {
		t.Errorf("byte by byte: %d publications, want 5", got)
	}
}

// TestSign makes credentials that the push server takes.
func TestSign(t *testing.T) {
	v, err := token.New(token.Options{Keys: []token.Key{{Secret: []byte(tokenSecret)}}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if c, err := v.Verify(t.Context(), sign(claims(7000))); err != nil || c.UID != uid(7000) {
		t.Errorf("%+v, %v; want %s", c, err, uid(7000))
	}
}

// TestHubs knows each push server that takes part.
func TestHubs(t *testing.T) {
	all := serving("hub")
	if len(all) != len(hubs) {
		t.Errorf("%d take part, %d are known", len(all), len(hubs))
	}
	for _, who := range all {
		h, ok := hubs[who.name]
		if !ok || strings.Count(who.proto, ",") < h.api {
			t.Errorf("%s has no address %d for publications", who.name, h.api)
			continue
		}
		head, body, _ := strings.Cut(string(h.publish(marked(64))), "\r\n\r\n")
		if !strings.HasPrefix(head, "POST /") || !strings.Contains(body, mark) {
			t.Errorf("%s publishes by %q", who.name, head)
		}
	}
}
