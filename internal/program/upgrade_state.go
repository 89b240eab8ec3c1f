//go:build unix

package program

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/lineman-go/lineman/internal/master"
)

// stateVersion is of savedMaster. A program reads its own version, and those before. Version 2 has who holds signals,
// and ages: programs that knew version 1 passed over what they did not know. From version 2 on a field that came later
// than the program is refused.
const stateVersion = 2

// StateVersion is the version of a master's state that this program reads; 0 where a process cannot become another
// program.
func StateVersion() int {
	if !master.CanBecome {
		return 0
	}
	return stateVersion
}

// savedMaster is a master at rest: what the program that its process becomes needs to go on. Descriptors are numbers.
type savedMaster struct {
	Version    int                 `json:"version"`
	PID        int                 `json:"pid"`
	Instance   Instance            `json:"instance"`
	Path       string              `json:"path"` // where a reload finds the program
	Daemon     bool                `json:"daemon"`
	HangsUp    bool                `json:"hangs_up"`
	Began      time.Time           `json:"began"`
	Reloads    int                 `json:"reloads"`
	Files      *savedFiles         `json:"files,omitempty"`      // nil: it has none, and takes no commands
	Activated  []int               `json:"activated,omitempty"`  // of the service manager, not used yet
	Asker      *int                `json:"asker,omitempty"`      // the connection of who waits for the answer
	Answer     json.RawMessage     `json:"answer,omitempty"`     // the last line for it
	Holder     *master.SavedHolder `json:"holder,omitempty"`     // who holds the signals that come meanwhile
	Supervisor *master.Saved       `json:"supervisor,omitempty"` // nil: it is at work, and asks whether it could rest
}

// savedFiles are the descriptors of an instance's files.
type savedFiles struct {
	PIDFile int `json:"pid_file"`
	Log     int `json:"log"`
	Control int `json:"control"`
}

// parseMaster reads the state of a master, which is of the process with this pid.
func parseMaster(text []byte, pid int) (*savedMaster, error) {
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("lineman: the state of the master: %w", err)
	}
	if v.Version < 1 || v.Version > stateVersion {
		return nil, fmt.Errorf("lineman: the state of the master has version %d, and this program reads up to %d: "+
			"restart", v.Version, stateVersion)
	}
	s := &savedMaster{}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields() // nothing is lost that a later program needs
	if err := strict.Decode(s); err != nil {
		return nil, fmt.Errorf("lineman: the state of the master: %w: restart", err)
	}
	if s.PID != pid {
		return nil, fmt.Errorf("lineman: the state is that of the master %d, and this one is %d", s.PID, pid)
	}
	return s, nil
}

// descriptors have to stay open across exec.
func (s *savedMaster) descriptors() []int {
	all := append(s.Supervisor.Files(), s.Activated...)
	if s.Files != nil {
		all = append(all, s.Files.PIDFile, s.Files.Log, s.Files.Control)
	}
	if s.Asker != nil {
		all = append(all, *s.Asker)
	}
	if s.Holder != nil {
		all = append(all, s.Holder.FD)
	}
	return all
}

// fits tells whether a master of this program can go on: with the same files, and a configuration that is right.
func (s *savedMaster) fits(p *Program) error {
	if p.Err != nil {
		return p.Err
	}
	for _, f := range []struct{ what, is, was string }{
		{"name", p.Name, s.Instance.Name}, {"pid file", p.PIDFile, s.Instance.PIDFile},
		{"control socket", p.Socket, s.Instance.Socket}, {"log", p.LogFile, s.Instance.LogFile},
	} {
		if s.Files != nil && f.is != f.was {
			return fmt.Errorf("lineman: the %s is %s now, and was %s: that needs a restart", f.what, f.is, f.was)
		}
	}
	workers, err := p.Workers()
	if err != nil {
		return err
	}
	if s.Supervisor == nil {
		return nil
	}
	return s.Supervisor.Fits(workers)
}

// CheckState tells whether a master of this program could go on from a sealed state, which is that of the process that
// has started this one. It closes the file.
func (p *Program) CheckState(f *os.File) error {
	defer f.Close()
	text, err := master.Unseal(f)
	if err != nil {
		return err
	}
	s, err := parseMaster(text, os.Getppid())
	if err != nil {
		return err
	}
	return s.fits(p)
}
