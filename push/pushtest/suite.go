// Package pushtest has what tests of package push and of its brokers need: the conformance suite of brokers, a broker
// that is slow and breaks, and a loop.
package pushtest

import (
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// A Cluster is a Broker under test, without nodes.
type Cluster struct {
	// Broker makes the Broker of a node: perhaps the same for all.
	Broker func() push.Broker

	// Cut breaks every link, and Mend makes them again; nil where nothing can break.
	Cut, Mend func()

	// Divided says that the Broker has partitions without an order between them: then one of several targets is tested
	// for each by itself.
	Divided bool

	// History says that the links of the Broker are push.HistoryLinks.
	History bool

	// Presence says that they are push.PresenceLinks.
	Presence bool

	// Successor makes the Broker of a process to which that of a node is handed over; nil where links are no
	// push.HandoverLinks. Joint says that all nodes are of one process.
	Successor func() push.Broker
	Joint     bool

	// Tidy waits until nothing is left behind but what so many nodes need; nil where there is no such place.
	Tidy func(nodes int)
}

// conformance are the tests of the suite.
var conformance = map[string]func(t *testing.T, c *cluster){
	"subscribed":     testSubscribed,
	"own":            testOwn,
	"order":          testOrder,
	"one order":      testOneOrder,
	"several":        testSeveral,
	"many topics":    testManyTopics,
	"unsubscribed":   testUnsubscribed,
	"closed":         testClosed,
	"content":        testContent,
	"connections":    testConnections,
	"asked":          testAsked,
	"asked in order": testAskedInOrder,
	"broken links":   testBroken,
	"subscribe down": testSubscribeDown,

	"history":                 testHistory,
	"history, order":          testHistoryOrder,
	"history, several":        testHistorySeveral,
	"history, limits":         testHistoryLimits,
	"history, gaps":           testHistoryGaps,
	"history, latest":         testHistoryLatest,
	"history, expired":        testHistoryExpired,
	"history, forgotten":      testHistoryForgotten,
	"history, away":           testHistoryAway,
	"history, over the break": testHistoryBroken,
	"history, closed":         testHistoryClosed,

	"presence":                 testPresence,
	"presence, info":           testPresenceInfo,
	"presence, said twice":     testPresenceTwice,
	"presence, events":         testPresenceEvents,
	"presence, attended":       testPresenceAttended,
	"presence, order":          testPresenceOrder,
	"presence, large":          testPresenceLarge,
	"presence, in the midst":   testPresenceMidst,
	"presence, a node goes":    testPresenceGone,
	"presence, over the break": testPresenceBroken,
	"presence, closed":         testPresenceClosed,

	"rolls":                 testRoll,
	"rolls, moves":          testRollMoves,
	"rolls, a node is late": testRollLate,
	"rolls, a node goes":    testRollGone,
	"rolls, over the break": testRollBroken,
	"rolls, hidden":         testRollHidden,

	"headcounts":                 testHeadcount,
	"headcounts, over the break": testHeadcountBroken,

	"handover":        testHandover,
	"handover, fails": testHandoverFails,
}

// TestBroker runs the conformance suite: open makes a Cluster that lives until the end of its test.
func TestBroker(t *testing.T, open func(t *testing.T) Cluster) {
	for name, test := range conformance {
		t.Run(name, func(t *testing.T) {
			c := &cluster{Cluster: open(t), t: t, rollDelay: 200 * time.Millisecond}
			if (c.Cut == nil) != (c.Mend == nil) {
				t.Fatal("pushtest: a Cluster has Cut and Mend, or neither")
			}
			test(t, c)
		})
	}
}
