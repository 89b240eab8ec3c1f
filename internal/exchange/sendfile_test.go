package exchange_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/lineman-go/lineman/internal/exchange"
)

// file is one of so many bytes.
func file(t *testing.T, size int) (*os.File, string) {
	t.Helper()
	content := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, string(content)
}

// TestSendFile sends a file, or a part of it, behind what was written, as fast as the peer takes it.
func TestSendFile(t *testing.T) {
	const size = 5 << 20 / 2
	for _, c := range []struct {
		name string
		src  func(f *os.File) io.Reader
		want int
	}{
		{"all", func(f *os.File) io.Reader { return f }, size},
		{"a part", func(f *os.File) io.Reader { return io.LimitReader(f, 3<<19) }, 3 << 19},
		{"a part of a shorter file", func(f *os.File) io.Reader { return io.LimitReader(f, size+1) }, size},
		{"nothing of it", func(f *os.File) io.Reader { return io.LimitReader(f, 0) }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, content := file(t, size)
			try(t, func(t *trial) {
				t.room = 0
				_, _ = t.WriteSome([]byte("head "), 64<<10, false)
				x := exchange.New(t.fake, t.ends(), nil, 0)
				sent := make(chan int64, 1)
				go func() {
					n, err := x.ReadFrom(c.src(f))
					if err != nil {
						t.Error(err)
					}
					sent <- n
				}()
				for synctest.Wait(); len(sent) == 0; {
					before := len(t.sent())
					t.take(x, 600<<10)
					if len(sent) == 0 && len(t.sent()) == before {
						t.Fatal("it does not go on")
					}
				}
				if n := <-sent; n != int64(c.want) || t.sent() != "head "+content[:c.want] {
					t.Errorf("%d bytes, and the peer has %d", n, len(t.sent()))
				}
			})
		})
	}
}

// TestCopy copies what cannot be sent by the kernel.
func TestCopy(t *testing.T) {
	for name, prepare := range map[string]func(*fake){
		"TLS":           func(f *fake) { f.tls = &tls.ConnectionState{} },
		"an unfit file": func(f *fake) { f.noFiles = errors.ErrUnsupported },
	} {
		t.Run(name, func(t *testing.T) {
			f, content := file(t, 200<<10)
			try(t, func(t *trial) {
				prepare(t.fake)
				x := exchange.New(t.fake, t.ends(), nil, 0)
				if n, err := x.ReadFrom(f); err != nil || n != int64(len(content)) {
					t.Errorf("%d, %v", n, err)
				}
				if t.sent() != content {
					t.Errorf("the peer has %d bytes", len(t.sent()))
				}
			})
		})
	}
}

// TestSendFileEnds has the end of a connection, and an error of the file's, end a file.
func TestSendFileEnds(t *testing.T) {
	f, _ := file(t, 1<<20)
	try(t, func(t *trial) {
		t.room = 1000
		x := exchange.New(t.fake, t.ends(), nil, 0)
		sent, failed := make(chan int64, 1), make(chan error, 1)
		go func() {
			n, err := x.ReadFrom(f)
			sent <- n
			failed <- err
		}()
		synctest.Wait()
		t.end(x)
		if n, err := <-sent, <-failed; n != 1000 || err != net.ErrClosed {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := x.ReadFrom(f); n != 0 || err != net.ErrClosed {
			t.Errorf("after the end: %d, %v", n, err)
		}
	})
	try(t, func(t *trial) {
		t.noFiles = os.ErrPermission
		if n, err := exchange.New(t.fake, t.ends(), nil, 0).ReadFrom(f); n != 0 || err != os.ErrPermission {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// TestServeFile has net/http send a file through it.
func TestServeFile(t *testing.T) {
	f, content := file(t, 200<<10)
	try(t, func(t *trial) {
		t.room = 1 << 20
		t.begin(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, f.Name()) }, get, true)
		if status, body := t.response(); status != 200 || body != content {
			t.Errorf("%d, with %d bytes", status, len(body))
		}
		if t.most > 4<<10 {
			t.Errorf("%d bytes passed through the process", t.most)
		}
	})
}
