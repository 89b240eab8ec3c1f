package journal_test

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/journal"
	"github.com/lineman-go/lineman/push/pushtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// over is a Memory over a journal: every node that joins gives it the journal.
type over struct {
	*push.Memory
	journal push.Journal
}

func (b over) Join(n push.Node) (push.Link, error) {
	n.Journal = b.journal
	return b.Memory.Join(n)
}

// TestBroker runs the conformance suite over a Memory with a journal.
func TestBroker(t *testing.T) {
	pushtest.TestBroker(t, func(t *testing.T) pushtest.Cluster {
		j := open(t, t.TempDir(), journal.Options{})
		b := over{push.NewMemory(), j}
		return pushtest.Cluster{Broker: func() push.Broker { return b }, History: true}
	})
}

// open opens a journal for as long as the test lasts.
func open(t *testing.T, folder string, o journal.Options) *journal.Journal {
	t.Helper()
	o.Folder = folder
	j, err := journal.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		j.Close()
		j.Wait(time.Minute)
	})
	return j
}

// TestLocked refuses a journal that another server has, and says whose it is.
func TestLocked(t *testing.T) {
	folder := t.TempDir()
	open(t, folder, journal.Options{})
	_, err := journal.Open(journal.Options{Folder: folder})
	if !errors.Is(err, journal.ErrLocked) {
		t.Errorf("a second one is opened: %v", err)
	}
}
