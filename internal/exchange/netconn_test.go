package exchange_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/internal/exchange"
)

// TestBackPressure has little of an answer wait for a peer that does not read, and all of it arrive.
func TestBackPressure(t *testing.T) {
	try(t, func(t *trial) {
		t.room = 0
		answer := bytes.Repeat([]byte("0123456789abcdef"), 20<<10)
		x := exchange.New(t.fake, t.ends(), nil, 0)
		written := make(chan int, 1)
		go func() {
			n, err := x.Write(answer)
			if err != nil {
				t.Error(err)
			}
			written <- n
		}()
		synctest.Wait()
		for _, want := range []int{34 << 10, 64 << 10} { // it goes on when half is free
			t.take(x, 30<<10)
			if n := t.State().Pending; n != want {
				t.Errorf("%d bytes wait, want %d", n, want)
			}
		}
		for ; len(written) == 0; t.take(x, 7777) {
			if n := t.State().Pending; n < 1<<10 || n > 64<<10 {
				t.Fatalf("%d bytes wait for the peer", n)
			}
		}
		t.take(x, 64<<10)
		if n := <-written; n != len(answer) || t.sent() != string(answer) {
			t.Errorf("%d bytes were written, and %d arrived", n, len(t.sent()))
		}
	})
}

// waits are the ways in which a handler waits for its connection, each with a fake on which it does.
var waits = []struct {
	name string
	side func(x *exchange.Exchange, d time.Time) error // sets its deadline
	do   func(x *exchange.Exchange) error
}{
	{"Read", (*exchange.Exchange).SetReadDeadline, func(x *exchange.Exchange) error {
		_, err := x.Read(make([]byte, 1))
		return err
	}},
	{"Write", (*exchange.Exchange).SetWriteDeadline, func(x *exchange.Exchange) error {
		_, err := x.Write(make([]byte, 100<<10))
		return err
	}},
	{"ReadFrom a file", (*exchange.Exchange).SetWriteDeadline, func(x *exchange.Exchange) error {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = x.ReadFrom(f)
		return err
	}},
}

// stuck is an exchange on which all of waits wait: nothing comes, and the peer has not read what was written.
func (t *trial) stuck() *exchange.Exchange {
	t.room = 0
	_, _ = t.WriteSome([]byte("unread"), 64<<10, false)
	return exchange.New(t.fake, t.ends(), nil, 0)
}

// TestEnds ends what a handler waits for, in every way in which that can end.
func TestEnds(t *testing.T) {
	for _, w := range waits {
		for name, end := range map[string]struct {
			do   func(t *trial, x *exchange.Exchange)
			want error
		}{
			"the connection closes": {func(t *trial, x *exchange.Exchange) {
				t.end(x)
				x.Cut()
			}, net.ErrClosed},
			"the exchange closes": {func(_ *trial, x *exchange.Exchange) { _ = x.Close() }, net.ErrClosed},
			"the exchange closes, on a connection that is broken": {func(t *trial, x *exchange.Exchange) {
				t.set(x, func(f *fake) { f.state.Broken = true })
				_ = x.Close()
			}, net.ErrClosed},
			"its deadline passes": {func(_ *trial, x *exchange.Exchange) {
				_ = w.side(x, time.Now().Add(time.Minute))
				time.Sleep(2 * time.Minute)
			}, os.ErrDeadlineExceeded},
			"its deadline has passed": {func(_ *trial, x *exchange.Exchange) {
				_ = w.side(x, time.Unix(1, 0))
			}, os.ErrDeadlineExceeded},
			"both deadlines": {func(_ *trial, x *exchange.Exchange) {
				_ = x.SetDeadline(time.Now())
			}, os.ErrDeadlineExceeded},
		} {
			t.Run(w.name+", "+name, func(t *testing.T) {
				try(t, func(t *trial) {
					x := t.stuck()
					over := make(chan error, 1)
					go func() { over <- w.do(x) }()
					synctest.Wait()
					if len(over) > 0 {
						t.Fatalf("it does not wait: %v", <-over)
					}
					end.do(t, x)
					want := end.want
					if w.name == "Read" && name == "the connection closes" {
						want = io.EOF
					}
					if err := <-over; !errors.Is(err, want) {
						t.Errorf("%v, want %v", err, want)
					}
				})
			})
		}
	}
}

// TestDeadlineMoves has only the last deadline count, and none after the zero time.
func TestDeadlineMoves(t *testing.T) {
	for _, w := range waits {
		t.Run(w.name, func(t *testing.T) {
			try(t, func(t *trial) {
				x := t.stuck()
				over := make(chan error, 1)
				go func() { over <- w.do(x) }()
				for _, d := range []time.Time{time.Now().Add(time.Second), time.Now().Add(time.Hour), {}} {
					if err := w.side(x, d); err != nil {
						t.Error(err)
					}
				}
				time.Sleep(2 * time.Hour)
				if len(over) > 0 {
					t.Errorf("a deadline that was moved ends it: %v", <-over)
				}
				_ = w.side(x, time.Now().Add(time.Second))
				time.Sleep(time.Minute)
				if err := <-over; !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error(err)
				}
			})
		})
	}
}

// TestClosed has an exchange that is over do nothing any more.
func TestClosed(t *testing.T) {
	try(t, func(t *trial) {
		x := t.begin(func(http.ResponseWriter, *http.Request) {}, get, true)
		for what, err := range map[string]error{
			"Close":            x.Close(),
			"SetDeadline":      x.SetDeadline(time.Now().Add(time.Hour)),
			"SetReadDeadline":  x.SetReadDeadline(time.Time{}),
			"SetWriteDeadline": x.SetWriteDeadline(time.Time{}),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v", what, err)
			}
		}
		t.want("after all of it", 1, 0)
	})
	try(t, func(t *trial) {
		x := exchange.New(t.fake, t.ends(), nil, 0)
		x.Feed([]byte("before"), false)
		_ = x.Close()
		x.Feed([]byte("after"), false)
		if n, err := x.Read(make([]byte, 1)); n != 0 || err != net.ErrClosed {
			t.Errorf("Read: %d, %v", n, err)
		}
	})
}

// TestAddresses are those of the connection; its own is kept for when it has closed.
func TestAddresses(t *testing.T) {
	try(t, func(t *trial) {
		want := &net.UnixAddr{Name: "/x", Net: "unix"}
		t.local = want
		x := exchange.New(t.fake, t.ends(), nil, 0)
		t.local = nil
		if x.LocalAddr() != net.Addr(want) || x.RemoteAddr().String() != "192.0.2.1:1" {
			t.Errorf("%v, %v", x.LocalAddr(), x.RemoteAddr())
		}
	})
}

// TestController has http.ResponseController set the deadlines of a handler.
func TestController(t *testing.T) {
	try(t, func(t *trial) {
		failed := make(chan error, 2)
		x := t.begin(func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			_, err := io.ReadAll(r.Body)
			failed <- err
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			_, err = w.Write(make([]byte, 1<<20))
			failed <- err
		}, post, false)
		t.set(x, func(f *fake) { f.room = 0 })
		time.Sleep(time.Minute)
		synctest.Wait()
		for range 2 {
			if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
		}
		t.want("after the deadlines", 0, 1)
	})
}
