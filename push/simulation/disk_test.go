package simulation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lineman-go/lineman/push"
)

// disk is what a journal is written to. What a process has written outlives it; a power cut leaves what was synced, and
// perhaps a part of the rest.
type disk struct {
	world   *world
	epoch   string
	epochs  int
	records []push.Record
	synced  int // of these
	full    bool
	owner   *journal
}

// journal is a push.Journal over a disk, of one process.
type journal struct {
	disk   *disk
	node   **node // whose it is, as soon as it is there
	closed bool
}

// Recover gives what the disk has. The clock may have jumped since that was written.
func (j *journal) Recover(done func(push.Recovered)) {
	d := j.disk
	d.owner = j
	if d.world.chance(4) {
		jump := d.world.between(-2*time.Hour, 2*time.Hour)
		d.world.note("the clock jumps by %v", jump)
		for i := range d.records {
			d.records[i].At = d.records[i].At.Add(-jump)
		}
	}
	done(push.Recovered{Epoch: d.epoch, Records: slices.Clone(d.records)})
}

// Append writes, a while later. A process that has died meanwhile may have written, or not.
func (j *journal) Append(b push.Batch, done func(error)) {
	d := j.disk
	records := slices.Clone(b.Records)
	for i := range records {
		records[i].Of = slices.Clone(records[i].Of)
	}
	d.world.after(d.world.between(0, 5*time.Millisecond), func() {
		switch dead := *j.node != nil && (*j.node).dead; {
		case dead && d.world.chance(2):
			return
		case dead: // torn: a part of the batch
			records = records[:d.world.random.IntN(len(records)+1)]
		}
		if d.full {
			done(errors.New("the disk is full"))
			return
		}
		d.records = append(d.records, records...)
		d.world.after(50*time.Millisecond, func() { d.synced = min(len(d.records), d.synced+len(records)) })
		done(nil)
	})
}

// IsOvergrown is never so: what is compacted is tried by the tests of the journal.
func (j *journal) IsOvergrown(int) bool { return false }

// Close gives it up.
func (j *journal) Close() { j.closed = true }

// cutPower leaves what was synced and some of what follows: positions of what is lost must not be told again.
func (d *disk) cutPower() {
	d.world.note("the power is cut")
	d.records = d.records[:d.synced+d.world.random.IntN(len(d.records)-d.synced+1)]
	d.synced = len(d.records)
	d.epochs++
	d.epoch = fmt.Sprint("d", d.epochs)
}
