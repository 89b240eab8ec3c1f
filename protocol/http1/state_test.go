package http1_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/http1"
)

const (
	post    = "POST / HTTP/1.1\r\n" + host
	chunked = post + "Transfer-Encoding: chunked\r\n\r\n" // 56 bytes
)

// TestState has the states of released versions: rows are added, and none is changed.
func TestState(t *testing.T) {
	linemantest.TestState(t, &labelled{},
		linemantest.StateVector{Name: "nothing yet", After: "GET / HTTP/1.1\r\n" + host + "\r\n",
			Messages: []string{"GET / "}},
		linemantest.StateVector{Name: "half a head", Before: "GET / HTTP/1.1\r\nHo", After: "st: x\r\n\r\n",
			Messages: []string{"GET / "}},
		linemantest.StateVector{Name: "an empty line may come", Before: post + "Content-Length: 0\r\n\r\n",
			State: "\x10", After: "\r\nGET / HTTP/1.1\r\n" + host + "\r\n", Messages: []string{"GET / "}},
		linemantest.StateVector{Name: "half a body", Before: post + "Content-Length: 3\r\n\r\na",
			State: "\x01\x2f\x03\x00\x2f", After: "bc", Messages: []string{"POST / abc"}},
		linemantest.StateVector{Name: "told to go on",
			Before: post + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
			State:  "\x09\x45\x03\x00\x45", After: "abc", Messages: []string{"POST / abc"}},
		linemantest.StateVector{Name: "a chunk's line", Before: chunked + "3", State: "\x02\x38\x00\x00\x38",
			After: "\r\nabc\r\n0\r\n\r\n", Messages: []string{"POST / abc"}},
		linemantest.StateVector{Name: "half a chunk", Before: chunked + "3\r\nab", State: "\x03\x38\x02\x01\x3d",
			After: "c\r\n0\r\n\r\n", Messages: []string{"POST / abc"}},
		linemantest.StateVector{Name: "a chunk's end", Before: chunked + "3\r\nabc\r", State: "\x04\x38\x03\x00\x3e",
			After: "\n2\r\nde\r\n0\r\n\r\n", Messages: []string{"POST / abcde"}},
		linemantest.StateVector{Name: "trailers", Before: chunked + "1\r\na\r\n0\r\nX: y\r\n",
			State: "\x05\x38\x01\x41\x47", After: "Z: z\r\n\r\n", Messages: []string{"POST / a X=y Z=z"}})
}

func TestStateRefused(t *testing.T) {
	for name, state := range map[string]string{
		"an unknown flag": "\x20", "an unknown state": "\x06\x01\x01\x01\x01", "cut": "\x01\x2d\x03",
		"a number that has no end": "\x01\x80", "more behind": "\x00\x00",
		"a place before another": "\x03\x36\x02\x01\x30",
		"a line behind the head": "\x01\x2d\x03\x00\x2e", "trailers before a body": "\x05\x36\x01\x30\x45",
		"a huge number": "\x01\x2d\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x2d",
	} {
		c := (&http1.Protocol{}).NewCodec(100).(*http1.Codec)
		if err := c.RestoreState([]byte(state)); err == nil || errors.Is(err, protocol.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, state := range map[string]string{
		"a body": "\x01\x2d\x65\x00\x2d", "a head": "\x01\x80\x80\x02\x03\x00\x80\x80\x02",
		"a chunk": "\x03\x38\x02\x64\x3d",
	} {
		c := (&http1.Protocol{}).NewCodec(100).(*http1.Codec)
		if err := c.RestoreState([]byte(state)); !errors.Is(err, protocol.ErrTooLarge) {
			t.Errorf("%s above the limit: %v", name, err)
		}
	}
}

// TestStateWithoutInput has a codec whose input was lost end, and not read what is not there.
func TestStateWithoutInput(t *testing.T) {
	c := (&http1.Protocol{}).NewCodec(100).(*http1.Codec)
	if err := c.RestoreState([]byte("\x03\x38\x02\x01\x3d")); err != nil {
		t.Fatal(err)
	}
	if n, msg, err := c.Decode([]byte("c\r\n0\r\n\r\n")); n != 0 || msg != nil || err == nil {
		t.Errorf("%d, %q, %v", n, msg, err)
	}
}

// TestContinueMoves has a sender that waits be told to go on once, by whichever codec is asked.
func TestContinueMoves(t *testing.T) {
	wire := []byte(post + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
	for _, asked := range []bool{false, true} {
		c, to := (&http1.Protocol{}).NewCodec(9).(*http1.Codec), (&http1.Protocol{}).NewCodec(9).(*http1.Codec)
		if n, _, err := c.Decode(wire); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if asked && !c.WantsContinue() {
			t.Fatal("it does not want to be told to go on")
		}
		if err := to.RestoreState(c.AppendState(nil)); err != nil {
			t.Fatal(err)
		}
		if to.WantsContinue() == asked {
			t.Errorf("asked before: %v, and after: %v", asked, !asked)
		}
		if to.Size(wire) != len(wire)+3 || to.Idle() {
			t.Errorf("size %d, idle: %v", to.Size(wire), to.Idle())
		}
	}
}

// TestSplitterMoves has a splitter go on between two requests, and only there.
func TestSplitterMoves(t *testing.T) {
	request := post + "Content-Length: 0\r\n\r\n"
	s, to := (&http1.Protocol{}).NewSplitter(), (&http1.Protocol{}).NewSplitter()
	if p, err := s.Next([]byte(request)); p.Size != len(request) || err != nil {
		t.Fatal(p, err)
	}
	state := s.AppendState(nil)
	if err := to.RestoreState(state); err != nil || string(state) != "\x10" {
		t.Fatalf("%q: %v", state, err)
	}
	if p, err := to.Next([]byte("\r\n" + request)); !p.Skip || err != nil {
		t.Errorf("the empty line behind a POST is %v, %v", p, err)
	}
	if p, err := to.Next([]byte(request)); !p.Begins || err != nil {
		t.Errorf("the next request is %v, %v", p, err)
	}
	if to.RestoreState([]byte("\x01\x2f\x03\x00\x2f")) == nil {
		t.Error("half a body is taken")
	}
}

func FuzzState(f *testing.F) {
	linemantest.FuzzState(f, &labelled{}, post+"Content-Length: 3\r\n\r\nabc",
		chunked+"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n"+strings.Repeat("\r\n", 2))
}

// TestShare has a request read into memory of the one before it, of whichever connection, and of none that is at hand.
func TestShare(t *testing.T) {
	var spare http1.Spare
	var requests [3]*http1.Request
	for i := range requests {
		c := (&http1.Protocol{}).NewCodec(0).(*http1.Codec)
		c.Share(&spare)
		if _, _, err := c.Decode([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if requests[i] = c.Request(); i == 0 {
			c.Release()
		}
	}
	if requests[1] != requests[0] || requests[2] == requests[1] {
		t.Errorf("the requests are at %p", requests)
	}
}
