//go:build unix

package lineman

import (
	"encoding/json"
	"time"

	"github.com/lineman-go/lineman/internal/master"
	"github.com/lineman-go/lineman/internal/program"
)

// StatusOf is the status of a program, as its master tells it.
func (m *Master) StatusOf(s master.Snapshot, began time.Time, reloads int) *Status {
	return m.statusOf(program.State{Snapshot: s, Began: began, Reloads: reloads})
}

// ConnsOf are connections of a process, as its master tells them.
func ConnsOf(worker string, id, pid int, page json.RawMessage) ([]ConnStatus, error) {
	return connsOf(worker, id, pid, page)
}

// ReloadReportOf is what a reload has done, as programs are told it.
func ReloadReportOf(did *master.Report, isDryRun bool) *ReloadReport {
	return reloadReport(did, isDryRun)
}

// StatusOfLoop is what a loop tells of itself with each heartbeat.
func StatusOfLoop(l *Loop) ProcessStatus {
	s := l.status()
	s.Report = l.report()
	return s
}
