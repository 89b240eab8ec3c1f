package lineman_test

import (
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

var sayHello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(hello) // the test reads it
})

// asker asks a server again and again over one connection, without an allocation of its own.
type asker struct {
	conn    net.Conn
	request []byte
	answer  []byte
}

func newAsker(tb testing.TB, addr string) *asker {
	tb.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	request := []byte("GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: test\r\n\r\n")
	a := &asker{conn: conn, request: request, answer: make([]byte, 4096)}
	if _, err := conn.Write(a.request); err != nil {
		tb.Fatal(err)
	}
	n, err := conn.Read(a.answer)
	if err != nil {
		tb.Fatal(err)
	}
	a.answer = a.answer[:n] // each has this length
	return a
}

func (a *asker) ask(tb testing.TB) {
	if _, err := a.conn.Write(a.request); err != nil {
		tb.Fatal(err)
	}
	if _, err := io.ReadFull(a.conn, a.answer); err != nil {
		tb.Fatal(err)
	}
}

// handlers are servers of the same handler: a Worker, and net/http by itself.
func handlers(tb testing.TB) map[string]string {
	tb.Helper()
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Handler: sayHello}
	s := linemantest.Start(tb, w)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	std := &http.Server{Handler: sayHello}
	tb.Cleanup(func() { std.Close() })
	go func() { _ = std.Serve(ln) }()
	return map[string]string{"Handler": s.Addr(w).String(), "net/http": ln.Addr().String()}
}

// TestHandlerAllocations has a Handler cost little more than net/http by itself.
func TestHandlerAllocations(t *testing.T) {
	if portable() || linemantest.Raced() {
		t.Skip("the figure is for the native loop, without the race detector")
	}
	each := map[string]float64{}
	for name, addr := range handlers(t) {
		a := newAsker(t, addr)
		each[name] = allocations(500, 0, func() { a.ask(t) })
	}
	if each["Handler"] > each["net/http"]+3 {
		t.Errorf("allocations of a request: %v", each)
	}
}

// allocations is how many f takes. All of the process are counted, so the fewest of several tries are, until they are
// few enough.
func allocations(runs int, enough float64, f func()) float64 {
	n := testing.AllocsPerRun(runs, f)
	for tries := 4; n > enough && tries > 0; tries-- {
		n = min(n, testing.AllocsPerRun(runs, f))
	}
	return n
}

// BenchmarkHandler is a request with a Handler, beside the same by net/http.
func BenchmarkHandler(b *testing.B) {
	for name, addr := range handlers(b) {
		b.Run(name, func(b *testing.B) {
			a := newAsker(b, addr)
			b.ReportAllocs()
			for b.Loop() {
				a.ask(b)
			}
		})
	}
}
