//go:build unix

package program

import (
	"errors"
	"testing"

	"github.com/lineman-go/lineman/internal/master"
)

// TestHook has each end of a hook be an error with its name, and the next one run after it.
func TestHook(t *testing.T) {
	wrong := errors.New("lineman: it is wrong")
	for name, c := range map[string]struct {
		hook func() error
		want string
	}{
		"none":    {},
		"success": {hook: func() error { return nil }},
		"error":   {func() error { return wrong }, "lineman: OnStart of the master: it is wrong"},
		"panic":   {func() error { panic("oh") }, "lineman: panic in OnStart of the master: oh"},
	} {
		r := &running{Program: &Program{}}
		for range 2 {
			err := r.hook("OnStart", c.hook)
			if c.want == "" && err == nil {
				continue
			}
			if err == nil || err.Error() != c.want {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
			if name == "error" && !errors.Is(err, wrong) {
				t.Errorf("%v does not match its cause", err)
			}
		}
	}
}

// TestExited tells the application of the end of a process, if it wants to know.
func TestExited(t *testing.T) {
	var told []master.Exit
	want := master.Exit{Worker: "w", ID: 1, PID: 7, Status: master.Status{Code: 3}}
	(&running{Program: &Program{}}).exited(want)
	(&running{Program: &Program{OnExit: func(e master.Exit) { told = append(told, e) }}}).exited(want)
	if len(told) != 1 || told[0] != want {
		t.Errorf("%+v", told)
	}
}
