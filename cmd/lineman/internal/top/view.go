// Package top shows what the processes of a push server do, live, for a terminal.
package top

import (
	"encoding/json"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
)

// View is what is shown of a moment.
type View struct {
	Name      string          `json:"name"`
	At        time.Time       `json:"at"`
	Started   time.Time       `json:"started"`
	Load      []float64       `json:"load,omitempty"`
	All       figures.Figures `json:"all"` // of all processes together
	Processes []Process       `json:"processes"`
}

// Process is one of them.
type Process struct {
	PID    int              `json:"pid"` // 0: there is none at the moment
	ID     int              `json:"id"`
	State  string           `json:"state"`
	Memory int64            `json:"memory"`
	Now    *figures.Figures `json:"figures"` // null: it has not told any
}

// NewView makes one of what the master says.
func NewView(s *lineman.Status, at time.Time) *View {
	v := &View{Name: s.Name, At: at, Started: s.Started, Load: s.Load}
	v.All.Broker.Linked = true
	for i := range s.Processes {
		of := &s.Processes[i]
		p := Process{PID: of.PID, ID: of.ID, State: of.State, Memory: of.Memory}
		var now figures.Figures
		if err := json.Unmarshal(of.Report, &now); err == nil && now.At > 0 {
			p.Now = &now
			v.All.Add(&now)
		}
		v.Processes = append(v.Processes, p)
	}
	return v
}
