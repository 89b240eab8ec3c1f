//go:build unix

package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/internal/master"
)

// goldenState is a state with all that one can have in a version, as it was written when that was new: of the process
// 4711.
func goldenState(t testing.TB, version int) (s *savedMaster, text []byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("state-%d.json", version)))
	if err != nil {
		t.Fatal(err)
	}
	if s, err = parseMaster(text, 4711); err != nil {
		t.Fatal(err)
	}
	return s, text
}

// TestStateGolden reads what was written when each version was new, and writes all of it as it was. A version that
// writes more has another number, and a file of its own.
func TestStateGolden(t *testing.T) {
	for version := 1; version <= stateVersion; version++ {
		s, golden := goldenState(t, version)
		text, err := json.MarshalIndent(s, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if text = append(text, '\n'); !bytes.Equal(text, golden) {
			t.Errorf("written:\n%s", text)
		}
	}
}

// TestStateDescriptors has every descriptor of a state stay open across exec.
func TestStateDescriptors(t *testing.T) {
	s, _ := goldenState(t, 2)
	all := s.descriptors()
	slices.Sort(all)
	if want := []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 256, 300}; !slices.Equal(all, want) {
		t.Errorf("%v, want %v", all, want)
	}
}

// TestStateRefused has states that are no state of this master's, or of a later Lineman.
func TestStateRefused(t *testing.T) {
	for text, words := range map[string]string{
		``:                            "the state of the master: unexpected end",
		`[]`:                          "the state of the master: json",
		`{}`:                          "has version 0, and this program reads up to 2: restart",
		`{"version":-1,"pid":1}`:      "has version -1",
		`{"version":3,"pid":1,"x":3}`: "has version 3, and this program reads up to 2: restart",
		`{"version":3,"pid":"new"}`:   "has version 3",
		`{"version":2,"pid":1,"x":3}`: `unknown field "x": restart`,
		`{"version":1,"pid":2}`:       "is that of the master 2, and this one is 1",
		`{"version":1,"pid":"1"}`:     "the state of the master: json",
	} {
		if s, err := parseMaster([]byte(text), 1); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %+v, %v; want %q", text, s, err, words)
		}
	}
}

// TestStateFits has a program be one that the master can become, or not, and say why.
func TestStateFits(t *testing.T) {
	s, _ := goldenState(t, stateVersion)
	workers := make([]master.Worker, 1)
	workers[0].Count = 2
	program := func() *Program {
		return &Program{
			Instance: s.Instance,
			Workers:  func() ([]master.Worker, error) { return workers, nil },
		}
	}
	if err := s.fits(program()); err != nil {
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
		if err := s.fits(p); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q", err, words)
		}
	}
	s.Files = nil
	p := program()
	otherLog(p)
	if err := s.fits(p); err != nil {
		t.Errorf("a master without files: %v", err)
	}
}

func otherLog(p *Program) { p.LogFile = "/q.log" }

// FuzzParseMaster reads anything. What it takes says the same when it is written and read again.
func FuzzParseMaster(f *testing.F) {
	_, golden := goldenState(f, stateVersion)
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
