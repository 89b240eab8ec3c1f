package poll_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/internal/poll"
)

// supports skips a test where the poller has no such thing, which epoll's has to have.
func supports(t *testing.T, err error) {
	t.Helper()
	native := runtime.GOOS == "linux" && strings.Contains(t.Name(), "/native/")
	switch {
	case err != nil && (native || !errors.Is(err, errors.ErrUnsupported)):
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
}

// TestPipe moves bytes from one stream to another, as far as each has or takes them.
func TestPipe(t *testing.T) {
	overStreams(t, func(t *testing.T, p *poller, network string) {
		from, source := p.connect(network)
		to, sink := p.connect(network)
		pipe, err := p.Pipe()
		supports(t, err)
		defer pipe.Close()
		if n, err := pipe.Fill(from); n != 0 || err != poll.ErrAgain {
			t.Errorf("nothing has come: %d, %v", n, err)
		}
		p.send(source, "hello")
		p.untilReadable(from)
		if n, err := pipe.Fill(from); n != 5 || err != nil || pipe.Len() != 5 {
			t.Errorf("Fill: %d, %v; it holds %d", n, err, pipe.Len())
		}
		if n, err := pipe.Drain(to); n != 5 || err != nil || pipe.Len() != 0 {
			t.Errorf("Drain: %d, %v; it holds %d", n, err, pipe.Len())
		}
		b := make([]byte, 5)
		if _, err := io.ReadFull(sink, b); err != nil || string(b) != "hello" {
			t.Errorf("%q, %v", b, err)
		}

		for full := false; !full; { // TCP makes room once or twice
			p.fill(to)
			p.send(source, "more")
			p.untilReadable(from)
			if n, err := pipe.Fill(from); n != 4 || err != nil {
				t.Fatalf("Fill: %d, %v", n, err)
			}
			n, err := pipe.Drain(to)
			if full = err == poll.ErrAgain; full && n+pipe.Len() != 4 || !full && err != nil {
				t.Fatalf("Drain into a full stream: %d, %v; it holds %d", n, err, pipe.Len())
			}
		}
		source.Close()
		p.untilReadable(from)
		if n, err := pipe.Fill(from); n != 0 || err != io.EOF {
			t.Errorf("the end: %d, %v", n, err)
		}
	})
}

// TestSendFile sends parts of a file, up to its end, and up to what the stream takes.
func TestSendFile(t *testing.T) {
	overStreams(t, func(t *testing.T, p *poller, network string) {
		h, peer := p.connect(network)
		out, err := p.Poller.Output(h)
		supports(t, err)
		defer out.Close()
		path := filepath.Join(t.TempDir(), "file")
		if err := errors.Join(os.WriteFile(path, []byte("0123456789"), 0o600), os.Truncate(path, 10)); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, want := range []int{6, 4, 0} {
			if n, err := out.SendFile(f, 6); n != want || err != nil {
				t.Errorf("%d, %v, want %d", n, err, want)
			}
		}
		b := make([]byte, 10)
		if _, err := io.ReadFull(peer, b); err != nil || string(b) != "0123456789" {
			t.Errorf("%q, %v", b, err)
		}
		for err = nil; err == nil; { // TCP makes room once or twice
			p.fill(h)
			_, _ = f.Seek(0, io.SeekStart)
			_, err = out.SendFile(f, 6)
		}
		if err != poll.ErrAgain {
			t.Errorf("into a full stream: %v", err)
		}
		if _, isTCP := peer.(*net.TCPConn); isTCP {
			p.reset(peer)
			p.until("a socket has failed", func(ev poll.Event) bool { return ev.Handle == h && ev.Fail })
			if n, err := out.SendFile(f, 6); n != 0 || err == nil || err == poll.ErrAgain {
				t.Errorf("into a broken stream: %d, %v", n, err)
			}
		}
	})
}
