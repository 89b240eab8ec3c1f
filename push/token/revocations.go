package token

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/lineman-go/lineman/push"
)

// Revocations know whose credentials are no longer good: those of a uid that were issued up to an instant. Instants are
// cut to seconds, as those of credentials are, so one that was issued in the same second is refused too, before or
// after: issue the next a second later. A credential that does not say when it was issued is refused once its uid was
// revoked.
//
// They are kept for good, as a credential may be good for any time: some hundred bytes for each uid. The methods may be
// called from any goroutine. The zero value keeps them in memory only.
type Revocations struct {
	writing sync.Mutex // held while the journal is written, taken before mu
	journal *journal   // nil: memory only

	mu sync.RWMutex     // guards the following
	at map[string]int64 // by uid, in seconds since 1970
}

// OpenRevocations reads the revocations that a file keeps, or makes the file, which only its owner can read. A last
// line that a crash has cut off is dropped: its Revoke had not returned. What is outdated is dropped as well, by a new
// file in place of the old one, if there is room for it. Any other line that is no revocation is an error that names
// it: which uid it was for, nobody knows. One process at a time may have the file open. An empty name is as the zero
// value.
func OpenRevocations(name string) (*Revocations, error) {
	if name == "" {
		return &Revocations{}, nil
	}
	j, at, err := openJournal(name)
	if err != nil {
		return nil, fmt.Errorf("token: revocations: %w", err)
	}
	return &Revocations{journal: j, at: at}, nil
}

// Revoke has the credentials of a uid that were issued up to an instant be refused. When it returns nil, this outlives
// a crash of the machine. After an error nothing is revoked now, but may be after a restart: revoke again. It writes to
// the disk, so call it off a loop.
func (r *Revocations) Revoke(uid string, at time.Time) error {
	if err := push.UID(uid).Check(); err != nil {
		return fmt.Errorf("token: revocations: %w", err)
	}
	seconds := at.Unix()
	if seconds < 0 || seconds > lastInstant {
		return fmt.Errorf("token: revocations: the year %d: want an instant from 1970 to 9999", at.Year())
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.revoked(uid, seconds) {
		return nil
	}
	if r.journal != nil {
		if err := r.journal.append(uid, seconds); err != nil {
			return fmt.Errorf("token: revocations: nothing was revoked: %w", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = make(map[string]int64)
	}
	r.at[uid] = seconds
	return nil
}

// Revoked reports whether a credential is refused. A zero instant stands for one that does not say when it was issued.
func (r *Revocations) Revoked(uid string, issued time.Time) bool {
	if issued.IsZero() {
		return r.revoked(uid, 0)
	}
	return r.revoked(uid, issued.Unix())
}

func (r *Revocations) revoked(uid string, issued int64) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	at, known := r.at[uid]
	return known && issued <= at
}

// All are those that are known: by uid, in seconds since 1970.
func (r *Revocations) All() map[string]int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return maps.Clone(r.at)
}

// Close closes the file. Revoke is an error afterwards.
func (r *Revocations) Close() error {
	if r.journal == nil {
		return nil
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.journal.file.Close()
}
