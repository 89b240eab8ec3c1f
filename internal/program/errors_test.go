package program

import (
	"errors"
	"fmt"
	"testing"
)

// TestExitCode gives each error its code, also one that has come over the control socket.
func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, ExitDone},
		{errors.New("x"), ExitFailed},
		{Usage("no %s", "command"), ExitUsage},
		{fmt.Errorf("wrapped: %w", ErrNotRunning), ExitNotRunning},
		{fmt.Errorf("wrapped: %w", ErrRunning), ExitRunning},
		{remoteError{"wrong usage: no command", ExitUsage}, ExitUsage},
		{remoteError{"already running", ExitRunning}, ExitFailed}, // what runs is not what this command is about
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
	if got := Usage("no %s", "command").Error(); got != "wrong usage: no command" {
		t.Error(got)
	}
}
