//go:build unix

package lineman_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/internal/channel"
	"github.com/lineman-go/lineman/internal/master"
	"github.com/lineman-go/lineman/linemantest"
)

// TestStatusOf takes from a process what that knows of itself, and nothing else: it may run as another user.
func TestStatusOf(t *testing.T) {
	born := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	listeners := `"listeners":[{"worker":"w","addr":"text://127.0.0.1:1","connections":3}]`
	counted := `"connections":3,"outgoing":1,"accepted":4,"requests":5,"sent":10,"bytes_in":11,"bytes_out":12,` +
		`"requests_per_sec":RATE,"sent_per_sec":3,"bytes_in_per_sec":4,"bytes_out_per_sec":5,"refused":6,` +
		`"panics":7,"slow":8,"timers":9,"report":{"now":1}}`
	said := `{"worker":"x","id":9,"pid":1,"state":"idle","busy":9,"callback":"?","memory":9,` +
		listeners + "," + counted
	m := &lineman.Master{Name: "a", Workers: []*lineman.Worker{{Name: "w"}}}
	s := m.StatusOf(master.Snapshot{
		Processes: []master.ProcessState{
			{
				Worker: "w", ID: 1, PID: -7, Born: born, State: master.Busy, Busy: time.Second, Callback: "OnMessage",
				Rates:  master.Rates{Messages: 2.5, MessagesOut: 3, BytesIn: 4, BytesOut: 5},
				Status: json.RawMessage(strings.Replace(said, "RATE", "9", 1)),
			},
			{Worker: "w", Born: born, State: master.Starting},
			{Worker: "w", ID: 2, Born: born, State: master.Idle, Status: json.RawMessage(`"nonsense"`)},
		},
		Exits: []master.ExitCount{{Worker: "w", Status: master.Status{Code: -1, Signal: "9 (killed)"}, Count: 3}},
	}, born, 2)
	s.Load, s.PID = nil, 1
	got, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	at := `"started":"2026-01-02T03:04:05Z"`
	nothing := at + `,"memory":0,"listeners":null,"connections":0,"outgoing":0,"accepted":0,"requests":0,"sent":0,` +
		`"bytes_in":0,"bytes_out":0,"requests_per_sec":0,"sent_per_sec":0,"bytes_in_per_sec":0,"bytes_out_per_sec":0,` +
		`"refused":0,"panics":0,"slow":0,"timers":0}`
	want := `{"name":"a","version":"` + s.Version + `","pid":1,` + at + `,"reloads":2,"workers":1,"processes":[` +
		`{"worker":"w","id":1,"pid":-7,"state":"busy","busy":1,"callback":"OnMessage",` + at + `,"memory":0,` +
		listeners + "," + strings.Replace(counted, "RATE", "2.5", 1) +
		`,{"worker":"w","id":0,"pid":0,"state":"starting","busy":0,"callback":"",` + nothing +
		`,{"worker":"w","id":2,"pid":0,"state":"idle","busy":0,"callback":"",` + nothing +
		`],"exits":[{"worker":"w","code":-1,"signal":"9 (killed)","count":3}]}`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestConnsOf has the master say whose connections they are, and refuse what are none.
func TestConnsOf(t *testing.T) {
	page := json.RawMessage(`[{"pid":1,"process":"x/1","id":5,"worker":"w"},{"id":6}]`)
	conns, err := lineman.ConnsOf("w", 2, os.Getpid(), page)
	if err != nil || len(conns) != 2 {
		t.Fatalf("%v, %v", conns, err)
	}
	for i, c := range conns {
		if c.PID != os.Getpid() || c.Process != "w/2" || c.ID != uint64(5+i) {
			t.Errorf("%+v", c)
		}
	}
	for _, page := range []string{`null`, `[]`} {
		if conns, err := lineman.ConnsOf("w", 2, 3, json.RawMessage(page)); len(conns) != 0 || err != nil {
			t.Errorf("%s: %v, %v", page, conns, err)
		}
	}
	_, err = lineman.ConnsOf("w", 2, 3, json.RawMessage(`{}`))
	if err == nil || !strings.Contains(err.Error(), "w/2 (pid 3)") {
		t.Error(err)
	}
}

// TestReloadReportOf weighs pauses by connections, and adds up what processes did.
func TestReloadReportOf(t *testing.T) {
	did := func(id, kept int, old string, pauses ...channel.Pause) (s master.Succession) {
		s.Worker, s.ID, s.Old, s.New = "w", id, old, "v2"
		s.Kept, s.Pauses = kept, pauses
		s.Stayed = map[string]int{"busy": 1, string(rune('a' + id)): id}
		return s
	}
	ms := time.Millisecond
	r := lineman.ReloadReportOf(&master.Report{
		Slots: []master.Succession{
			did(0, 60, "v1", channel.Pause{Conns: 49, Time: 10 * ms}, channel.Pause{Conns: 0, Time: time.Hour}),
			did(1, 40, "v0", channel.Pause{Conns: 50, Time: 20 * ms}, channel.Pause{Conns: 1, Time: 30 * ms}),
			did(2, 0, ""),
		},
		Rest: []string{"b/0"},
	}, false)
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"dry_run":false,"kept":100,"drained":6,"reasons":{"a":0,"b":1,"busy":3,"c":2},` +
		`"pause_p50":0.02,"pause_p99":0.02,"pause_max":0.03,"old_version":"v0, v1","new_version":"v2","processes":[` +
		`{"worker":"w","id":0,"kept":60,"drained":1},{"worker":"w","id":1,"kept":40,"drained":2},` +
		`{"worker":"w","id":2,"kept":0,"drained":3}],"rest":["b/0"]}`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestReport has a process tell what its application says of itself, and what it has sent; nothing if that panics, or
// is no JSON.
func TestReport(t *testing.T) {
	for name, c := range map[string]struct {
		report func(l *lineman.Loop) any
		want   string
	}{
		"a value":  {func(l *lineman.Loop) any { return []uint64{l.Stats().MessagesOut} }, `[1]`},
		"none":     {nil, ""},
		"a panic":  {func(*lineman.Loop) any { panic("a bug") }, ""},
		"no value": {func(*lineman.Loop) any { return func() {} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := &lineman.Worker{Addr: "text://127.0.0.1:0", Report: c.report, Logger: slog.New(slog.DiscardHandler)}
			w.OnMessage = func(c *lineman.Conn, msg []byte) { _ = c.Send(msg) }
			s := linemantest.Start(t, w)
			p := s.Dial(w)
			p.Send("1234")
			p.Receive()
			var st lineman.ProcessStatus
			s.Do(w, func(l *lineman.Loop) { st = lineman.StatusOfLoop(l) })
			if string(st.Report) != c.want {
				t.Errorf("it tells %s, want %s", st.Report, c.want)
			}
			if st.Sent != 1 || st.BytesIn != 5 || st.BytesOut != 5 {
				t.Errorf("%d messages were sent, %d bytes read and %d written", st.Sent, st.BytesIn, st.BytesOut)
			}
		})
	}
}
