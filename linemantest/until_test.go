package linemantest_test

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// failing notes how a test has failed.
type failing struct {
	testing.TB
	why string
}

func (f *failing) Fatalf(format string, args ...any) {
	f.why = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// TestUntil waits for what holds at once, soon, and never.
func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		linemantest.Until(t, "not at once", func() bool { return true })
		if took := time.Since(began); took > 0 {
			t.Errorf("what holds was waited for %v long", took)
		}
		linemantest.Until(t, "not soon", func() bool { return time.Since(began) >= 59*time.Second })
		began = time.Now()
		f, ended := &failing{TB: t}, make(chan bool)
		go func() {
			defer close(ended)
			linemantest.Until(f, "it is not there", func() bool { return false })
		}()
		<-ended
		if took := time.Since(began); took < time.Minute || took > 61*time.Second {
			t.Errorf("what never holds was waited for %v long", took)
		}
		if f.why != "after 1m0s: it is not there" {
			t.Errorf("it says %q", f.why)
		}
	})
}
