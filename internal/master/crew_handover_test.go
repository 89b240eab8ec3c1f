//go:build unix

package master

import (
	"errors"
	"io"
	"os"

	"github.com/lineman-go/lineman/internal/channel"
)

// A handover of the crew is as small as one can be: the successor says ready, the predecessor gives up by yours. A
// stream that ends without a word is the death of who was at its other end.
const (
	ready = "r"
	yours = "y"
)

var errDied = errors.New("the other process of the handover has died")

// hand gives up what a mate does not have.
func (m *mate) hand(r *channel.Request) {
	end := os.NewFile(uintptr(r.Files[0]), "handover")
	defer end.Close()
	if !hears(end, ready) {
		r.Answer(nil, errDied)
		return
	}
	_, _ = io.WriteString(end, yours) // if it has died, that is its own loss
	r.Answer(channel.Handed{Crossed: 1}, nil)
}

// succeed listens, and takes that over.
func (m *mate) succeed(r *channel.Request) {
	end := os.NewFile(uintptr(r.Files[0]), "handover")
	defer end.Close()
	if err := m.listen(); err != nil {
		r.Answer(nil, err)
		return
	}
	if _, err := io.WriteString(end, ready); err != nil {
		r.Answer(nil, errDied)
		return
	}
	_ = hears(end, yours) // or it has died, and this one has what there is
	r.Answer(channel.Started{Kept: 1}, nil)
}

func hears(end *os.File, word string) bool {
	got := make([]byte, len(word))
	_, err := io.ReadFull(end, got)
	return err == nil && string(got) == word
}
