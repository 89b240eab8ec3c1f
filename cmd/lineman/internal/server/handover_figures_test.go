package server

import (
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
)

// TestFiguresCross has the numbers of what the dashboard keeps never change, and the last hour cross by its own.
func TestFiguresCross(t *testing.T) {
	if stateSessions != 14 || stateEnded != 15 || stateFigures != 16 {
		t.Errorf("the numbers are %d, %d and %d", stateSessions, stateEnded, stateFigures)
	}
	s := &Server{figuring: newFiguring()}
	past := figures.NewRecorder().AppendState(nil)
	if err := s.restoreState(append([]byte{stateVersion, stateFigures, byte(len(past))}, past...)); err != nil {
		t.Error(err)
	}
	if err := s.restoreState([]byte{stateVersion, stateFigures, 1, 2}); err == nil {
		t.Error("figures of a later version are taken")
	}
}
