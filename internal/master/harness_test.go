//go:build unix

package master

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
	processtest.Play(roles)
	goleak.VerifyTestMain(m)
}

// noHook is a reload without hooks.
func noHook() (func(), error) { return func() {}, nil }
