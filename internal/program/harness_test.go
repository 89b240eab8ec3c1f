//go:build unix

package program

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lineman-go/lineman/internal/processtest"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// TestMain plays a role, in another process of a test.
func TestMain(m *testing.M) {
	processtest.Play(map[string]func(args []string) error{
		"claim": playClaim, "claim and release": playClaimAndRelease,
	})
	goleak.VerifyTestMain(m)
}
