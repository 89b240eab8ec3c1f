package frame_test

import (
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/frame"
)

// TestState has a codec that knows nothing go on all the same, and refuse what is none of its states.
func TestState(t *testing.T) {
	linemantest.TestState(t, frame.Protocol{},
		linemantest.StateVector{Name: "half a header", Before: "\x00\x00", After: "\x00\x05a", Messages: []string{"a"}},
		linemantest.StateVector{Name: "half a frame", Before: "\x00\x00\x00\x06a", After: "b",
			Messages: []string{"ab"}})
	if (frame.Protocol{}).NewCodec(9).(protocol.Movable).RestoreState([]byte{0}) == nil {
		t.Error("a state is taken that is none")
	}
}
