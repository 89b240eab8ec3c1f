//go:build unix

package program

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// attending is a master that takes signals, and does nothing else.
func attending(t *testing.T) *running {
	t.Helper()
	r := &running{Program: &Program{}, log: &Log{}}
	r.attend()
	t.Cleanup(func() { signal.Stop(r.signals); signal.Reset(handled...) })
	return r
}

// raise sends this process a signal.
func raise(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Fatal(err)
	}
}

// raiseAndWait sends this process a signal, and waits until it is in the channel.
func raiseAndWait(t *testing.T, r *running, s syscall.Signal) {
	t.Helper()
	before := len(r.signals)
	raise(t, s)
	for late := time.Now().Add(patience); len(r.signals) == before; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%v does not come", s)
		}
	}
}

// awaitSignal wants a signal to be heard.
func awaitSignal(t *testing.T, r *running, want syscall.Signal) {
	t.Helper()
	for {
		select {
		case s := <-r.signals:
			if s == want {
				return
			}
			if s != syscall.SIGCHLD {
				t.Fatalf("%v came, want %v", s, want)
			}
		case <-time.After(patience):
			t.Fatalf("%v was lost", want)
		}
	}
}

// TestDeafen has signals come in the moment before exec: those that a new master makes up for do nothing, and all are
// heard again if there is no exec.
func TestDeafen(t *testing.T) {
	r := attending(t)
	hear, err := r.deafen()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP} {
		raise(t, s)
	}
	hear()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGHUP, syscall.SIGQUIT} {
		raise(t, s)
		awaitSignal(t, r, s)
	}
}

// TestDeafenEnding has a signal that ends the program wait: there is no exec, and the signal is not lost.
func TestDeafenEnding(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP} {
		r := attending(t)
		r.hangsUp = true
		raiseAndWait(t, r, syscall.SIGUSR1)
		raiseAndWait(t, r, s)
		if _, err := r.deafen(); !errors.Is(err, errStopped) {
			t.Errorf("%v: %v", s, err)
		}
		awaitSignal(t, r, s)
		signal.Stop(r.signals)
	}
}

// TestHeedNothing has signals wait until they may come, and says that the program ends.
func TestHeedNothing(t *testing.T) {
	r := attending(t)
	r.hangsUp = false
	go r.heed()
	defer close(r.stopped)
	again, err := r.heedNothing()
	if err != nil {
		t.Fatal(err)
	}
	raise(t, syscall.SIGHUP)
	awaitSignal(t, r, syscall.SIGHUP) // which heed would have taken
	again()
	r.ending.Store(true)
	if _, err := r.heedNothing(); !errors.Is(err, errStopped) {
		t.Errorf("of a program that ends: %v", err)
	}
}

// TestHeedNothingStopped has the program have ended.
func TestHeedNothingStopped(t *testing.T) {
	r := attending(t)
	close(r.stopped)
	if _, err := r.heedNothing(); !errors.Is(err, errStopped) {
		t.Error(err)
	}
}
