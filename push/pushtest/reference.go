package pushtest

import (
	"slices"
	"time"

	"github.com/lineman-go/lineman/push"
)

// A Reference is history as a broker should keep it, too simple to be wrong: nothing is ever taken out of a list, and
// what is kept of it is looked for from the beginning. It has no bound on what all targets take together. Not for
// several goroutines at a time.
type Reference struct {
	epoch     string
	now       func() time.Time
	published map[push.Target][]published
}

// published is a publication, and what was to be kept of its target.
type published struct {
	push.Stored
	keep      push.Retention
	forgotten bool
}

// NewReference begins a history.
func NewReference(epoch string, now func() time.Time) *Reference {
	return &Reference{epoch, now, make(map[push.Target][]published)}
}

// Publish notes a publication, and returns its Positions as push.Publication has them.
func (r *Reference) Publish(to []push.Target, data []byte, keep []push.Retention) []push.Position {
	all, any := make([]push.Position, len(to)), false
	for i, t := range to {
		if keep[i] == (push.Retention{}) {
			continue
		}
		all[i], any = push.Position{Epoch: r.epoch, Offset: uint64(len(r.published[t]) + 1)}, true
		one := push.Stored{Position: all[i], At: r.now(), Data: slices.Clone(data)}
		r.published[t] = append(r.published[t], published{Stored: one, keep: keep[i]})
	}
	if !any {
		return nil
	}
	return all
}

// Forget notes that what is there of some targets is to be kept no longer.
func (r *Reference) Forget(of []push.Target) {
	for _, t := range of {
		for i := range r.published[t] {
			r.published[t][i].forgotten = true
		}
	}
}

// kept are the publications of a target that are kept: from the newest on, as long as nothing is in the way.
func (r *Reference) kept(of push.Target) (kept []push.Stored) {
	all := r.published[of]
	bytes := 0
	for i := len(all) - 1; i >= 0; i-- {
		one, keep := all[i], all[len(all)-1].keep
		bytes += len(one.Data)
		switch {
		case one.forgotten,
			keep.Class == push.Latest && len(kept) == 1, keep.Class == push.Stream && len(kept) == keep.Size,
			keep.TTL > 0 && r.now().Sub(one.At) >= keep.TTL,
			keep.Bytes > 0 && bytes > keep.Bytes:
			return kept
		}
		kept = slices.Insert(kept, 0, one.Stored)
	}
	return kept
}

// Read reads a part of the history of a target.
func (r *Reference) Read(of push.Target, keep push.Retention, want push.Range) push.History {
	kept := r.kept(of)
	top := push.Position{Epoch: r.epoch, Offset: uint64(len(r.published[of]))}
	told := push.History{Top: top}
	since, first := want.Since, top.Offset-uint64(len(kept))
	last := since == push.Position{}
	if keep.Class == push.Latest && len(kept) > 0 && since != top {
		last = true
	}
	switch {
	case last:
	case since.Epoch != r.epoch:
		told.Gap = push.GapEpoch
	case since.Offset > top.Offset:
		told.Gap = push.GapAhead
	case since.Offset < first:
		told.Gap = push.GapExpired
	}
	if told.Gap != "" {
		return told
	}
	if !last {
		kept = kept[since.Offset-first:]
	}
	for len(kept) > 0 && (len(kept) > want.Limit || want.Bytes > 0 && len(kept) > 1 && sum(kept) > want.Bytes) {
		if last {
			kept = kept[1:]
		} else {
			kept = kept[:len(kept)-1]
		}
	}
	told.Messages = kept
	return told
}

// sum is how many bytes some publications have.
func sum(all []push.Stored) (bytes int) {
	for _, one := range all {
		bytes += len(one.Data)
	}
	return bytes
}
