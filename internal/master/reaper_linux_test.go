package master

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/processtest"
)

// playWait ends when its input does.
func playWait([]string) error {
	processtest.AwaitEnd()
	return nil
}

// playOrphaner leaves a child behind, in a group of its own, that ends when its input does.
func playOrphaner([]string) error {
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), processtest.Variable+"=wait")
	child.Stdin = os.Stdin
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := child.Start(); err != nil {
		return err
	}
	fmt.Println(child.Process.Pid)
	return nil
}

// TestReaper has another process adopt orphans as the first of a container does, which would be this program's
// strangers.
func TestReaper(t *testing.T) {
	a := processtest.Start(t, "reaper")
	if got := a.Word(); got != "reaped" {
		t.Error(got)
	}
	a.End()
}

func playReaper([]string) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	hook, worker := exec.Command("true"), exec.Command("true")
	worker.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := errors.Join(hook.Start(), worker.Start()); err != nil {
		return err
	}
	mine := func(pid int) bool { return pid == worker.Process.Pid }
	stranger, err := die(mine)
	if err != nil {
		return err
	}
	if err := errors.Join(dead(hook.Process.Pid), dead(worker.Process.Pid), dead(stranger)); err != nil {
		return err
	}
	var r Reaper
	now := time.Now()
	if n := r.Reap(now, mine); n != 1 {
		return fmt.Errorf("%d strangers were reaped, want 1", n)
	}
	if err := unix.Kill(stranger, 0); err != unix.ESRCH {
		return fmt.Errorf("the stranger is left: %v", err)
	}
	if n := r.Reap(now.Add(29*time.Second), mine); n != 0 {
		return fmt.Errorf("%d strangers were reaped, want none", n)
	}
	if err := errors.Join(hook.Wait(), worker.Wait()); err != nil {
		return fmt.Errorf("somebody else has waited: %w", err)
	}
	orphan := exec.Command("true") // of the own group, and nobody waits for it
	if err := errors.Join(orphan.Start(), dead(orphan.Process.Pid)); err != nil {
		return err
	}
	if first, late := r.Reap(now, mine), r.Reap(now.Add(time.Minute), mine); first != 0 || late != 1 {
		return fmt.Errorf("of an orphan of the own group: %d, and after a minute %d", first, late)
	}
	fmt.Println("reaped")
	return nil
}

// die makes an orphan, has it die, and returns its pid. While it lives there is nothing to reap.
func die(mine func(pid int) bool) (pid int, err error) {
	input, end, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer end.Close()
	defer input.Close()
	orphaner := exec.Command("/proc/self/exe")
	orphaner.Env = append(os.Environ(), processtest.Variable+"=orphaner")
	orphaner.Stdin = input
	told, err := orphaner.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := orphaner.Start(); err != nil {
		return 0, err
	}
	if _, err := fmt.Fscan(told, &pid); err != nil {
		return 0, err
	}
	if err := orphaner.Wait(); err != nil {
		return 0, err
	}
	if n := (&Reaper{}).Reap(time.Now(), mine); n != 0 {
		return 0, fmt.Errorf("%d processes were reaped that live, or are somebody's", n)
	}
	return pid, nil
}

// dead waits until a child has died, and leaves it for others to wait for.
func dead(pid int) error {
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		return fmt.Errorf("pid %d: %w", pid, err)
	}
	return nil
}

// TestReadStat reads of a thread whose name looks like what follows it.
func TestReadStat(t *testing.T) {
	result := make(chan string)
	go func() {
		runtime.LockOSThread() // it ends with its name
		if err := os.WriteFile("/proc/thread-self/comm", []byte("a) Z 5 6 (b"), 0); err != nil {
			result <- err.Error()
			return
		}
		s, ok := readStat("/proc/thread-self/stat")
		want := stat{pid: unix.Gettid(), parent: os.Getppid(), group: unix.Getpgrp(), state: 'R'}
		if !ok || s != want {
			result <- fmt.Sprintf("got %+v, want %+v", s, want)
		}
		close(result)
	}()
	if got := <-result; got != "" {
		t.Error(got)
	}
}
