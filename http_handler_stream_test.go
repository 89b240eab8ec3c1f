package lineman_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

const (
	get     = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	held    = 1 << 20 // bytes that may wait in this process for a handler, or for a client
)

// received is what a loop has read, asked for from any goroutine.
func received(l *lineman.Loop) uint64 {
	n := make(chan uint64, 1)
	if !l.Do(func() { n <- l.Stats().BytesIn }) {
		return 0
	}
	return <-n
}

// flood writes as much as the peer takes, up to limit bytes, and returns how much that was.
func flood(c *linemantest.Client, piece string, limit int) (n int) {
	defer func() { _ = c.Conn.SetWriteDeadline(time.Now().Add(patience)) }()
	_ = c.Conn.SetWriteDeadline(time.Now().Add(second))
	for n < limit {
		some, err := io.WriteString(c.Conn, piece)
		if n += some; err != nil {
			break
		}
	}
	return n
}

// TestHandlerUpload has a handler read 64 MiB slowly: what waits in this process is bounded all the time.
func TestHandlerUpload(t *testing.T) {
	linemantest.NoLeaks(t)
	const size = 64 << 20
	entered, begin := make(chan *lineman.Loop, 1), make(chan struct{})
	var loop *lineman.Loop
	w := handled(func(w http.ResponseWriter, r *http.Request) {
		entered <- loop
		<-begin
		got, most := uint64(0), uint64(0)
		for {
			n, err := io.CopyN(io.Discard, r.Body, 1<<20)
			got += uint64(n)
			if err != nil {
				break
			}
			most = max(most, received(loop)-got)
		}
		fmt.Fprintf(w, "%d %v", got, most < held)
	})
	w.OnStart = func(l *lineman.Loop) error {
		loop = l
		return nil
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write(fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size))
	next(t, entered, "the handler")
	piece := strings.Repeat("x", 1<<16)
	sent := flood(c, piece, size)
	if n := received(loop); n > held {
		t.Errorf("%d bytes were read for a handler that reads nothing", n)
	}
	close(begin)
	for sent < size {
		rest := min(size-sent, len(piece))
		c.Write(piece[:rest])
		sent += rest
	}
	if _, body := c.Response(""); body != fmt.Sprintf("%d true", size) {
		t.Errorf("bytes, and whether few enough waited: %q", body)
	}
}

// TestHandlerPipelineFlood has a client send requests without end behind one that is not answered yet.
func TestHandlerPipelineFlood(t *testing.T) {
	linemantest.NoLeaks(t)
	entered, leave := make(chan struct{}, 1), make(chan struct{})
	var loop *lineman.Loop
	w := handled(func(http.ResponseWriter, *http.Request) {
		select {
		case entered <- struct{}{}:
		default:
		}
		<-leave
	})
	w.OnStart = func(l *lineman.Loop) error {
		loop = l
		return nil
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write(get)
	next(t, entered, "the handler")
	flood(c, strings.Repeat(get, 1000), 64<<20)
	if n := received(loop); n > held {
		t.Errorf("%d bytes of requests were read that nobody handles yet", n)
	}
	close(leave)
}

// TestHandlerFlush has the client see the first piece before the second is written.
func TestHandlerFlush(t *testing.T) {
	linemantest.NoLeaks(t)
	seen := make(chan struct{})
	w := handled(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "one ")
		w.(http.Flusher).Flush()
		select {
		case <-seen:
			fmt.Fprint(w, "two")
		case <-r.Context().Done():
		}
	})
	s := linemantest.Start(t, w)
	r, err := http.Get("http://" + s.Addr(w).String())
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer r.Body.Close()
	first := make([]byte, 4)
	if _, err := io.ReadFull(r.Body, first); err != nil || string(first) != "one " {
		t.Errorf("%q, %v", first, err)
	}
	close(seen)
	if rest, err := io.ReadAll(r.Body); err != nil || string(rest) != "two" {
		t.Errorf("%q, %v", rest, err)
	}
}

// TestHandlerFullDuplex has a handler answer each line of a body that is still coming.
func TestHandlerFullDuplex(t *testing.T) {
	linemantest.NoLeaks(t)
	w := handled(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			fmt.Fprintf(w, "got %s\n", lines.Text())
			if err := control.Flush(); err != nil {
				t.Error(err)
			}
		}
	})
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write(chunked)
	var r *http.Response
	for i, line := range []string{"one", "two", "three"} {
		c.Write(fmt.Sprintf("%x\r\n%s\n\r\n", len(line)+1, line))
		if i == 0 {
			var err error
			if r, err = http.ReadResponse(c.Reader, nil); err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
		}
		got := make([]byte, len("got \n")+len(line))
		if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != "got "+line+"\n" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	c.Write("0\r\n\r\n")
	if rest, err := io.ReadAll(r.Body); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	c.Write(get)
	if r, _ := c.Response(""); r.StatusCode != 200 {
		t.Errorf("the next request: %s", r.Status)
	}
}

func TestHandlerTrailers(t *testing.T) {
	linemantest.NoLeaks(t)
	w := handled(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Sum")
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %v", body, r.Trailer.Get("A"), err)
		w.Header().Set("Sum", "42")
		w.Header().Set(http.TrailerPrefix+"Late", "yes")
	})
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n2\r\nhi\r\n0\r\n" +
		"A: b\r\n\r\n")
	r, body := c.Response("")
	if body != "hi b <nil>" || r.Trailer.Get("Sum") != "42" || r.Trailer.Get("Late") != "yes" {
		t.Errorf("%q, trailers %v", body, r.Trailer)
	}
}

