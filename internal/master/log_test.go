//go:build unix

package master

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// lines are those of the log, by level and beginning.
func (t *trial) lines() (all []string) {
	synctest.Wait()
	for line := range strings.Lines(t.log.String()) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), "level=")
		all = append(all, line)
	}
	return all
}

// TestLog says each thing once, in words that hold: whatever happens to a process is one line, and what was meant is
// none.
func TestLog(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *trial)
		want []string // what the lines begin with
	}{
		{"a crash", func(t *trial) { t.kill("a/0") }, []string{
			`ERROR msg="lineman: a/0 (pid 1) ended with signal 9 (killed); it starts again at once"`}},
		{"an end with code 0", func(t *trial) { t.process(t.serving()["a/0"]).exit(Status{}) }, []string{
			`INFO msg="lineman: a/0 (pid 1) ended with exit code 0; it starts again at once"`}},
		{"a second crash", func(t *trial) { t.kill("a/0"); t.kill("a/0"); time.Sleep(time.Second) }, []string{
			`ERROR msg="lineman: a/0 (pid 1) ended with signal 9 (killed); it starts again at once"`,
			`ERROR msg="lineman: a/0 (pid 2) ended with signal 9 (killed); it starts again in 100ms"`}},
		{"a replacement that fails", func(t *trial) {
			plain := t.behave
			t.behaveLike(plain, op(channel.Prepare, refuse))
			t.kill("a/0")
			t.behaveLike(plain)
			time.Sleep(time.Second)
		}, []string{
			`ERROR msg="lineman: a/0 (pid 1) ended with signal 9 (killed); it starts again at once"`,
			`ERROR msg="lineman: a/0 (pid 2) does not prepare: it will not; again in 100ms"`}},
		{"a reload", func(t *trial) { t.reload() }, nil},
		{"recycling", func(t *trial) { t.recycle("a/0") }, nil},
		{"recycling that fails", func(t *trial) { t.next(op(channel.Start, refuse)); t.recycle("a/0") }, []string{
			`ERROR msg="lineman: a/0 (pid 1) was not recycled: a/0 (pid 2) does not start: it will not"`}},
		{"a crash during recycling", func(t *trial) {
			t.next(op(channel.Prepare, func(*fake) error { t.process(1).Kill(); return nil }))
			t.recycle("a/0")
		}, []string{`ERROR msg="lineman: a/0 (pid 1) ended with signal 9 (killed); its successor serves"`}},
		{"a stop", func(t *trial) { t.s.Stop(Prompt) }, nil},
		{"a stop that is not obeyed", func(t *trial) { t.change(1, deaf); t.s.Stop(Prompt) }, []string{
			`WARN msg="lineman: a/0 (pid 1) has not ended within 5s: it is killed"`}},
		{"a predecessor that died as it was to stand still", func(t *trial) {
			t.change(1, op(channel.Freeze, perish))
			t.reload()
		}, []string{`ERROR msg="lineman: a/0 (pid 1) ended with exit code 3; `}},
		{"a predecessor that does not stand still", func(t *trial) {
			t.change(1, op(channel.Freeze, never))
			t.reload()
		}, []string{`WARN msg="lineman: a/0 (pid 1) does not stand still for its successor within 2s: it is killed"`}},
		{"a predecessor that refuses to stand still", func(t *trial) {
			t.change(1, op(channel.Freeze, refuse))
			t.reload()
		}, []string{
			`WARN msg="lineman: a/0 (pid 1) does not stand still for its successor: it will not: it is killed"`}},
		{"a predecessor that does not leave", func(t *trial) {
			t.change(1, deaf)
			t.reload()
			time.Sleep(3 * time.Second)
		}, []string{`WARN msg="lineman: a/0 (pid 1) has not ended within 2s: it is killed"`}},
	} {
		try(t, []channel.Worker{{Name: "a", Addr: "one", Count: 1}}, func(t *trial) {
			t.start()
			c.do(t)
			if got := t.lines(); !slices.EqualFunc(got, c.want, strings.HasPrefix) {
				t.Errorf("%s:\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}
