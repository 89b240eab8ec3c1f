package lineman

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lineman-go/lineman/internal/program"
)

// ReloadOptions say how a reload is to go. The zero value is that of the command reload.
type ReloadOptions struct {
	Ending Ending // of connections that are not handed over
	Drain  bool   // none is handed over: they end as the Ending says
	DryRun bool   // nothing is replaced: the report, or the error, tells what a reload would do
}

// ReloadReport is what a reload has done.
type ReloadReport struct {
	DryRun bool `json:"dry_run"` // it is what a reload would do, without numbers of connections

	Kept    int            `json:"kept"`              // connections that were handed over
	Drained int            `json:"drained"`           // those that stayed in processes which hand over
	Reasons map[string]int `json:"reasons,omitempty"` // why, and how many for each reason

	// How long connections that were kept were not served, in seconds: half of them no longer than the first, 99 % no
	// longer than the second, all no longer than the third.
	PauseP50 float64 `json:"pause_p50"`
	PauseP99 float64 `json:"pause_p99"`
	PauseMax float64 `json:"pause_max"`

	OldVersion string            `json:"old_version"` // of the program, as it was built; of several, with commas
	NewVersion string            `json:"new_version"`
	Processes  []ReloadedProcess `json:"processes"`
	Rest       []string          `json:"rest,omitempty"` // processes that stay, because of NoReload: worker/id
}

// ReloadedProcess is a process that was replaced by another one.
type ReloadedProcess struct {
	Worker  string `json:"worker"`
	ID      int    `json:"id"`
	Drains  string `json:"drains,omitempty"` // why nothing was handed over, and all drain; empty if it was
	Kept    int    `json:"kept"`
	Drained int    `json:"drained"`        // of one that hands over
	Died    bool   `json:"died,omitempty"` // while it handed over: what had not crossed has ended with it
}

// pauses are how long connections waited, each time with how many.
type pauses []pause

type pause struct {
	conns int
	time  time.Duration
}

// quantile is the time in which so much of a hundred connections went on, in seconds.
func (all pauses) quantile(percent int) float64 {
	slices.SortFunc(all, func(a, b pause) int { return cmp.Compare(a.time, b.time) })
	sum := 0
	for _, p := range all {
		sum += p.conns
	}
	seen := 0
	for _, p := range all {
		if seen += p.conns; seen*100 >= sum*percent && p.conns > 0 {
			return p.time.Seconds()
		}
	}
	return 0
}

// String is the report in one line, without its end.
func (r *ReloadReport) String() string {
	parts := []string{r.connections()}
	if r.Kept > 0 {
		parts = append(parts, fmt.Sprintf("pause p50 %s, p99 %s, max %s",
			milliseconds(r.PauseP50), milliseconds(r.PauseP99), milliseconds(r.PauseMax)))
	}
	parts = append(parts, r.exceptions()...)
	switch {
	case r.OldVersion == "" || r.OldVersion == r.NewVersion:
		parts = append(parts, "program "+r.NewVersion)
	default:
		parts = append(parts, fmt.Sprintf("program %s → %s", r.OldVersion, r.NewVersion))
	}
	if r.DryRun {
		return "nothing was replaced; a reload would do: " + strings.Join(parts, "; ")
	}
	return "reloaded: " + strings.Join(parts, "; ")
}

// connections says what became of the connections of processes that hand over, or would become.
func (r *ReloadReport) connections() string {
	handing := 0
	for _, p := range r.Processes {
		if p.Drains == "" {
			handing++
		}
	}
	replaced := program.Count(len(r.Processes), "process", "processes") + " replaced"
	switch {
	case handing == 0:
		return replaced + ", no connection handed over"
	case r.DryRun && handing == len(r.Processes):
		return replaced + ", all connections handed over"
	case r.DryRun:
		return fmt.Sprintf("%s, connections of %d handed over", replaced, handing)
	}
	text := fmt.Sprintf("%s connections kept, %s drained", grouped(r.Kept), grouped(r.Drained))
	if len(r.Reasons) == 0 {
		return text
	}
	var why []string
	for _, reason := range slices.SortedFunc(maps.Keys(r.Reasons), func(a, b string) int {
		return cmp.Or(r.Reasons[b]-r.Reasons[a], cmp.Compare(a, b))
	}) {
		why = append(why, fmt.Sprintf("%s: %s", reason, grouped(r.Reasons[reason])))
	}
	return fmt.Sprintf("%s (%s)", text, strings.Join(why, ", "))
}

// exceptions says which processes hand nothing over and why, which died, and which stay.
func (r *ReloadReport) exceptions() (all []string) {
	drains, order := make(map[string][]string), []string(nil)
	var died []string
	for _, p := range r.Processes {
		name := fmt.Sprintf("%s/%d", p.Worker, p.ID)
		if p.Drains != "" {
			if drains[p.Drains] == nil {
				order = append(order, p.Drains)
			}
			drains[p.Drains] = append(drains[p.Drains], name)
		}
		if p.Died {
			died = append(died, name)
		}
	}
	for _, why := range order {
		all = append(all, fmt.Sprintf("%s drain: %s", strings.Join(drains[why], ", "), why))
	}
	if died != nil {
		all = append(all, strings.Join(died, ", ")+" died meanwhile: what had not crossed has ended")
	}
	if len(r.Rest) > 0 {
		all = append(all, strings.Join(r.Rest, ", ")+" stay")
	}
	return all
}

// grouped is a number with a comma before each three digits.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// milliseconds is a time in seconds, for people.
func milliseconds(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d >= 10*time.Second:
		return program.Duration(d)
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	}
	return fmt.Sprintf("%.1f ms", seconds*1000)
}

// PrintReload reloads the running program, and writes what that did: a line for people or, AsJSON, the report, also of
// a reload that has failed half way. Then it returns the error, too.
func (m *Master) PrintReload(w io.Writer, o ReloadOptions, f Format) error {
	r, err := m.ReloadWith(o)
	var failed error
	switch {
	case r == nil || err != nil && len(r.Processes) == 0:
	case f == AsJSON:
		failed = json.NewEncoder(w).Encode(r)
	case err == nil:
		_, failed = fmt.Fprintln(w, r)
	}
	return cmp.Or(err, failed)
}
