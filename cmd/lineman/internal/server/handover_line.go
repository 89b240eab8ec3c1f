package server

import (
	"crypto/sha256"
	"errors"

	"github.com/lineman-go/lineman/push/command"
)

// What a connection to the port for lines is as bytes, when it crosses to the successor of the process.

const (
	backendIn = iota + 1
	backendKey
	backendWaits
	backendAnswered // how many answers were sent
	backendAnswer   // one that is known, and waits until the back end has read others
	backendFull
	backendPaused
	backendListener // its number among listeners
	backendListened
	backendBegan
	backendWatches
)

// appendState appends what there is of a back end itself.
func (b *backend) appendState(f *saved, keys keyring) {
	f.flag(backendIn, b.in)
	if b.permit != nil {
		f.bytes(backendKey, keys.hashOf(b.permit))
	}
	f.flag(backendWaits, b.waits)
	f.integer(backendAnswered, int64(b.answers.first))
	for _, text := range b.answers.texts[b.answers.sent:] {
		f.add(backendAnswer, text)
	}
	f.flag(backendFull, b.full)
	f.flag(backendPaused, b.paused)
	if b.listener != nil {
		f.integer(backendListener, int64(b.listener.Number()))
	}
	f.integer(backendListened, int64(b.listened))
	f.flag(backendBegan, b.began)
	if b.watching != nil {
		f.add(backendWatches, b.watching.AppendState(nil))
	}
}

// crossedBackend is what saveBackend has said, taken apart.
type crossedBackend struct {
	*backend
	listener uint64 // its number among listeners; 0: it is none
	watches  []byte // on loan; nil: nothing
}

// restoreState makes a back end of it, but for its connection. It may do what its key is for now: one that is gone
// leaves it with the predecessor.
func (b *crossedBackend) restoreState(state []byte, keys keyring) error {
	return readFields(state, backendWatches, func(f *field) {
		switch f.number {
		case backendIn:
			b.in = f.flag()
		case backendKey:
			if b.permit = keys.byHash(f.bytes()); b.permit == nil {
				f.take(errKeyGone)
			}
		case backendWaits:
			b.waits = f.flag()
		case backendAnswered:
			b.answers.first = int(f.integer())
		case backendAnswer:
			b.answers.texts = append(b.answers.texts, append([]byte{}, f.bytes()...))
		case backendFull:
			b.full = f.flag()
		case backendPaused:
			b.paused = f.flag()
		case backendListener:
			b.listener = uint64(f.integer())
		case backendListened:
			b.listened = int(f.integer())
		case backendBegan:
			b.began = f.flag()
		case backendWatches:
			b.watches = f.bytes()
		}
	})
}

// Why a back end stays with the predecessor.
var (
	errTurnedAway = errors.New("it is turned away")
	errKeyGone    = errors.New("its key is gone")
	errOwed       = errors.New("a command of it is not answered")
)

// mayCross tells why a back end has to stay.
func (b *backend) mayCross() error {
	if b.slot.why != "" || b.leaving {
		return errTurnedAway
	}
	for _, text := range b.answers.texts[b.answers.sent:] {
		if text == nil {
			return errOwed
		}
	}
	return nil
}

// hashOf is that of the key which has a permit.
func (k keyring) hashOf(p *command.Permit) []byte {
	for i := range k {
		if k[i].permit == p {
			return k[i].hash[:]
		}
	}
	return make([]byte, sha256.Size) // of no key
}

// byHash is what the key permits that has a hash; nil if there is none.
func (k keyring) byHash(hash []byte) *command.Permit {
	for i := range k {
		if string(k[i].hash[:]) == string(hash) {
			return k[i].permit
		}
	}
	return nil
}
