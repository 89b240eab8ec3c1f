package lineman_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestAsk asks a loop that answers, one that stands still, one whose callback panics, and one that has ended.
func TestAsk(t *testing.T) {
	loops := make(chan *lineman.Loop, 1)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet}
	w.OnStart = func(l *lineman.Loop) error { loops <- l; return nil }
	s := linemantest.Start(t, w)
	l := <-loops
	seven := func() int { return 7 }

	if n, err := lineman.Ask(t.Context(), l, seven); n != 7 || err != nil {
		t.Errorf("it answers %d, %v", n, err)
	}
	if _, err := lineman.Ask(t.Context(), l, func() int { panic("a fault") }); !errors.Is(err, lineman.ErrPanic) {
		t.Errorf("a panic: %v", err)
	}

	free := make(chan struct{})
	l.Do(func() { <-free })
	over := errors.New("no time")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(over)
	if _, err := lineman.Ask(ctx, l, seven); !errors.Is(err, over) {
		t.Errorf("a loop that stands still: %v", err)
	}
	close(free)

	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := lineman.Ask(t.Context(), l, seven); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a loop that has ended: %v", err)
	}
}
