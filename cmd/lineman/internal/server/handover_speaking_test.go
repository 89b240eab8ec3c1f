package server

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/events"
	"github.com/lineman-go/lineman/push/level1"
)

// speakingPage is what a page has that speaks: it has said something, asked listeners and a hook, and published.
func speakingPage() *upstream {
	up := &upstream{
		publish: []string{"chat:*"}, rates: []channelRate{{"chat", tokenBucket{1, 1795400000}}}, lastCall: 302,
		calls: map[uint64]call{
			299: {id: 5, until: someTime.Add(time.Second)}, 300: {id: -6, until: someTime.Add(3 * time.Second)},
			301: {
				id: 7, until: someTime.Add(time.Second),
				rpc: &rpc{method: "cart.add", data: []byte("[1]"), again: true},
			},
			302: {id: 8, until: someTime.Add(time.Second), rpc: &rpc{again: true}},
		},
		saying: []int64{3, 3, -1}, unanswered: 12,
	}
	request := func(id int64, data string) level1.Request {
		return level1.Request{Op: level1.OpPub, ID: id, Channel: "chat:1", Data: []byte(data), NoEcho: id == 0}
	}
	for _, pub := range []*publication{
		{Request: request(0, `{"a":1}`), ask: 1, again: true},
		{Request: request(-9, "2"), ask: 2, again: true, settled: true, skip: true},
		{
			Request: request(10, "3"), ask: 3, again: true, settled: true,
			wrong: &level1.Failure{Code: 403, Text: "too loud"},
		},
	} {
		pub.number = up.published.expect()
		up.deciding = append(up.deciding, pub)
	}
	for _, text := range []string{"", `{"op":"err"}`} { // to what was refused at once
		up.published.settle(up.published.expect(), []byte(text), nil)
	}
	return up
}

// TestUpstreamCrosses has what a page speaks be what it was.
func TestUpstreamCrosses(t *testing.T) {
	up := speakingPage()
	if err := up.mayCross(); err != nil {
		t.Fatal(err)
	}
	var f saved
	up.appendState(&f, someTime)
	again := &upstream{}
	if err := again.restoreState(f, someTime); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again.published.texts, up.published.texts) {
		t.Errorf("the answers are %q, want %q", again.published.texts, up.published.texts)
	}
	up.published, again.published = answers{}, answers{}
	if !reflect.DeepEqual(again, up) {
		t.Errorf("it is %+v, want %+v", again, up)
	}
}

// TestUpstreamGolden has the bytes of a version never change: a later one reads them.
func TestUpstreamGolden(t *testing.T) {
	const want = "0106636861743a2a0291808080000104636861740209c0c28ed8868080c03f038b808080000102d60402010a03" +
		"02d00f038b808080000102d80402010b0302f02e039d808080000102da0402010e0302d00f0401010508636172" +
		"742e61646406035b315d038e808080000102dc040201100302d00f0401010402dc040501060501060501010797" +
		"808080000206636861743a3103077b2261223a317d0401010501020797808080000101110206636861743a3103" +
		"013205010406010107010107a2808080000101140206636861743a310301330501060601010802a6060908746f" +
		"6f206c6f75640600060c7b226f70223a22657272227d"
	var f saved
	speakingPage().appendState(&f, someTime)
	if got := fmt.Sprintf("%x", []byte(f)); got != want {
		t.Errorf("it is %s, want %s", got, want)
	}
}

// TestUpstreamStays has a page stay whose publication was decided, and has no outcome.
func TestUpstreamStays(t *testing.T) {
	up := speakingPage()
	up.published.expect()
	if err := up.mayCross(); !errors.Is(err, errOpen) {
		t.Errorf("it stays as %v, want %v", err, errOpen)
	}
}

// TestRenewalCrosses has the credential that a page has shown last be checked where it goes.
func TestRenewalCrosses(t *testing.T) {
	var f saved
	f.nested(crossPage, (&page{live: &live{}}).appendState)
	f.nested(crossRenewal, renewal{-3, "token"}.appendState)
	if err := (&crossedPage{}).restoreState(f); err == nil {
		t.Error("one that is no member shows another credential")
	}
	f.bytes(crossMember, []byte("ann"))
	var x crossedPage
	if err := x.restoreState(f); err != nil || *x.renewal != (renewal{-3, "token"}) {
		t.Errorf("it is %+v, %v", x.renewal, err)
	}
	const want = "018680808000048080808000078a808080000101050205746f6b656e0203616e6e"
	if got := fmt.Sprintf("%x", []byte(f)); got != want {
		t.Errorf("it is %s, want %s", got, want)
	}
}

// idle takes what it is sent.
type idle struct{}

func (idle) Send([]byte) bool { return true }

// TestSaidInOrder has a page be answered in the order of what it has said, before a handover and after it, whichever
// loop it is on.
func TestSaidInOrder(t *testing.T) {
	for name, first := range map[string]bool{"on the first loop": true, "on another loop": false} {
		t.Run(name, func(t *testing.T) {
			w := &lineman.Worker{Addr: "tcp://127.0.0.1:0"}
			on := linemantest.Start(t, w)
			answered := make(chan string, 2)
			on.Do(w, func(l *lineman.Loop) { sayBeforeAndAfter(t, l, first, answered) })
			for _, want := range []string{"before", "after"} {
				if got := <-answered; got != want {
					t.Errorf("%q is answered in place of %q", got, want)
				}
			}
		})
	}
}

// sayBeforeAndAfter has a page say something before a handover and after it. A listener takes both at once.
func sayBeforeAndAfter(t *testing.T, l *lineman.Loop, first bool, answered chan<- string) {
	newDispatcher := func() *events.Dispatcher {
		return events.New(events.Options{Do: l.Do, After: func(d time.Duration, f func()) { l.After(d, f) }})
	}
	said := func(receipt string) *events.Event {
		return &events.Event{Kind: events.Message, Conn: "c:n.1", UID: "ann", Data: []byte("1"), Receipt: receipt}
	}
	old, successor := newDispatcher(), newDispatcher()
	was, err := old.Listen(events.Listen{Group: "g", Events: []events.Kind{events.Message}, Sink: idle{}})
	if err != nil {
		t.Error(err)
		return
	}
	old.Emit(said("before"), func(error) { t.Error("the predecessor answers") })
	if err := successor.RestoreState(old.AppendState(nil)); err != nil {
		t.Error(err)
		return
	}
	is, err := successor.Reattach(was.Number(), idle{})
	if err != nil {
		t.Error(err)
		return
	}
	s := &Server{loop: l}
	s.hearing.dispatcher = successor
	if !first {
		s = &Server{loop: l, home: s}
	}
	if !s.await("before", func(error) { answered <- "before" }) {
		t.Error("nothing is known of what was said")
	}
	successor.Restored()
	s.report(said("after"), func(error) { answered <- "after" })
	l.Do(func() { _ = is.Ack(2) }) // behind what the other loop reports
}
