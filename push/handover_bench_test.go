package push_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// BenchmarkHandover is what it takes to save and restore 15,000 connections that follow, each with a session, a group
// and a channel of ten with presence and history, and 100,000 messages of 500 bytes.
func BenchmarkHandover(b *testing.B) {
	const n = 15_000
	fresh := func() *hub {
		o := options()
		o.Fanout, o.Followers = count, &recorder{}
		o.After = func(time.Duration, func()) {}
		o.Namespaces = map[string]push.Namespace{
			"chat": {History: push.Retention{Size: 100}, Presence: push.PresenceList},
		}
		h, err := push.New(o)
		if err != nil {
			b.Fatal(err)
		}
		return h
	}
	from := fresh()
	var members []*member
	for i := range n {
		m, err := from.AddFollower(&conn{id: uint64(i)}, fmt.Sprint("user-", i))
		if err == nil {
			m.SetValue(json.RawMessage(`{"name":"somebody","info":{"a":1}}`))
			err = m.Join(fmt.Sprint("group-", i%100))
		}
		if err == nil {
			err = m.Subscribe(fmt.Sprint("chat:", i/10))
		}
		if err != nil {
			b.Fatal(err)
		}
		members = append(members, m)
	}
	data := make([]byte, 500)
	for i := range 100_000 {
		to := []push.Target{push.Channel(fmt.Sprint("chat:", i%(n/10)))}
		if err := from.Publish(message{To: to, Data: data}, nil); err != nil {
			b.Fatal(err)
		}
	}
	var took [6]time.Duration
	for range b.N {
		began := time.Now()
		lap := func(i int) { took[i] += time.Since(began); began = time.Now() }
		var broker [][]byte
		err := from.SaveBrokerState(func(part []byte) error {
			broker = append(broker, slices.Clone(part))
			return nil
		})
		lap(0)
		state, err2 := from.AppendState(nil)
		lap(1)
		states := make([][]byte, n)
		for i, m := range members {
			states[i], _ = from.AppendMember(nil, m)
		}
		lap(2)
		to := fresh()
		var err3 error
		for _, part := range broker {
			err3 = errors.Join(err3, to.RestoreBrokerState(part))
		}
		lap(3)
		err4 := to.RestoreState(state)
		lap(4)
		for i, m := range members {
			if _, err := to.RestoreMember(m.Conn(), states[i]); err != nil {
				b.Fatal(err)
			}
		}
		lap(5)
		if err != nil || err2 != nil || err3 != nil || err4 != nil {
			b.Fatal(err, err2, err3, err4)
		}
	}
	for i, name := range []string{
		"save-history", "save-hub", "save-members", "restore-history", "restore-hub", "restore-members",
	} {
		b.ReportMetric(float64(took[i].Microseconds())/1000/float64(b.N), name+"-ms")
	}
}
