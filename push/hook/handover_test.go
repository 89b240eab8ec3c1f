package hook

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/push/events"
)

// TestHandedOver has a successor post what a hook has not taken, in order: what the predecessor may have posted is
// marked. Who waits for it is told by the successor, and there is no dead letter.
func TestHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := newApp(t, SenderOptions{Parallel: 2, Batch: 2}, func(n int) (Answer, error) {
			if n == 1 {
				return good, nil
			}
			time.Sleep(time.Minute)
			return good, nil
		})
		said := before.say(1, 0)
		synctest.Wait()
		if err := <-said; err != nil {
			t.Fatal(err)
		}
		for n := range 9 {
			before.say(1, n+1)
			synctest.Wait() // 1 is under way, and then 2 and 3 gather; a window is 4
		}
		after := newApp(t, SenderOptions{Parallel: 3, Batch: 100}, func(int) (Answer, error) { return good, nil })
		var state []byte
		before.run(func() { state = before.dispatcher.AppendState(nil) })
		after.run(func() {
			if err := after.dispatcher.RestoreState(state); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if len(after.asked) > 0 {
			t.Fatalf("the hook is told before the handover is over: %v", after.asked)
		}
		before.run(func() {
			before.dispatcher.HandedOver()
			before.HandedOver()
		})
		after.run(after.dispatcher.Restored)
		synctest.Wait()
		var got []told
		for _, asked := range after.asked {
			got = append(got, asked...)
		}
		if len(got) != 9 {
			t.Fatalf("the successor posts %v", after.asked)
		}
		for i, e := range got {
			if e.Data != i+1 || e.Again != (i < 3) {
				t.Errorf("event %d is %+v", i, e)
			}
		}
		if len(before.asked) != 2 {
			t.Errorf("the predecessor has posted %v", before.asked)
		}
		if letters := before.end(time.Second); len(letters) > 0 {
			t.Errorf("dead letters: %q", letters)
		}
		if err := <-before.say(1, 99); !errors.Is(err, events.ErrNobody) {
			t.Errorf("what the predecessor is told ends with %v", err)
		}
		if letters := after.end(time.Second); len(letters) > 0 {
			t.Errorf("dead letters: %q", letters)
		}
	})
}
