//go:build unix

package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
	"github.com/lineman-go/lineman/internal/master"
)

// goldenState is a master with all that one can have, of the process 4711.
func goldenState() *savedMaster {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	asker := 17
	outer := channel.Address{
		Worker: "w", Outer: true, Scheme: "http", Network: "tcp", Target: "127.0.0.1:80", ReusePort: true,
	}
	return &savedMaster{
		Version: 1, PID: 4711, Path: "/bin/p", Daemon: true, HangsUp: true, Began: at, Reloads: 3,
		Instance:  Instance{Name: "p", PIDFile: "/run/p.pid", Socket: "/run/p.sock", LogFile: "/var/log/p.log"},
		Files:     &savedFiles{PIDFile: 5, Log: 6, Control: 7},
		Activated: []int{8}, Asker: &asker, Answer: json.RawMessage(`{"pid":4711}`),
		Supervisor: &master.Saved{
			Images: []int{256}, Launched: 9, Opened: 2,
			Slots: []master.SavedSlot{{Worker: 0, ID: 0, Image: 0, Serves: 8}, {Worker: 0, ID: 1, LentTo: 8}},
			Processes: []master.SavedProcess{
				{
					Number: 7, Worker: 0, ID: 0, PID: 100, Began: 123456, Born: at, Ready: at.UnixNano(), Relays: 2,
					Leaving: &master.SavedLeaving{Since: at, Within: 2 * time.Second},
					Channel: &channel.Suspended{FD: 9, Last: 41, Unread: []byte("{"), Files: []int{10}},
					About: channel.Description{
						Version: 2, Handover: 1, Master: 1, Program: "v1", Workers: []channel.Worker{{Name: "w"}},
					},
				},
				{
					Number: 8, PID: 101, Born: at, Ready: at.UnixNano(), Spent: true, Told: 5,
					Channel: &channel.Suspended{FD: 11},
				},
				{Number: 9, ID: 1, PID: 102, Born: at, Ended: &master.Status{Code: -1, Signal: "9 (killed)"}},
			},
			Sockets: []master.SavedSocket{
				{FD: 12, Number: 1, Address: outer, ID: 1, Users: []int{7, 8}},
				{FD: 13, Number: 2, Path: "/run/s", Address: channel.Address{Worker: "i"}, ID: -1, Released: []int{0}},
			},
			Exits: []master.ExitCount{{Worker: "w", Status: master.Status{Code: 3}, Count: 2}},
		},
	}
}

// TestStateGolden reads version 1 as it was written when that was new, and writes it so.
func TestStateGolden(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", "state-1.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := goldenState()
	got, err := parseMaster(golden, want.PID)
	if err != nil {
		t.Fatal(err)
	}
	got.Answer = want.Answer // it is indented there
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read: %+v\nwant: %+v", got, want)
	}
	text, err := json.MarshalIndent(want, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if text = append(text, '\n'); !bytes.Equal(text, golden) {
		t.Errorf("written:\n%s", text)
	}
}

// TestStateDescriptors has every descriptor of a state stay open across exec.
func TestStateDescriptors(t *testing.T) {
	all := goldenState().descriptors()
	slices.Sort(all)
	if want := []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 256}; !slices.Equal(all, want) {
		t.Errorf("%v, want %v", all, want)
	}
}

// TestStateRefused has states that are no state of this master's, or of a later Lineman.
func TestStateRefused(t *testing.T) {
	for text, words := range map[string]string{
		``:                            "the state of the master: unexpected end",
		`[]`:                          "the state of the master: json",
		`{}`:                          "has version 0, and this program reads up to 1: restart",
		`{"version":-1,"pid":1}`:      "has version -1",
		`{"version":2,"pid":1,"x":3}`: "has version 2, and this program reads up to 1: restart",
		`{"version":2,"pid":"new"}`:   "has version 2",
		`{"version":1,"pid":2}`:       "is that of the master 2, and this one is 1",
		`{"version":1,"pid":"1"}`:     "the state of the master: json",
	} {
		if s, err := parseMaster([]byte(text), 1); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %+v, %v; want %q", text, s, err, words)
		}
	}
	if _, err := parseMaster([]byte(`{"version":1,"pid":1,"of_tomorrow":[]}`), 1); err != nil {
		t.Errorf("a field that is new: %v", err)
	}
}

// TestStateFits has a program be one that the master can become, or not, and say why.
func TestStateFits(t *testing.T) {
	program := func() *Program {
		return &Program{
			Instance: goldenState().Instance,
			Workers: func() ([]master.Worker, error) {
				return []master.Worker{{Worker: channel.Worker{Name: "w", Count: 2}}}, nil
			},
		}
	}
	if err := goldenState().fits(program()); err != nil {
		t.Error(err)
	}
	for words, spoil := range map[string]func(*Program){
		"a wrong setting": func(p *Program) { p.Err = errors.New("a wrong setting") },
		"a wrong worker": func(p *Program) {
			p.Workers = func() ([]master.Worker, error) { return nil, errors.New("a wrong worker") }
		},
		"the program has 0 processes now, and had 2": func(p *Program) {
			p.Workers = func() ([]master.Worker, error) { return nil, nil }
		},
		"the name is q now, and was p: that needs a restart":        func(p *Program) { p.Name = "q" },
		"the pid file is /q now, and was /run/p.pid: that needs":    func(p *Program) { p.PIDFile = "/q" },
		"the control socket is /q now, and was /run/p.sock: that":   func(p *Program) { p.Socket = "/q" },
		"the log is /q.log now, and was /var/log/p.log: that needs": otherLog,
	} {
		p := program()
		spoil(p)
		if err := goldenState().fits(p); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q", err, words)
		}
	}
	bare := goldenState()
	bare.Files = nil
	p := program()
	otherLog(p)
	if err := bare.fits(p); err != nil {
		t.Errorf("a master without files: %v", err)
	}
}

func otherLog(p *Program) { p.LogFile = "/q.log" }

// FuzzParseMaster reads anything. What it takes says the same when it is written and read again.
func FuzzParseMaster(f *testing.F) {
	golden, err := json.Marshal(goldenState())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add([]byte(`{"version":1,"pid":4711,"supervisor":{"processes":[{"channel":{"unread":"e30="}}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseMaster(text, 4711)
		if err != nil {
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = parseMaster(again, 4711); err != nil {
			t.Fatal(err)
		}
		if third, err := json.Marshal(s); err != nil || !bytes.Equal(third, again) {
			t.Errorf("%s\nis written again as\n%s, %v", again, third, err)
		}
	})
}
