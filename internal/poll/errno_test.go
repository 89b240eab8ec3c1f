package poll_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman/internal/poll"
)

// TestIsShortage tells what passes when something is closed from what does not.
func TestIsShortage(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.EMFILE: true, syscall.ENFILE: true, syscall.ENOBUFS: true, syscall.ENOMEM: true, syscall.ENOSPC: true,
		os.NewSyscallError("epoll_ctl", syscall.ENOSPC): true, fmt.Errorf("accept: %w", syscall.EMFILE): true,
		syscall.ECONNABORTED: false, poll.ErrAgain: false, nil: false,
	} {
		if got := poll.IsShortage(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
