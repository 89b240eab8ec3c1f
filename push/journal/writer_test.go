package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
)

// message is a batch with one.
func message(n uint64) push.Batch {
	return push.Batch{Records: []push.Record{{
		Kind: push.RecordMessage, Number: n, At: time.Now(), Data: []byte(fmt.Sprint("message ", n)),
		Of: []push.Place{{Target: "t", Offset: n}},
	}}}
}

// running is a Journal over a disk, and its log.
type running struct {
	*Journal
	t   *testing.T
	log *strings.Builder
}

func run(t *testing.T, d *disk, o Options) running {
	t.Helper()
	var log strings.Builder
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	j := newJournal(o, d, "today")
	w, err := j.load()
	if err != nil {
		t.Fatal(err)
	}
	go j.run(w)
	return running{j, t, &log}
}

func (r running) append(b push.Batch) error {
	r.t.Helper()
	done := make(chan error)
	r.Append(b, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		r.t.Fatal("a batch is never done")
		return nil
	}
}

// end closes it, and returns what it has logged.
func (r running) end() string {
	r.Close()
	r.Wait(time.Minute)
	return r.log.String()
}

// numbers are those of the messages that are there, after a crash or a power cut.
func numbers(t *testing.T, d *disk, boot string) (all []uint64, epoch string) {
	t.Helper()
	found, err := readAll(d)
	if err != nil {
		t.Fatal(err)
	}
	f, err := examine(found, boot)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range f.records {
		if r.Kind == push.RecordMessage {
			all = append(all, r.Number)
		}
	}
	return all, f.epoch
}

// TestSyncFails has a sync fail: what waits for it is refused, its segment is not written to again, what is next is
// proved by a sync, and the journal wants to be written anew. Until then it is not closed well.
func TestSyncFails(t *testing.T) {
	d := newDisk(1)
	r := run(t, d, Options{Sync: Always})
	if err := r.append(message(1)); err != nil {
		t.Fatal(err)
	}
	d.set(func() { d.failSync = true })
	if err := r.append(message(2)); !errors.Is(err, syscall.EIO) || !strings.HasPrefix(err.Error(), "sync: ") {
		t.Errorf("a sync that fails: %v", err)
	}
	if !r.IsOvergrown(1 << 30) {
		t.Error("it is not to be compacted")
	}
	if err := r.append(message(2)); err != nil {
		t.Error(err)
	}
	if all, _ := numbers(t, d.revive(false), "today"); fmt.Sprint(all) != "[1 2]" {
		t.Errorf("after a crash there is %v", all)
	}
	log := r.end()
	if n := strings.Count(log, "cannot be written"); n != 1 || !strings.Contains(log, "is written again") {
		t.Errorf("it logs\n%s", log)
	}
	if all, epoch := numbers(t, d.revive(true), "tomorrow"); fmt.Sprint(all) != "[1 2]" || epoch == "" {
		t.Errorf("after a power cut there is %v of epoch %q", all, epoch)
	}
}

// TestDoubtful is not closed well after a sync has failed for what was answered, until that was written anew.
func TestDoubtful(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		d := newDisk(2)
		r := run(t, d, Options{Sync: Never})
		if err := r.append(message(1)); err != nil {
			t.Fatal(err)
		}
		d.set(func() { d.failSync = true })
		begin := message(1)
		begin.Begin = true // it ends the segment, with a sync
		if err := r.append(begin); err == nil {
			t.Fatal("nothing has failed")
		}
		if compacted {
			begin.End = true
			if err := r.append(begin); err != nil {
				t.Fatal(err)
			}
		}
		r.end()
		all, epoch := numbers(t, d.revive(true), "tomorrow")
		if (epoch != "") != compacted || compacted && fmt.Sprint(all) != "[1]" {
			t.Errorf("compacted %v: after a power cut there is %v of epoch %q", compacted, all, epoch)
		}
	}
}

// TestCompacted has what was written anew be on the disk before what it stands for goes.
func TestCompacted(t *testing.T) {
	d := newDisk(3)
	r := run(t, d, Options{Sync: Never})
	for n := range uint64(5) {
		if err := r.append(message(n + 1)); err != nil {
			t.Fatal(err)
		}
	}
	for i, b := range []push.Batch{message(4), message(5)} {
		b.Begin, b.End = i == 0, i == 1
		if err := r.append(b); err != nil {
			t.Fatal(err)
		}
	}
	if s := r.Stats(); s.Segments != 1 || s.Bytes == 0 || s.Writes != 7 || s.Syncs == 0 || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
	if all, _ := numbers(t, d.revive(true), "tomorrow"); fmt.Sprint(all) != "[4 5]" {
		t.Errorf("after a power cut there is %v", all)
	}
	r.end()
}

// TestSyncedInTime has what was written outlive a power cut soon, though nothing comes after it.
func TestSyncedInTime(t *testing.T) {
	d := newDisk(4)
	r := run(t, d, Options{Sync: time.Millisecond})
	if err := r.append(message(1)); err != nil {
		t.Fatal(err)
	}
	began := r.Stats().Syncs // that of the header
	linemantest.Until(t, "it is never synced", func() bool { return r.Stats().Syncs > began })
	if all, epoch := numbers(t, d.revive(true), "tomorrow"); fmt.Sprint(all) != "[1]" || epoch != "" {
		t.Errorf("after a power cut there is %v of epoch %q", all, epoch)
	}
	r.end()
}

// TestPassedOn has a successor wait until its predecessor has closed the journal, and go on with it; and has it know
// what a stranger is.
func TestPassedOn(t *testing.T) {
	folder := t.TempDir()
	openAs := func(who owner) (*Journal, error) {
		return open(Options{Folder: folder, Log: slog.New(slog.DiscardHandler)}, who)
	}
	first, err := openAs(owner{1, "a master"})
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	first.Append(message(1), func(err error) { written <- err })
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	for _, stranger := range []owner{{3, "another master"}, {1, "a master"}} {
		_, err := openAs(stranger)
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "its process is 1") {
			t.Errorf("%v opens it: %v", stranger, err)
		}
	}
	gone, err := openAs(owner{2, "a master"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := openAs(owner{4, "a master"})
	if err != nil {
		t.Fatal(err)
	}
	gone.Close() // before it had it
	gone.Wait(time.Minute)
	had := make(chan push.Recovered, 1)
	second.Recover(func(r push.Recovered) { had <- r })
	select {
	case <-had:
		t.Error("it has the journal, and its predecessor has it")
	case <-time.After(3 * pause):
	}
	first.Close()
	if r := <-had; len(r.Records) != 1 || r.Epoch == "" {
		t.Errorf("it has %+v", r)
	}
	second.Close()
	second.Wait(time.Minute)
}

// TestEpochKept has the epoch that was told be that of the next process, though nothing was published.
func TestEpochKept(t *testing.T) {
	d := newDisk(5)
	r := run(t, d, Options{})
	var told string
	r.Recover(func(had push.Recovered) { told = had.Epoch })
	if _, epoch := numbers(t, d.revive(false), "today"); epoch != told || told == "" {
		t.Errorf("the epoch is %q after a crash, and was told as %q", epoch, told)
	}
	r.end()
}
