package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/linemantest"
)

// TestStateRefused starts the program by hand with what a master leaves to the program that it becomes, or gives to a
// process: with no file, one that anybody could have changed, a state of another master, or one that is none. It ends,
// says why, and the instance that runs does not notice.
func TestStateRefused(t *testing.T) {
	i := newInstance(t, "misbehave")
	i.do("start", "-d")
	before := i.status()
	of := func(pid int) []byte { return fmt.Appendf(nil, `{"version":1,"pid":%d,"supervisor":{}}`, pid) }
	for name, c := range map[string]struct {
		variable string
		file     *os.File
		words    string
	}{
		"no file":             {"LINEMAN_MASTER", nil, "it is no sealed file"},
		"a file":              {"LINEMAN_MASTER", plain(t, of(before.PID)), "it is no sealed file"},
		"one to be changed":   {"LINEMAN_MASTER", memory(t, of(before.PID), unix.F_SEAL_GROW), "it is no sealed file"},
		"of another master":   {"LINEMAN_MASTER", memory(t, of(before.PID), allSeals), "is that of the master"},
		"of an older process": {"LINEMAN_MASTER", memory(t, of(0), allSeals), "is that of the master"},
		"nonsense":            {"LINEMAN_MASTER", memory(t, []byte("state"), allSeals), "state of the master: invalid"},
		"of a later Lineman":  {"LINEMAN_MASTER", memory(t, []byte(`{"version":99}`), allSeals), "has version 99"},
		"no channel":          {"LINEMAN_WORKER", nil, "non-socket"},
		"a file as channel":   {"LINEMAN_WORKER", plain(t, []byte("{}\n")), "non-socket"},
	} {
		cmd := i.command(t.Context(), "start")
		cmd.Env = append(cmd.Env, c.variable+"=3")
		if c.file != nil {
			cmd.ExtraFiles = []*os.File{c.file}
		}
		p := launch(t, cmd)
		if code := p.end(); code != 1 || !strings.Contains(p.said(), c.words) {
			t.Errorf("%s: exit code %d, want 1 and %q:\n%s", name, code, c.words, p.said())
		}
	}
	if after := i.status(); after.PID != before.PID || !slices.Equal(pids(after), pids(before)) {
		t.Errorf("%v run, and there were %v", pids(after), pids(before))
	}
	i.do("stop")
	i.allGone()
}

const allSeals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// memory is a file in memory with these seals.
func memory(t *testing.T, text []byte, seals int) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("state", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "state")
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		t.Fatal(err)
	}
	return f
}

func plain(t *testing.T, text []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state")
	write(t, path, string(text))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestHandoverPrivate looks at the two processes in the middle of a handover: each end of the socket between them is
// that process's alone, nobody can open it by its name in /proc, and another user does not even see that.
func TestHandoverPrivate(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "misbehave", "-handover", "-count", "1")
	i.do("start", "-d")
	old := i.pid("lines", 0)
	liners(t, i.addr("lines"), 5)
	before := socketsOf(t, old)
	i.put("wait-in-RestoreState")
	end := i.background("reload")
	linemantest.Until(t, "the handover does not begin", func() bool {
		return exists(filepath.Join(i.dir, "waits-in-RestoreState"))
	})
	both := i.processesOf("lines", 0)
	during := socketsOf(t, old)
	for socket := range before {
		delete(during, socket)
	}
	if len(during) != 1 {
		t.Errorf("the old process has %d sockets more, want one: %v", len(during), during)
	}
	for socket, path := range during {
		if f, err := os.OpenFile(path, os.O_RDWR, 0); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("it can be opened: %v", err)
			f.Close()
		}
		if has := whoHas(t, socket); !slices.Equal(has, []int{old}) {
			t.Errorf("%v have its end of the socket, want %d alone", has, old)
		}
	}
	for _, pid := range []int{old, both[len(both)-1].PID, i.status().PID} {
		err := asOther(t, func() error { _, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); return err })
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			t.Error(err)
		} else if err == nil && os.Geteuid() == 0 {
			t.Errorf("another user sees the descriptors of %d", pid)
		}
	}
	i.remove("wait-in-RestoreState")
	if out, code := end(); code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
	i.do("stop")
	i.allGone()
}

// socketsOf are the sockets of a process, and their descriptors in /proc.
func socketsOf(t *testing.T, pid int) map[string]string {
	t.Helper()
	all := make(map[string]string)
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, "socket:") {
			all[to] = link
		}
	}
	return all
}

// whoHas are the processes that have a socket open.
func whoHas(t *testing.T, socket string) (pids []int) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || to != socket {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(link, "/proc/%d/", &pid); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// asOther calls f with the rights of another user, if this one is root.
func asOther(t *testing.T, f func() error) error {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	const nobody = 65534
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), nobody, ^uintptr(0)); errno != 0 {
			result <- errno
			return
		}
		result <- f()
	}()
	return <-result
}
