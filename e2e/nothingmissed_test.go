package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// mortal is a push server that is killed and started again, in the same folder and on the same ports.
type mortal struct {
	*program
	t                      *testing.T
	folder, pages, backend string
	flags                  []string
}

// historySettings keep what is published on channels of two namespaces: all that followers may have missed.
const historySettings = `
namespaces:
  chat: {subscribe: all, history: {size: 10000, ttl: 1h}}
`

func newMortal(t *testing.T, flags ...string) *mortal {
	t.Helper()
	return newMortalOf(t, historySettings, flags...)
}

// newMortalOf starts one with other settings.
func newMortalOf(t *testing.T, settings string, flags ...string) *mortal {
	t.Helper()
	m := &mortal{t: t, folder: t.TempDir(), pages: free(t), backend: free(t), flags: flags}
	write(t, filepath.Join(m.folder, "lineman.yaml"), settings)
	m.start()
	return m
}

func (m *mortal) start() {
	m.t.Helper()
	cmd := exec.Command(filepath.Join(binaries, "lineman"), append([]string{
		"start", "--listen", m.pages, "--text", m.backend, "--api", "", "--admin", "", "--drain", "1s",
	}, m.flags...)...)
	cmd.Dir = m.folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	m.program = launch(m.t, cmd)
	m.t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // gone already, mostly
	m.find(`pages on wss?://`)
}

// kill ends all processes of the server at once, and starts it again.
func (m *mortal) kill() {
	m.t.Helper()
	if err := syscall.Kill(-m.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		m.t.Fatal(err)
	}
	m.end()
	linemantest.Until(m.t, "a process is left", func() bool {
		return syscall.Kill(-m.cmd.Process.Pid, 0) == syscall.ESRCH
	})
	m.start()
}

// killServing ends the process that serves; its master starts another one.
func (m *mortal) killServing() {
	m.t.Helper()
	kill(m.t, m.serving(), syscall.SIGKILL)
}

// serving is the process that serves: after a reload its predecessor may still be leaving.
func (m *mortal) serving() (pid int) {
	m.t.Helper()
	linemantest.Until(m.t, "no process serves", func() bool {
		var s lineman.Status
		if err := json.Unmarshal([]byte(m.command("status", "--json")), &s); err != nil {
			m.t.Fatalf("the status is no JSON: %v", err)
		}
		for _, p := range s.Processes {
			if p.State == "idle" || p.State == "busy" {
				pid = p.PID
				return true
			}
		}
		return false
	})
	return pid
}

func (m *mortal) reload() {
	m.t.Helper()
	m.command("reload")
}

