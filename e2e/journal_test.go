package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// kept is the history of a channel, as a back end reads it.
type kept struct {
	OK       bool
	Error    struct{ Code, Text string }
	Messages []struct {
		Pos  string
		Data struct{ N int }
	}
	Top, Gap string
}

func (m *mortal) history(channel string) (k kept) {
	m.t.Helper()
	line, err := askLine(m.backend, fmt.Sprintf(`{"cmd":"history","to":%q,"limit":10000}`, channel))
	if err == nil {
		err = json.Unmarshal([]byte(line), &k)
	}
	if err != nil || !k.OK {
		m.t.Fatalf("the history of %s: %.200s, %v", channel, line, err)
	}
	return k
}

// TestJournal publishes much while the process that serves is killed, all processes are, and the server is reloaded,
// again and again, in each mode. What was answered is there afterwards, at its position, and in order.
func TestJournal(t *testing.T) {
	for _, sync := range []string{"50ms", "always", "never"} {
		t.Run(sync, func(t *testing.T) {
			t.Parallel()
			testJournal(t, newMortal(t, "--history-journal-sync", sync))
		})
	}
}

func testJournal(t *testing.T, m *mortal) {
	l := newPositions()
	ctx, cancel := context.WithCancel(context.Background())
	var backends sync.WaitGroup
	var channels []string
	for i := range 4 {
		a := announcer{
			func() (net.Conn, error) { return net.Dial("tcp", m.backend) },
			[]string{fmt.Sprint("chat:", i, "a"), fmt.Sprint("chat:", i, "b")}, 1000, l,
		}
		channels = append(channels, a.channels...)
		backends.Add(1)
		go func() { defer backends.Done(); a.live(ctx) }()
	}
	answered := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.acked
	}
	for _, happens := range []func(){
		m.killServing, func() { m.command("reload") }, m.kill, func() { m.command("reload") }, m.killServing, func() {},
	} {
		before := answered()
		linemantest.Until(t, "nothing is answered", func() bool { return answered() > before+100 })
		happens()
	}
	cancel()
	backends.Wait()
	for _, channel := range channels {
		h, last := m.history(channel), 0
		at := map[string]int{}
		for _, message := range h.Messages {
			if at[message.Pos] = message.Data.N; message.Data.N < last {
				t.Errorf("%s has %d after %d", channel, message.Data.N, last)
			}
			last = message.Data.N
			l.has(channel, message.Pos, message.Data.N)
		}
		for position, n := range l.numbers[channel] {
			if _, ok := at[position]; !ok {
				t.Errorf("%s: %d was answered at %s, and is lost", channel, n, position)
			}
		}
	}
	for _, complaint := range append(l.doubles(), l.complaints...) {
		t.Error(complaint)
	}
	t.Logf("%d publications were answered", l.acked)
}

// TestJournalTwice refuses a second server with the same journal, and says what to do.
func TestJournalTwice(t *testing.T) {
	m := newMortal(t)
	m.history("chat:1")
	out, err := tryIn(t, t.TempDir(), "", filepath.Join(binaries, "lineman"), "start", "--listen", "127.0.0.1:0",
		"--text", "", "--api", "", "--admin", "", "--history-uids-size", "1",
		"--history-journal", filepath.Join(m.folder, "lineman.journal"))
	want := fmt.Sprintf("another server has this journal: its process is %d: stop that, or", m.serving())
	if err == nil || !strings.Contains(out, want) {
		t.Errorf("a second server: %v\n%s\nwant %q", err, out, want)
	}
	m.history("chat:1")
}

// TestJournalFull fills the disk: what is to be kept is refused, the rest goes on, and when there is room again, all is
// as before.
func TestJournalFull(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("only root makes a small disk")
	}
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("no small disk can be made: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", disk).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	m := newMortal(t, "--history-journal", filepath.Join(disk, "journal"))
	t.Cleanup(func() { m.command("stop") }) // before the disk goes
	publish := func(to string) (k kept) {
		t.Helper()
		line, err := askLine(m.backend, fmt.Sprintf(`{"cmd":"pub","to":%q,"data":{"n":%d}}`, to, 1))
		if err == nil {
			err = json.Unmarshal([]byte(line), &k)
		}
		if err != nil {
			t.Fatalf("%s, %v", line, err)
		}
		return k
	}
	if k := publish("chat:1"); !k.OK {
		t.Fatalf("%+v", k)
	}
	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not small")
	}
	refused := 0
	linemantest.Until(t, "the disk takes everything", func() bool { // its last page has some room
		k := publish("chat:1")
		if !k.OK {
			if k.Error.Code != "not_kept" || !strings.Contains(k.Error.Text, "no space left on device") {
				t.Fatalf("%+v", k)
			}
			refused++
		}
		return refused > 3
	})
	if k := publish("other"); !k.OK {
		t.Errorf("what is not kept: %+v", k)
	}
	before := m.history("chat:1")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if k := publish("chat:1"); !k.OK {
		t.Errorf("when there is room again: %+v", k)
	}
	if after := m.history("chat:1"); len(after.Messages) != len(before.Messages)+1 {
		t.Errorf("%d messages are kept, and were %d", len(after.Messages), len(before.Messages))
	}
	m.killServing()
	linemantest.Until(t, "it does not come back", func() bool {
		_, err := askLine(m.backend, `{"cmd":"count","to":"*"}`)
		return err == nil
	})
	if after := m.history("chat:1"); len(after.Messages) != len(before.Messages)+1 {
		t.Errorf("after a kill %d messages are kept, and were %d", len(after.Messages), len(before.Messages)+1)
	}
}
