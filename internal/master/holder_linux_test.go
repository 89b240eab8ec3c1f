package master

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/channel"
	"github.com/lineman-go/lineman/internal/processtest"
)

// signals are held in these tests.
var signals = []os.Signal{
	syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2,
}

// TestHoldSignals has signals come to a process that becomes this program anew, three times, and asks for none of them:
// it has all of them in the end. Meanwhile it stands still for a moment, as by Ctrl+Z.
func TestHoldSignals(t *testing.T) {
	a := processtest.Start(t, "held", "3")
	for n := range 3 {
		if got := a.Word(); got != fmt.Sprint(2-n, " times more") {
			t.Fatal(got)
		}
		sendAll(t, a.PID())
	}
	if err := syscall.Kill(a.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for s, ok := readStat(fmt.Sprintf("/proc/%d/stat", a.PID())); ok && s.state != 'T' && s.state != 't'; {
		s, ok = readStat(fmt.Sprintf("/proc/%d/stat", a.PID()))
	}
	sendAll(t, a.PID())
	if err := syscall.Kill(a.PID(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	a.End()
}

func sendAll(t *testing.T, pid int) {
	t.Helper()
	for _, s := range signals {
		if err := syscall.Kill(pid, s.(syscall.Signal)); err != nil {
			t.Fatal(err)
		}
	}
}

// playHeld has its signals held, and becomes this program some times. In the end it wants each of them.
func playHeld(args []string) error {
	times, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	own, its, err := channel.Pair()
	if err != nil {
		return err
	}
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), processtest.Variable+"=holder")
	holder.ExtraFiles = []*os.File{its}
	if err := holder.Start(); err != nil {
		return err
	}
	its.Close()
	if _, err := io.ReadFull(own, make([]byte, 1)); err != nil {
		return fmt.Errorf("the holder does not begin: %w", err)
	}
	return becomeHeld(times, int(own.Fd()), holder.Process.Pid)
}

func becomeHeld(times, own, holder int) error {
	image, err := RunningImage()
	if err != nil {
		return err
	}
	args := []string{os.Args[0], fmt.Sprint(times - 1), fmt.Sprint(own), fmt.Sprint(holder)}
	return Become(image, args, append(os.Environ(), processtest.Variable+"=became held"), []int{own})
}

func playBecameHeld(args []string) error {
	var n [3]int
	for i, a := range args {
		n[i], _ = strconv.Atoi(a)
	}
	fmt.Println(n[0], "times more")
	if n[0] > 0 {
		return becomeHeld(n[0], n[1], n[2])
	}
	processtest.AwaitEnd()
	got := make(chan os.Signal, 100)
	signal.Notify(got, signals...)
	host, err := NewHost(os.Args, "NOBODY", nil)
	if err != nil {
		return err
	}
	if err := host.Release(SavedHolder{PID: n[2], Began: startOf(n[2]), FD: n[1]}); err != nil {
		return err
	}
	if !Gone(n[2]) {
		return errors.New("the holder is left")
	}
	for missed := slices.Clone(signals); len(missed) > 0; {
		select {
		case s := <-got:
			missed = slices.DeleteFunc(missed, func(m os.Signal) bool { return m == s })
		case <-time.After(10 * time.Second):
			return fmt.Errorf("%v were lost", missed)
		}
	}
	return nil
}

// playHolder holds the signals of its parent.
func playHolder([]string) error {
	its := os.NewFile(3, "its")
	return HoldSignals(signals, time.Minute, its, func() { _, _ = its.Write([]byte("b")) }) // it shows
}

// TestHoldSignalsEnds has a time be over, and the other end be closed: the signals are given, and no thread is traced
// any more.
func TestHoldSignalsEnds(t *testing.T) {
	for _, within := range []string{"100ms", "1h"} {
		own, its, err := channel.Pair()
		if err != nil {
			t.Fatal(err)
		}
		defer own.Close()
		got := make(chan os.Signal, 100)
		signal.Notify(got, signals...)
		defer signal.Stop(got)
		cmd := exec.Command(os.Args[0], within)
		cmd.ExtraFiles = []*os.File{its}
		a := processtest.StartCommand(t, cmd, "holder for a time")
		its.Close()
		if word := a.Word(); word != "holds" {
			t.Fatal(word)
		}
		sendAll(t, os.Getpid())
		if within == "1h" {
			select {
			case s := <-got:
				t.Errorf("%v was not held", s)
			default:
			}
			release(own)
		}
		for range signals {
			select {
			case <-got:
			case <-time.After(time.Minute):
				t.Fatal("a signal was lost")
			}
		}
		a.End()
		status, err := os.ReadFile("/proc/self/status")
		if err != nil || !strings.Contains(string(status), "\nTracerPid:\t0\n") {
			t.Errorf("it is traced: %v", err)
		}
	}
}

// playHolderForATime holds the signals of its parent, for a time at most.
func playHolderForATime(args []string) error {
	within, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	return HoldSignals(signals, within, os.NewFile(3, "its"), func() { fmt.Println("holds") })
}

// TestHoldSignalsRefused has the system not let a process trace its parent, as somebody does already.
func TestHoldSignalsRefused(t *testing.T) {
	own, its, err := channel.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	cmd := exec.Command(os.Args[0], "1h")
	cmd.ExtraFiles = []*os.File{its}
	first := processtest.StartCommand(t, cmd, "holder for a time")
	first.Word()
	cmd = exec.Command(os.Args[0], "1h")
	cmd.ExtraFiles = []*os.File{its}
	second := processtest.StartCommand(t, cmd, "holder for a time")
	if got := second.Word(); got != "lineman: signals are not held: ptrace: operation not permitted" {
		t.Error(got)
	}
	its.Close()
	release(own)
	first.End()
}

// TestHoldSignalsOrphan has a process not trace one that is its parent only since the other one has died: that has not
// made the socket.
func TestHoldSignalsOrphan(t *testing.T) {
	a := processtest.StartCommand(t, exec.Command(os.Args[0], "1h"), "holder for a time") // without a socket
	if got := a.Word(); got != "lineman: signals are not held: who wants that has gone" {
		t.Error(got)
	}
}

// TestHolderDies has the holder be killed: the process goes on, and gets what comes from then on.
func TestHolderDies(t *testing.T) {
	own, its, err := channel.Pair()
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan os.Signal, 100)
	signal.Notify(got, syscall.SIGUSR1)
	defer signal.Stop(got)
	cmd := exec.Command(os.Args[0], "1h")
	cmd.ExtraFiles = []*os.File{its}
	a := processtest.StartCommand(t, cmd, "holder for a time")
	its.Close()
	a.Word()
	a.Kill()
	release(own)
	if err := unix.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	<-got
}