// command is a command of the server's program, in its folder.
func (m *mortal) command(args ...string) string {
	m.t.Helper()
	out, err := tryIn(m.t, m.folder, "", filepath.Join(binaries, "lineman"), args...)
	if err != nil {
		m.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// top is the newest position of a channel.
func (m *mortal) top(channel string) string {
	m.t.Helper()
	line, err := askLine(m.backend, fmt.Sprintf(`{"cmd":"history","to":%q,"limit":0}`, channel))
	var answer struct {
		OK  bool
		Top string
	}
	if err == nil {
		err = json.Unmarshal([]byte(line), &answer)
	}
	if err != nil || !answer.OK {
		m.t.Fatalf("the top of %s: %s, %v", channel, line, err)
	}
	return answer.Top
}

// ordeal is what followers go through.
type ordeal struct {
	followers, events int           // by WebSockets, and by server-sent events
	channels, each    int           // each follows so many of the channels
	perSecond         int           // publications
	lasts             time.Duration // with networks that break
}

// The short one is for every run; LINEMAN_E2E_LONG asks for the long one.
func ordealOfThisRun() ordeal {
	if told["LINEMAN_E2E_LONG"] != "" {
		return ordeal{1000, 200, 50, 5, 500, time.Minute}
	}
	return ordeal{100, 20, 10, 3, 200, 10 * time.Second}
}

// besideOthers has the short one run beside others. The long one needs the machine: a client that is away for so long
// that it has missed more than 300 messages of a channel gets a gap.
func besideOthers(t *testing.T) {
	if told["LINEMAN_E2E_LONG"] == "" {
		t.Parallel()
	}
}

// crowd has followers of some channels live until the context ends.
func (o ordeal) crowd(ctx context.Context, l *positions, names []string, dial func() (net.Conn, error)) (
	all []*follower, wait func()) {
	var running sync.WaitGroup
	c := cuts{every: 2 * time.Second, pause: 3 * time.Second, until: time.Now().Add(o.lasts)}
	for i := range o.followers + o.events {
		var of []string
		for k := range o.each {
			of = append(of, names[(i+k)%len(names)])
		}
		f := newFollower(fmt.Sprint("uid", i), of, uint64(i), l, c, dial)
		f.events = i >= o.followers
		all = append(all, f)
		running.Add(1)
		go func() {
			defer running.Done()
			f.live(ctx)
		}()
	}
	return all, running.Wait
}

func (o ordeal) names() (all []string) {
	for i := range o.channels {
		all = append(all, fmt.Sprint("chat:", i))
	}
	return all
}

// inMemory has a server forget its history when it ends.
var inMemory = []string{"--history-journal", "none"}

// TestNothingMissed has many clients follow channels on which much is published, while their networks break again and
// again, and the server is killed, killed again and reloaded. Each client has every message, once and in order. Without
// a journal the server forgets when it ends, and each client is told so.
func TestNothingMissed(t *testing.T) {
	t.Run("in memory", func(t *testing.T) {
		besideOthers(t)
		m := newMortal(t, inMemory...)
		gaps := ordealOfThisRun().run(t, []*mortal{m}, m.kill, m.killServing, m.reload).gaps
		if gaps["epoch"] == 0 || len(gaps) > 1 {
			t.Errorf("the gaps are %v", gaps)
		}
	})
	t.Run("with a journal", func(t *testing.T) {
		besideOthers(t)
		m := newMortal(t)
		gaps := ordealOfThisRun().run(t, []*mortal{m}, m.kill, m.killServing, m.reload).gaps
		if len(gaps) > 0 {
			t.Errorf("there are gaps: %v", gaps)
		}
	})
}

// TestNothingMissedNodes has the clients of three nodes go through the same, while a node is killed, and Redis, and a
// node is reloaded. All that was published is in Redis, so there is no gap.
func TestNothingMissedNodes(t *testing.T) {
	besideOthers(t)
	r := startLastingRedis(t)
	var nodes []*mortal
	for range 3 {
		nodes = append(nodes, newMortal(t, "--redis-addresses", r.addr))
	}
	gaps := ordealOfThisRun().run(t, nodes, nodes[0].kill, func() { r.kill(); r.start() },
		nodes[1].reload).gaps
	if len(gaps) > 0 {
		t.Errorf("there are gaps: %v", gaps)
	}
}

// run has something happen to servers, one thing after the other, while clients follow.
func (o ordeal) run(t *testing.T, servers []*mortal, happens ...func()) followed {
	l, names := newPositions(), o.names()
	ctx, cancel := context.WithCancel(context.Background())
	pages, backends := anyOf(servers, func(m *mortal) string { return m.pages }),
		anyOf(servers, func(m *mortal) string { return m.backend })
	followers, left := o.crowd(ctx, l, names, pages)
	t.Cleanup(func() { cancel(); left() })
	linemantest.Until(t, "not all clients have come", func() bool { return every(followers, (*follower).begun) })

	publishing, unpublish := context.WithCancel(ctx)
	var backend sync.WaitGroup
	backend.Add(1)
	a := announcer{backends, names, o.perSecond, l}
	go func() { defer backend.Done(); a.live(publishing) }()
	for _, what := range append(happens, func() {}) {
		<-time.After(o.lasts / time.Duration(len(happens)+1))
		what()
	}
	unpublish()
	backend.Wait()
	return o.judge(t, followers, l, servers[0].tops(names))
}

// anyOf connects to the next server each time.
func anyOf(servers []*mortal, addr func(*mortal) string) func() (net.Conn, error) {
	var next atomic.Uint64
	return func() (net.Conn, error) {
		return net.DialTimeout("tcp", addr(servers[next.Add(1)%uint64(len(servers))]), patience)
	}
}

func (m *mortal) tops(channels []string) map[string]string {
	m.t.Helper()
	all := map[string]string{}
	for _, ch := range channels {
		all[ch] = m.top(ch)
	}
	return all
}

// every reports whether all followers are so.
func every(all []*follower, is func(*follower) bool) bool {
	for _, f := range all {
		if !is(f) {
			return false
		}
	}
	return true
}

// judge waits until all followers stand at the tops, and tells what happened to them.
func (o ordeal) judge(t *testing.T, followers []*follower, l *positions, tops map[string]string) (sum followed) {
	t.Helper()
	linemantest.Until(t, "not all clients have all", func() bool {
		return every(followers, func(f *follower) bool { return f.at(tops) })
	})
	sum.gaps = map[string]int{}
	for _, f := range followers {
		f.count(func(c *followed) { sum.add(*c) })
	}
	for _, complaint := range append(l.doubles(), l.complaints...) {
		t.Error(complaint)
	}
	t.Logf("%d clients on %d connections, of which %d were cut, got %d messages, %d of them later; gaps: %v; "+
		"%d publications were answered",
		len(followers), sum.connections, sum.cuts, sum.messages, sum.recovered, sum.gaps, l.acked)
	if sum.cuts == 0 || sum.recovered == 0 || l.acked < o.perSecond*int(o.lasts/time.Second)/4 {
		t.Error("that was no ordeal")
	}
	return sum
}
