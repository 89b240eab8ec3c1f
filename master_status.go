package lineman

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/lineman-go/lineman/internal/program"
)

// Status is how a running program is.
type Status struct {
	Name      string          `json:"name"`
	Version   string          `json:"version"`
	PID       int             `json:"pid"`
	Started   time.Time       `json:"started"`
	Load      []float64       `json:"load,omitempty"` // the machine's, over 1, 5 and 15 minutes, where it tells
	Reloads   int             `json:"reloads"`
	Workers   int             `json:"workers"`
	Processes []ProcessStatus `json:"processes"`
	Exits     []ExitStatus    `json:"exits"`
}

// ProcessStatus is one worker process, or the place of one that waits to be started again.
type ProcessStatus struct {
	Worker    string           `json:"worker"`
	ID        int              `json:"id"`
	PID       int              `json:"pid"`              // 0: there is none at the moment
	State     string           `json:"state"`            // idle, busy, starting, leaving, waiting
	Busy      float64          `json:"busy"`             // seconds that its loop has not come round
	Callback  string           `json:"callback"`         // that the loop is in; empty if that is not known
	Started   time.Time        `json:"started"`          //
	Memory    int64            `json:"memory"`           // resident, bytes; 0 where the system does not tell
	Listeners []ListenerStatus `json:"listeners"`        // with those of Loop.Listen
	Conns     int              `json:"connections"`      // open now, outgoing ones too
	Outgoing  int              `json:"outgoing"`         // those of them that were dialed
	Relays    int              `json:"relays,omitempty"` // those of them that its successor serves
	Accepted  uint64           `json:"accepted"`         // ever
	Requests  uint64           `json:"requests"`         // messages and requests handled
	Sent      uint64           `json:"sent"`             // messages that connections accepted
	BytesIn   uint64           `json:"bytes_in"`         // read
	BytesOut  uint64           `json:"bytes_out"`        // written
	Rate      float64          `json:"requests_per_sec"` // in the last second or so, as the next three
	RateOut   float64          `json:"sent_per_sec"`
	ReadRate  float64          `json:"bytes_in_per_sec"`
	WriteRate float64          `json:"bytes_out_per_sec"`
	Refused   uint64           `json:"refused"` // messages that Send refused with ErrFull
	Panics    uint64           `json:"panics"`
	Slow      uint64           `json:"slow"` // callbacks that took longer than 100 ms
	Timers    int              `json:"timers"`
	Loops     []LoopStatus     `json:"loops,omitempty"` // where there are several: all else is their sum

	// Report is what the application says of itself: see Worker.Report.
	Report json.RawMessage `json:"report,omitempty"`
}

// LoopStatus is one of several loops of a process.
type LoopStatus struct {
	Index    int     `json:"index"`
	Busy     float64 `json:"busy"`     // seconds that it has not come round
	Callback string  `json:"callback"` // that it is in then
	Conns    int     `json:"connections"`
	Accepted uint64  `json:"accepted"`
	Requests uint64  `json:"requests"`
}

// ListenerStatus is one open listener.
type ListenerStatus struct {
	Worker string `json:"worker"`
	Addr   string `json:"addr"`
	Conns  int    `json:"connections"`
}

// ExitStatus is how often processes of a worker have ended in one way.
type ExitStatus struct {
	Worker string `json:"worker"`
	Code   int    `json:"code"`   // -1 if a signal ended them
	Signal string `json:"signal"` // such as "9 (killed)"; empty if none did
	Count  int    `json:"count"`
}

// ConnStatus is one connection of a process.
type ConnStatus struct {
	PID      int    `json:"pid"`
	Process  string `json:"process"` // worker and id
	ID       uint64 `json:"id"`
	Loop     int    `json:"loop,omitempty"` // its number among several loops of the process
	Worker   string `json:"worker"`
	Protocol string `json:"protocol"`
	TLS      bool   `json:"tls"`
	Dialed   bool   `json:"dialed"`
	State    string `json:"state"`
	Unread   int    `json:"unread"`  // bytes of a message that has not come whole
	Pending  int    `json:"pending"` // bytes that the kernel has not taken
	BytesIn  uint64 `json:"bytes_in"`
	BytesOut uint64 `json:"bytes_out"`
	Local    string `json:"local"`
	Remote   string `json:"remote"`
}

// String is the status as a table.
func (s *Status) String() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s   %s   %s/%s\n", s.Name, s.Version, runtime.GOOS, runtime.GOARCH)
	up := program.Duration(time.Since(s.Started))
	fmt.Fprintf(&b, "master %d   started %s   up %s", s.PID, s.Started.Format(time.DateTime), up)
	if len(s.Load) == 3 {
		fmt.Fprintf(&b, "   load %.2f %.2f %.2f", s.Load[0], s.Load[1], s.Load[2])
	}
	fmt.Fprintf(&b, "\n%s   %s   %s\n\n", program.Count(s.Workers, "worker", "workers"),
		program.Count(len(s.Processes), "process", "processes"), program.Count(s.Reloads, "reload", "reloads"))
	s.writeProcesses(&b)
	if len(s.Exits) > 0 {
		b.WriteByte('\n')
		t := program.NewTable(&b)
		t.Row("worker", "ended with", "times")
		for _, e := range s.Exits {
			t.Row(e.Worker, exitText(e.Code, e.Signal), e.Count)
		}
		t.End()
	}
	return b.String()
}

