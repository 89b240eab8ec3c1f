//go:build unix

package program

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/internal/master"
	"github.com/lineman-go/lineman/internal/processtest"
)

// instance is one that nobody runs, with a socket that is not too long.
func instance(t *testing.T) Instance {
	t.Helper()
	dir := t.TempDir()
	return Instance{
		Name: "a", Socket: processtest.SocketFile(t),
		PIDFile: filepath.Join(dir, "a.pid"), LogFile: filepath.Join(dir, "a.log"),
	}
}

// answering is an instance whose control socket answers with these lines; it notes what was asked.
func answering(t *testing.T, lines ...any) (i Instance, asked *order) {
	t.Helper()
	i, asked = instance(t), &order{}
	c, err := ListenControl(i.Socket, func(_ context.Context, request json.RawMessage, answer func(any) error) {
		if err := json.Unmarshal(request, asked); err != nil {
			t.Error(err)
		}
		for _, line := range lines {
			_ = answer(line) // the command has heard enough
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return i, asked
}

// TestNobodyRuns has each command say that there is nobody to ask.
func TestNobodyRuns(t *testing.T) {
	i := instance(t)
	for name, command := range map[string]func() error{
		"stop":        func() error { _, err := i.Stop(master.Prompt); return err },
		"reload":      func() error { _, err := i.Reload(master.Manner{Patient: true}); return err },
		"status":      func() error { return i.Status(new(any)) },
		"connections": func() error { return i.Connections(func(json.RawMessage) error { return nil }) },
	} {
		if err := command(); !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if pid, err := i.pid(); pid != 0 || err != nil {
		t.Errorf("%d, %v", pid, err)
	}
	if err := i.CheckFiles(); err != nil {
		t.Error(err)
	}
}

// TestDeafProgram has a program that runs and does not listen be named by its pid.
func TestDeafProgram(t *testing.T) {
	i := instance(t)
	claim(t, i.PIDFile)
	err := i.Status(new(any))
	if err == nil || errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "kill -9") {
		t.Error(err)
	}
	if pid, err := i.pid(); pid != os.Getpid() || err != nil {
		t.Errorf("%d, %v", pid, err)
	}
}

func TestStatusAnswered(t *testing.T) {
	i, asked := answering(t, reply{PID: 1, Status: json.RawMessage(`{"name":"a"}`)})
	var got struct{ Name string }
	if err := i.Status(&got); err != nil || got.Name != "a" || asked.Command != "status" {
		t.Errorf("%+v, %v, asked %+v", got, err, *asked)
	}
	if pid, err := i.pid(); pid != 1 || err != nil {
		t.Errorf("without a pid file: %d, %v", pid, err)
	}
}

// TestConnectionsAnswered gives page for page, and ends with the error of who gets them.
func TestConnectionsAnswered(t *testing.T) {
	i, _ := answering(t, reply{Conns: json.RawMessage(`[1]`)}, reply{Conns: json.RawMessage(`[2,3]`)}, reply{PID: 1})
	var got []string
	err := i.Connections(func(page json.RawMessage) error {
		got = append(got, string(page))
		return nil
	})
	if err != nil || strings.Join(got, " ") != "[1] [2,3]" {
		t.Errorf("%q, %v", got, err)
	}
	enough := errors.New("enough")
	if err := i.Connections(func(json.RawMessage) error { return enough }); err != enough {
		t.Error(err)
	}
}

// TestEndings asks for the ending that was meant.
func TestEndings(t *testing.T) {
	for _, u := range []master.Urgency{master.Prompt, master.Patient} {
		if o := newOrder("stop", u); o.ending() != u || o.Command != "stop" {
			t.Errorf("%+v", o)
		}
	}
}

// TestReloadAsked asks for the reload that was meant, or for none, and has the report, be it with an error. A program
// that is older than reports gives none.
func TestReloadAsked(t *testing.T) {
	did := &master.Report{Slots: []master.Succession{{Worker: "w"}}}
	did.Slots[0].Kept = 3
	for command, ask := range map[string]func(Instance, master.Manner) (*master.Report, error){
		"reload": Instance.Reload, "check": Instance.Check,
	} {
		for _, how := range []master.Manner{{}, {Patient: true}, {Drain: true}} {
			i, asked := answering(t, reply{PID: 1, Report: did})
			got, err := ask(i, how)
			if err != nil || got == nil || got.Kept() != 3 || asked.manner() != how || asked.Command != command ||
				asked.Program == "" {
				t.Errorf("%+v, %v, asked %+v", got, err, *asked)
			}
		}
		i, _ := answering(t, reply{PID: 1, Report: did, Error: "half way", Code: ExitFailed})
		if got, err := ask(i, master.Manner{}); err == nil || got == nil || got.Kept() != 3 {
			t.Errorf("with an error: %+v, %v", got, err)
		}
		i, _ = answering(t, reply{PID: 1})
		if got, err := ask(i, master.Manner{}); err != nil || got != nil {
			t.Errorf("without a report: %+v, %v", got, err)
		}
	}
}

// TestRefusal has the error of the running program be that of the command, with its kind.
func TestRefusal(t *testing.T) {
	i, _ := answering(t, reply{PID: 1, Error: "wrong usage: no such command", Code: ExitUsage})
	if _, err := i.Reload(master.Manner{}); !errors.Is(err, ErrUsage) || err.Error() != "wrong usage: no such command" {
		t.Error(err)
	}
	half, _ := answering(t, reply{Conns: json.RawMessage(`[1]`)})
	err := half.Connections(func(json.RawMessage) error { return nil })
	if err == nil || !strings.HasPrefix(err.Error(), "lineman: the running program did not answer") {
		t.Error(err)
	}
}

// TestAnswerUnknown refuses what a later Lineman may ask, and what is no order.
func TestAnswerUnknown(t *testing.T) {
	for request, want := range map[string]int{`{"command":"destroy"}`: ExitUsage, `[1]`: ExitFailed} {
		r, said := &running{Program: &Program{}, daemon: true}, reply{}
		r.answer(t.Context(), json.RawMessage(request), func(v any) error {
			said = v.(reply)
			return nil
		})
		if said.Code != want || said.Error == "" || said.PID != os.Getpid() || !said.Daemon {
			t.Errorf("%s: %+v, want code %d", request, said, want)
		}
	}
}