// TestImageGivesRights knows a program that whoever starts it has more rights by.
func TestImageGivesRights(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!"), 0o755); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]bool{
		0o755: false, 0o755 | os.ModeSetuid: true, 0o755 | os.ModeSetgid: true,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		i, err := OpenImage(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := i.givesRights(); got != want {
			t.Errorf("%v: %v", mode, got)
		}
		i.Close()
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	bind := binary.LittleEndian.AppendUint32(nil, 0x02000001) // revision 2, effective: capabilities(7)
	bind = binary.LittleEndian.AppendUint32(bind, 1<<unix.CAP_NET_BIND_SERVICE)
	if err := unix.Setxattr(path, "security.capability", append(bind, make([]byte, 12)...), 0); err != nil {
		t.Skip("needs to be allowed to give them: ", err)
	}
	i, err := OpenImage(path)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if !i.givesRights() {
		t.Error("its capabilities are not seen")
	}
}

// ofThisTest names this process in the environment of others.
const ofThisTest = "LINEMAN_TEST_OF="

// TestHeldDies has the process be killed whose signals are held: the holder ends.
func TestHeldDies(t *testing.T) {
	for range 20 {
		cmd := exec.Command(os.Args[0], "1000")
		cmd.Env = append(os.Environ(), ofThisTest+fmt.Sprint(os.Getpid()))
		a := processtest.StartCommand(t, cmd, "held")
		a.Word()
		a.Kill()
		var left []string
		for late := time.Now().Add(time.Minute); time.Now().Before(late); time.Sleep(time.Millisecond) {
			if left = tracers(t); len(left) == 0 {
				break
			}
		}
		if len(left) > 0 {
			t.Fatalf("holders are left: %v", left)
		}
	}
}

// tracers are the processes that hold signals, by their environments.
func tracers(t *testing.T) (all []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), processtest.Variable+"=holder\x00") &&
			strings.Contains(string(text), "\x00"+ofThisTest+fmt.Sprint(os.Getpid())+"\x00") {
			all = append(all, file)
		}
	}
	return all
}