func exitText(code int, signal string) string {
	if signal != "" {
		return "signal " + signal
	}
	return fmt.Sprintf("exit code %d", code)
}

func (s *Status) writeProcesses(w io.Writer) {
	t := program.NewTable(w)
	t.Row("pid", "memory", "listening", "name", "id", "connections", "refused", "timers", "requests", "qps", "out/s",
		"read/s", "written/s", "status")
	sum := ProcessStatus{}
	for _, p := range s.Processes {
		pid, listening := "-", "-"
		if p.PID != 0 {
			pid = fmt.Sprint(p.PID)
		}
		if len(p.Listeners) > 0 {
			listening = p.Listeners[0].Addr
		}
		cells := []any{pid, program.Size(p.Memory), listening, p.Worker, p.ID}
		t.Row(append(append(cells, p.counts()...), p.state())...)
		for _, l := range p.Loops {
			state := "[idle]"
			if l.Busy > 0 {
				state = (&ProcessStatus{State: "busy", Busy: l.Busy, Callback: l.Callback}).state()
			}
			t.Row("", "", "", fmt.Sprintf("  loop %d", l.Index), "", l.Conns, "", "", l.Requests, "", "", "", "", state)
		}
		for _, l := range p.Listeners[min(1, len(p.Listeners)):] {
			t.Row("", "", l.Addr, "+ "+l.Worker, "", l.Conns, "", "", "", "", "", "", "", "")
		}
		sum.Memory += p.Memory
		sum.Conns += p.Conns
		sum.Refused += p.Refused
		sum.Timers += p.Timers
		sum.Requests += p.Requests
		sum.Rate += p.Rate
		sum.RateOut += p.RateOut
		sum.ReadRate += p.ReadRate
		sum.WriteRate += p.WriteRate
	}
	t.Row(append(append([]any{"sum", program.Size(sum.Memory), "-", "-", "-"}, sum.counts()...), "")...)
	t.End()
}

// counts are the columns of a table from the connections on, without the state.
func (p *ProcessStatus) counts() []any {
	return []any{
		p.Conns, p.Refused, p.Timers, p.Requests, fmt.Sprintf("%.0f", p.Rate), fmt.Sprintf("%.0f", p.RateOut),
		program.Size(int64(p.ReadRate)), program.Size(int64(p.WriteRate)),
	}
}

func (p *ProcessStatus) state() string {
	if p.State == "leaving" && p.Conns > 0 {
		return "[leaving] " + p.staysFor()
	}
	if p.State != "busy" {
		return "[" + p.State + "]"
	}
	d := time.Duration(p.Busy * float64(time.Second))
	if p.Callback == "" {
		return "[busy] " + program.Duration(d) // it starts
	}
	return fmt.Sprintf("[busy] %s in %s", program.Duration(d), p.Callback)
}

// staysFor is why a process that leaves is there still.
func (p *ProcessStatus) staysFor() string {
	if p.Relays == 0 {
		return fmt.Sprintf("%s connections drain", grouped(p.Conns))
	}
	return fmt.Sprintf("%s connections drain, %s are relayed", grouped(p.Conns-p.Relays), grouped(p.Relays))
}

// PrintStatus writes the status. Its errors are those of Status and of w.
func (m *Master) PrintStatus(w io.Writer, f Format) error {
	return m.writeStatus(w, f, (*Status).String)
}

// WatchStatus writes the status each second until the program ends or w fails; a table clears the terminal first.
func (m *Master) WatchStatus(w io.Writer, f Format) error {
	for {
		err := m.writeStatus(w, f, func(s *Status) string {
			return "\x1b[H\x1b[2J" + s.String() + "\nCtrl+C ends this view.\n"
		})
		if err != nil {
			return err
		}
		time.Sleep(watchEvery)
	}
}

// watchEvery is how often a watched status is written.
const watchEvery = time.Second

func (m *Master) writeStatus(w io.Writer, f Format, table func(*Status) string) error {
	s, err := m.Status()
	if err != nil {
		return err
	}
	if f == AsJSON {
		return json.NewEncoder(w).Encode(s)
	}
	_, err = io.WriteString(w, table(s))
	return err
}

// PrintConnections writes the connections. Its errors are those of Connections and of w.
func (m *Master) PrintConnections(w io.Writer, f Format) error {
	if f == AsJSON {
		out := json.NewEncoder(w)
		return m.Connections(func(page []ConnStatus) error {
			for i := range page {
				if err := out.Encode(&page[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	t := program.NewTable(w)
	t.Row("pid", "process", "id", "worker", "protocol", "tls", "recv-q", "send-q", "bytes-in", "bytes-out", "state",
		"local", "", "remote")
	answered := false
	err := m.Connections(func(page []ConnStatus) error {
		answered = true
		for _, c := range page {
			secure, arrow := "-", "<-"
			if c.TLS {
				secure = "tls"
			}
			if c.Dialed {
				arrow = "->"
			}
			t.Row(c.PID, c.Process, c.ID, c.Worker, c.Protocol, secure,
				program.Size(c.Unread), program.Size(c.Pending), program.Size(c.BytesIn), program.Size(c.BytesOut),
				c.State, c.Local, arrow, c.Remote)
		}
		return nil
	})
	if err == nil || answered {
		t.End()
	}
	return err
}