// TestHandlerContinue has 100 sent when the handler reads the body, behind what it has sent before, and not at all if
// it does not.
func TestHandlerContinue(t *testing.T) {
	linemantest.NoLeaks(t)
	w := handled(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		if r.URL.Path == "/read" {
			_, _ = io.Copy(w, r.Body)
		}
	})
	s := linemantest.Start(t, w)
	const head = " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
	c := s.Dial(w)
	c.Write("POST /read" + head)
	for _, want := range []int{103, 100} {
		if r, _ := c.Response(""); r.StatusCode != want {
			t.Fatalf("%s, want %d", r.Status, want)
		}
	}
	c.Write("hello")
	if _, body := c.Response(""); body != "hello" {
		t.Errorf("%q", body)
	}
	c.Write("POST /refuse" + head)
	for _, want := range []int{103, 200} {
		if r, _ := c.Response(""); r.StatusCode != want || want == 200 && !r.Close {
			t.Errorf("%s, want %d, close %v", r.Status, want, r.Close)
		}
	}
}

// TestHandlerContext ends the context of a request when its client goes away, and not for the next request.
func TestHandlerContext(t *testing.T) {
	linemantest.NoLeaks(t)
	entered, leave, gone := make(chan struct{}, 1), make(chan struct{}), make(chan bool, 1)
	w := handled(func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		select {
		case <-leave:
			gone <- r.Context().Err() != nil
		case <-r.Context().Done():
			gone <- true
		}
	})
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write(get)
	next(t, entered, "the handler")
	c.Write(get) // alone, and read by now
	waitForBytes(t, s, w, c)
	leave <- struct{}{}
	if next(t, gone, "the first handler") {
		t.Error("the next request ended the context of the first")
	}
	next(t, entered, "the second handler")
	c.Close()
	if !next(t, gone, "the end of the context") {
		t.Error("a client that is gone left the context alone")
	}
}

// TestHandlerPipeline has 50 requests, sent at once, answered in their order by handlers of different speed.
func TestHandlerPipeline(t *testing.T) {
	linemantest.NoLeaks(t)
	w := handled(func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
		for range (n * 37 % 10) * 50 {
			runtime.Gosched()
		}
		fmt.Fprint(w, n, strings.Repeat(" ", n*n%7*5000))
	})
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	var all strings.Builder
	for i := range 50 {
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i)
	}
	c.Write(all.String())
	for i := range 50 {
		if _, body := c.Response(""); strings.TrimSpace(body) != fmt.Sprint(i) {
			t.Fatalf("answer %d is %.20q", i, body)
		}
	}
}

// TestHandlerPanic has a panic end its connection and nothing else.
func TestHandlerPanic(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, tt := range []struct {
		value  any
		logged int
	}{{"oh no", 1}, {http.ErrAbortHandler, 0}} {
		log := &journal{}
		w := handled(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/late" {
				fmt.Fprint(w, "begun")
				_ = http.NewResponseController(w).Flush()
			}
			if r.URL.Path != "/" {
				panic(tt.value)
			}
		})
		w.Logger = log.logger()
		s := linemantest.Start(t, w)
		other := s.Dial(w)
		c := s.Dial(w)
		c.Write("GET /early HTTP/1.1\r\nHost: x\r\n\r\n" + get)
		if rest := c.Rest(); rest != "" {
			t.Errorf("%v: %q", tt.value, rest)
		}
		late := s.Dial(w)
		late.Write("GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
		if rest := late.Rest(); !strings.HasSuffix(rest, "\r\n5\r\nbegun\r\n") {
			t.Errorf("%v: %q", tt.value, rest)
		}
		other.Write(get)
		if r, _ := other.Response(""); r.StatusCode != 200 {
			t.Errorf("%v: the other connection: %s", tt.value, r.Status)
		}
		if n := log.count("panic serving"); n != 2*tt.logged {
			t.Errorf("%v was logged %d times: %s", tt.value, n, log)
		}
	}
}

// TestHandlerBrokenBody has a body break while its handler reads and writes: the loop goes on, whatever the handler is
// at.
func TestHandlerBrokenBody(t *testing.T) {
	linemantest.NoLeaks(t)
	begun := make(chan struct{}, 1)
	w := handled(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.ReadFull(r.Body, make([]byte, 5))
		begun <- struct{}{}
		broken := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, r.Body)
			broken <- err
		}()
		for piece := make([]byte, 1<<16); len(broken) == 0; {
			_, _ = w.Write(piece)
		}
		if err := <-broken; err == nil {
			t.Error("the handler has seen no error")
		}
	})
	s := linemantest.Start(t, w)
	for range 300 {
		c := s.Dial(w)
		c.Write(chunked + "5\r\nhello\r\n")
		next(t, begun, "the handler")
		took := make(chan struct{})
		go func() {
			defer close(took)
			_, _ = io.Copy(io.Discard, c.Reader) // up to the end, or a reset
		}()
		c.Write("no chunk\r\n")
		next(t, took, "the end")
		c.Close()
	}
}

// TestHandlerSlow has timers and other connections go on while handlers wait.
func TestHandlerSlow(t *testing.T) {
	linemantest.NoLeaks(t)
	entered, leave, rang := make(chan struct{}, 8), make(chan struct{}), make(chan struct{})
	w := handled(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			entered <- struct{}{}
			<-leave
		}
	})
	s := linemantest.Start(t, w)
	var slow [8]*linemantest.Client
	for i := range slow {
		slow[i] = s.Dial(w)
		slow[i].Write("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
		next(t, entered, "a slow handler")
	}
	s.Do(w, func(l *lineman.Loop) { l.After(time.Millisecond, func() { close(rang) }) })
	next(t, rang, "the timer")
	c := s.Dial(w)
	c.Write(get)
	c.Response("")
	close(leave)
	for _, c := range slow {
		c.Response("")
	}
}
