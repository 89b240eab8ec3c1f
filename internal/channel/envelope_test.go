//go:build unix

package channel

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestEnvelope has a message cross as a line, and be what it was.
func TestEnvelope(t *testing.T) {
	w := &writer{}
	for _, want := range []message{
		{ID: 1, Op: Beat, Body: json.RawMessage(`{"wait":500000000}`)},
		{ID: 1<<64 - 1, Body: json.RawMessage(`null`), Files: 2},
		{ID: 3, Error: "no such file: \"a\nb\\c\" <é>", Number: 2},
		{ID: 4, Op: List, Body: json.RawMessage(`"` + strings.Repeat("x", 2*kept) + `"`)},
		{ID: 5, Body: json.RawMessage(strings.Repeat("[", 100) + strings.Repeat("]", 100))},
	} {
		var body any
		if want.Error == "" {
			body = want.Body
		}
		line, err := w.make(&want, body)
		if err != nil {
			t.Fatal(err)
		}
		text, ended := strings.CutSuffix(string(line), "\n")
		if !ended || strings.Contains(text, "\n") {
			t.Errorf("%q is not one line", line)
		}
		got := message{Op: "before", Files: 1}
		if err := got.parse([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%.80s is read as %.80v, want %.80v: %v", text, got, want, err)
		}
	}
	if _, err := w.make(&message{ID: 6}, func() {}); err == nil {
		t.Error("a function is a body")
	}
	if line, err := w.make(&message{ID: 7}, 8); err != nil || string(line) != `{"id":7,"body":8}`+"\n" {
		t.Errorf("after one that failed: %q, %v", line, err)
	}
}

// TestNoEnvelope reads lines that are no messages, and none that is one by its letters only.
func TestNoEnvelope(t *testing.T) {
	for _, line := range []string{
		"", "x", "7", "[]", `"id"`, `{"id":-1}`, `{"id":1`, `{"id":"1"}`, `{"id":1,"op":2}`, `{"id":1,"error":3}`,
		`{"id":1,"files":"x"}`, `{"id":1,"errno":1.5}`, "{\"id\":1,\"error\":\"\xff\"}",
	} {
		if err := new(message).parse([]byte(line)); err == nil {
			t.Errorf("%q is a message", line)
		}
	}
	for _, body := range []string{"", "7", `{"wait":"x"}`, `{"wait":1.5}`} {
		r := &Request{Op: Beat, body: []byte(body)}
		if err := r.Decode(&Probe{}); err == nil {
			t.Errorf("%q is a Probe", body)
		}
	}
}

// TestHeartbeatGarbage bounds what a heartbeat leaves behind on both sides: an idle process has one each second.
func TestHeartbeatGarbage(t *testing.T) {
	a, _ := pair(t, nobody, func(r *Request) {
		var p Probe
		if err := r.Decode(&p); err != nil || p.Wait != time.Second {
			t.Errorf("the probe is %v: %v", p, err)
		}
		r.Answer(&Heartbeat{Conns: 1, Status: json.RawMessage(`{"connections":1}`)}, nil)
	})
	objects := testing.AllocsPerRun(200, func() {
		var h Heartbeat
		if _, err := a.Call(context.Background(), Beat, Probe{Wait: time.Second}, &h); err != nil || h.Conns != 1 {
			t.Fatal(h, err)
		}
	})
	if t.Logf("%.0f objects", objects); objects > 24 {
		t.Errorf("a heartbeat makes %.0f objects, want at most 24", objects)
	}
}

// TestErrorAfterBody has an answer that is no JSON become an error.
func TestErrorAfterBody(t *testing.T) {
	a, _ := pair(t, nobody, func(r *Request) { r.Answer(func() {}, nil) })
	var e *Error
	if _, err := a.Call(context.Background(), Hello, nil, nil); !errors.As(err, &e) {
		t.Errorf("Call returns %v", err)
	}
	if _, err := a.Call(context.Background(), Hello, func() {}, nil); err == nil || errors.Is(err, ErrClosed) {
		t.Errorf("Call of a function returns %v", err)
	}
}
