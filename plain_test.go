package lineman

import (
	"bufio"
	"net"
	"os"
	"reflect"
	"runtime"
	"testing"
	"time"
)

// TestRule10PlainBytes opens idle connections of every kind and looks at what belongs to them: no goroutine, no timer
// object, no buffer, and nothing in their state that could not be written down.
func TestRule10PlainBytes(t *testing.T) {
	const each = 50
	hello := map[string]string{
		"tcp": "x", "text": "x\n", "frame": "\x00\x00\x00\x05x", "http": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"websocket": "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x81\x00\x00\x00\x00x",
	}
	for scheme, request := range hello {
		t.Run(scheme, func(t *testing.T) {
			w := &Worker{Addr: scheme + "://127.0.0.1:0"}
			w.OnMessage = func(c *Conn, msg []byte) { _ = c.Send(msg) }
			l, err := Open(w)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Shut()
			goroutines := runtime.NumGoroutine()
			for range each {
				dialogue(t, l, l.Listener(w).Addr(), request)
			}
			if l.live != each {
				t.Fatalf("%d connections, want %d", l.live, each)
			}
			if os.Getenv("LINEMAN_POLLER") != "portable" {
				endGoroutines(t, goroutines) // the last one of dialogue is ending
			}
			if len(l.timers) != 0 {
				t.Errorf("%d timer objects", len(l.timers))
			}
			for c := range l.all() {
				if c.in.rest != nil || c.out.queue != nil || c.extra != nil {
					t.Fatal("an idle connection has a buffer")
				}
				if plainBytes(t, reflect.ValueOf(c.session)); t.Failed() {
					return
				}
			}
		})
	}
}

// endGoroutines waits until no more goroutines than so many are left.
func endGoroutines(t *testing.T, most int) {
	t.Helper()
	for until := time.Now().Add(time.Minute); runtime.NumGoroutine() > most; runtime.Gosched() {
		if time.Now().After(until) {
			t.Fatalf("%d goroutines are left", runtime.NumGoroutine()-most)
		}
	}
}

// dialogue sends a request and steps the loop until there is an answer.
func dialogue(t *testing.T, l *Loop, addr net.Addr, request string) {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute)) // else the answer is an error
	answered := make(chan error, 1)
	before := l.stats.MessagesIn
	go func() {
		if _, err := conn.Write([]byte(request)); err != nil {
			answered <- err
			return
		}
		_, err := bufio.NewReader(conn).ReadByte()
		answered <- err
	}()
	for {
		select {
		case err := <-answered:
			if err != nil {
				t.Fatal(err)
			}
			for l.stats.MessagesIn == before {
				step(t, l)
			}
			step(t, l)
			return
		default:
			step(t, l)
		}
	}
}

func step(t *testing.T, l *Loop) {
	t.Helper()
	if err := l.Step(); err != nil {
		t.Fatal(err)
	}
}

// plainBytes fails if v holds what cannot be written down as bytes.
func plainBytes(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		if !v.IsNil() {
			t.Errorf("a %s in the state of an idle connection", v.Type())
		}
	case reflect.Slice, reflect.Map:
		if v.Len() != 0 {
			t.Errorf("a %s with %d elements in the state of an idle connection", v.Type(), v.Len())
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			plainBytes(t, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			if f.Type() == reflect.TypeFor[*service]() {
				continue // the worker, by its name
			}
			plainBytes(t, f)
		}
	}
}
