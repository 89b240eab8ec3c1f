package push_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestBrokers runs the conformance suite over the memory broker, and over one that is slow and breaks.
func TestBrokers(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		pushtest.TestBroker(t, func(*testing.T) pushtest.Cluster {
			b := push.NewMemory()
			return pushtest.Cluster{
				Broker: func() push.Broker { return b }, History: true, Presence: true, Joint: true,
				Successor: func() push.Broker { return push.NewMemory() },
			}
		})
	})
	t.Run("network", func(t *testing.T) {
		pushtest.TestBroker(t, func(t *testing.T) pushtest.Cluster {
			w := pushtest.NewNetwork()
			t.Cleanup(w.End)
			return pushtest.Cluster{
				Broker: func() push.Broker { return w }, Cut: w.Cut, Mend: w.Mend, History: true, Presence: true,
			}
		})
	})
}
