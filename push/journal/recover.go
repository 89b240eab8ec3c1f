package journal

import (
	"fmt"
	"slices"

	"github.com/lineman-go/lineman/push"
)

// stored is a segment as it was found.
type stored struct {
	number uint64
	bytes  []byte
}

// finding is what was found in all segments.
type finding struct {
	epoch   string // that goes on; empty if something may be lost
	records []push.Record
	last    uint64   // the number of the last segment that has a header; 0 if there is none
	end     uint64   // how many bytes of it count
	ended   bool     // it was closed well, and the epoch goes on
	unbegun []uint64 // those behind it, which have none
	notes   []string // for the log
}

// examine reads all segments, in the order of their numbers. boot is the system's start of today, empty if that is not
// known. It loses nothing that is good; but where something else may be lost, the epoch is not to go on:
//
//	closed well                                 the epoch goes on
//	not so, in the same start of the system     it goes on: what is torn was answered to nobody
//	in another start, each batch was synced     likewise
//	in another start otherwise                  a new epoch: the last records may be lost
//	a record is corrupt, or a segment missing   a new epoch
func examine(all []stored, boot string) (f finding, err error) {
	sound := true // nothing is lost, as far as can be seen
	var parts [][]push.Record
	rotten := false    // one has lost its header, unless a power cut came when it was begun
	var newer *segment // the next one; nil as long as none has a header
	for i := len(all) - 1; i >= 0; i-- {
		number, bytes := all[i].number, all[i].bytes
		if newer != nil {
			sound = sound && uint64(len(bytes)) >= newer.previous && all[i+1].number == number+1
			bytes = bytes[:min(uint64(len(bytes)), newer.previous)]
		}
		s, err := parseSegment(bytes)
		if err != nil {
			return finding{}, fmt.Errorf("%s: %w", segmentName(number), err)
		}
		if s.flaw != whole {
			f.notes = append(f.notes, fmt.Sprintf("%s is cut to %d of %d bytes: what follows is %s",
				segmentName(number), s.end, len(bytes), s.flaw))
		}
		switch {
		case newer != nil:
			sound = sound && s.flaw == whole
		case !s.begun:
			rotten = rotten || s.flaw == corrupt
			f.unbegun = append(f.unbegun, number)
			continue
		default:
			sound = sound && s.isSound(boot) && !(rotten && s.isOf(boot))
			f.epoch, f.last, f.end, f.ended = s.epoch, number, uint64(s.end), s.closed
		}
		parts = append(parts, s.records)
		newer = &s
	}
	if !sound {
		f.epoch, f.ended = "", false
	}
	slices.Reverse(parts)
	f.records = slices.Concat(parts...)
	return f, nil
}

// isSound reports whether the last segment has all that was answered.
func (s *segment) isSound(boot string) bool {
	switch {
	case s.closed:
		return s.flaw == whole
	case s.isOf(boot):
		return s.flaw != corrupt
	default:
		return s.always
	}
}

// isOf reports whether a segment was begun in a start of the system.
func (s *segment) isOf(boot string) bool { return boot != "" && s.boot == boot }
