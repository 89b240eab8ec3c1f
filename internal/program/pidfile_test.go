//go:build unix

package program

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman/internal/processtest"
)

// playClaim holds the file.
func playClaim(args []string) error {
	f, err := Claim(args[0])
	if err != nil {
		return err
	}
	fmt.Println("claimed")
	processtest.AwaitEnd()
	return f.Release()
}

// playClaimAndRelease does so often enough for others to come in between.
func playClaimAndRelease(args []string) error {
	for range 200 {
		f, err := Claim(args[0])
		if err != nil {
			return err
		}
		if err := f.Release(); err != nil {
			return err
		}
	}
	fmt.Println("never failed")
	processtest.AwaitEnd()
	return nil
}

func claim(t *testing.T, path string) *PIDFile {
	t.Helper()
	f, err := Claim(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Release(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func wantHolder(t *testing.T, path string, want int) {
	t.Helper()
	if pid, err := Holder(path); pid != want || err != nil {
		t.Errorf("the holder is %d, %v; want %d", pid, err, want)
	}
}

// wantRunning has a claim fail, with the pid and the file in the text.
func wantRunning(t *testing.T, path string, pid int) {
	t.Helper()
	f, err := Claim(path)
	if err == nil {
		t.Error(f.Release())
	}
	var running *RunningError
	if !errors.As(err, &running) || running.PID != pid || running.Path != path {
		t.Fatalf("got %v, want a RunningError of pid %d", err, pid)
	}
	if text := err.Error(); !strings.Contains(text, fmt.Sprint(pid)) || !strings.Contains(text, path) {
		t.Errorf("%q does not name pid %d and %s", text, pid, path)
	}
}

func TestClaim(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	wantHolder(t, path, 0)
	f, err := Claim(path)
	if err != nil {
		t.Fatal(err)
	}
	wantRunning(t, path, os.Getpid())
	wantHolder(t, path, os.Getpid())
	if text, err := os.ReadFile(path); string(text) != fmt.Sprintln(os.Getpid()) || err != nil {
		t.Errorf("the file says %q, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&^0o644 != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := f.Release(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is left behind: %v", err)
	}
	wantHolder(t, path, 0)
	claim(t, path)
}

// TestClaimKilled has another process hold the file, and end without a word.
func TestClaimKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	other := processtest.Start(t, "claim", path)
	if got := other.Word(); got != "claimed" {
		t.Fatal(got)
	}
	pid := other.PID()
	wantRunning(t, path, pid)
	wantHolder(t, path, pid)
	other.Kill()
	wantHolder(t, path, 0)
	claim(t, path)
	wantHolder(t, path, os.Getpid())
}

func TestClaimStaleContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(path, []byte(strings.Repeat("1234567890\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	wantHolder(t, path, 0)
	claim(t, path)
	if text, err := os.ReadFile(path); string(text) != fmt.Sprintln(os.Getpid()) || err != nil {
		t.Errorf("the file says %q, %v", text, err)
	}
}

// TestClaimRemoved has somebody remove the file while it is held: the next holder's is left alone.
func TestClaimRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	first, err := Claim(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	claim(t, path)
	if err := first.Release(); err != nil {
		t.Error(err)
	}
	wantHolder(t, path, os.Getpid())
}

// TestClaimOnce has fifty claim at once.
func TestClaimOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	var won atomic.Pointer[PIDFile]
	var all sync.WaitGroup
	start := make(chan struct{})
	for range 50 {
		all.Add(1)
		go func() {
			defer all.Done()
			<-start
			f, err := Claim(path)
			var running *RunningError
			switch {
			case err == nil && !won.CompareAndSwap(nil, f):
				t.Error("two claims won")
			case err != nil && (!errors.As(err, &running) || running.PID != os.Getpid()):
				t.Error(err)
			}
		}()
	}
	close(start)
	all.Wait()
	if won.Load() == nil {
		t.Fatal("no claim won")
	}
	if err := won.Load().Release(); err != nil {
		t.Error(err)
	}
}

// TestHolderDisturbsNobody looks while another process claims and releases, again and again.
func TestHolderDisturbsNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	claimant := processtest.Start(t, "claim and release", path)
	var lookers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		lookers.Add(1)
		go func() {
			defer lookers.Done()
			for {
				select {
				case <-done:
					return
				default:
				}
				if pid, err := Holder(path); err != nil || pid != 0 && pid != claimant.PID() {
					t.Errorf("the holder is %d, %v", pid, err)
					return
				}
			}
		}()
	}
	if got := claimant.Word(); got != "never failed" {
		t.Error(got)
	}
	close(done)
	lookers.Wait()
	claimant.End()
}

func TestClaimNowhere(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		make   func(path string) error
		remedy string
	}{
		"no/folder": {func(string) error { return nil }, "make its folder first"},
		"folder":    {func(path string) error { return os.Mkdir(path, 0o700) }, "it is a folder: want a file"},
		"pipe": {func(path string) error { return syscall.Mkfifo(path, 0o600) },
			"it is no regular file (prw-------)"},
		"link": {func(path string) error { return os.Symlink(filepath.Join(dir, "elsewhere"), path) },
			"it is a symbolic link: name the file"},
		"loop": {func(path string) error { return os.Symlink("loop", path) },
			"it is a symbolic link: name the file"},
	} {
		path := filepath.Join(dir, name)
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		for what, open := range map[string]func() error{
			"pid file": func() error { _, err := Claim(path); return err },
			"log":      func() error { _, err := OpenLog(path); return err },
		} {
			err := open()
			if err == nil || !strings.HasPrefix(err.Error(), "lineman: "+what+" "+path+": ") ||
				!strings.Contains(err.Error(), c.remedy) {
				t.Errorf("%s: %v, want %q", name, err, c.remedy)
			}
			if err != nil && strings.Count(err.Error(), path) != 1 {
				t.Errorf("%s: %v names the file twice", name, err)
			}
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "elsewhere")); err == nil {
		t.Error("a link was followed")
	}
	wantHolder(t, filepath.Join(dir, "pipe"), 0)
	if _, err := Holder(filepath.Join(dir, "link")); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("looking through a link: %v", err)
	}
}

// TestOpenLog makes a log that others cannot read, goes on with one, and takes the device for nothing by its name.
func TestOpenLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for range 2 {
		f, err := OpenLog(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("line\n"); err != nil {
			t.Error(err)
		}
		f.Close()
	}
	if text, err := os.ReadFile(path); string(text) != "line\nline\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&^0o640 != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if said, err := LogFrom(path, int64(len("line\n"))); string(said) != "line\n" || err != nil {
		t.Errorf("%q, %v", said, err)
	}
	f, err := OpenLog(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestClaimLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	claim(t, path)
	check := processtest.NoMoreFiles(t)
	wantRunning(t, path, os.Getpid())
	wantHolder(t, path, os.Getpid())
	check()
}
