package master

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/channel"
	"github.com/lineman-go/lineman/internal/processtest"
)

// TestSeal has a sealed file be what it was, for whoever reads it and whatever was read of it.
func TestSeal(t *testing.T) {
	f, err := Seal("test", []byte("a state"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		if got, err := Unseal(f); err != nil || string(got) != "a state" {
			t.Errorf("%q, %v", got, err)
		}
	}
	for what, try := range map[string]func() error{
		"written": func() error { _, err := f.WriteAt([]byte("x"), 0); return err },
		"longer":  func() error { return f.Truncate(100) },
		"shorter": func() error { return f.Truncate(1) },
		"sealed":  func() error { _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, 0); return err },
		"mapped": func() error {
			_, err := unix.Mmap(int(f.Fd()), 0, 7, unix.PROT_WRITE, unix.MAP_SHARED)
			return err
		},
	} {
		if err := try(); err == nil {
			t.Errorf("it was %s", what)
		}
	}
	if fd, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || fd&unix.FD_CLOEXEC == 0 {
		t.Errorf("other programs get it: %v", err)
	}
}

// TestSealFull has no room be left for a file: there is an error, and no descriptor is left.
func TestSealFull(t *testing.T) {
	a := processtest.Start(t, "full")
	if got := a.Word(); got != "lineman: test: write test: file too large" {
		t.Error(got)
	}
	a.End()
}

// playFull may write files of a few bytes only.
func playFull([]string) error {
	signal.Ignore(unix.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 4, Max: 4}); err != nil {
		return err
	}
	_, err := Seal("test", []byte("a state"))
	fmt.Println(err)
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, fd := range open { // others come and go: the runtime has some
		if of, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(of, "/memfd:") {
			return fmt.Errorf("descriptor %s is left: %s", fd.Name(), of)
		}
	}
	return nil
}

// TestUnsealRefuses has files that somebody could change.
func TestUnsealRefuses(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd, err := unix.MemfdCreate("open", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	open := os.NewFile(uintptr(fd), "open")
	defer open.Close()
	if _, err := unix.FcntlInt(open.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_GROW); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{null, open} {
		if text, err := Unseal(f); err == nil {
			t.Errorf("%s: %q was taken", f.Name(), text)
		}
	}
}

// TestMasterBecomes has a process become this program anew: with the same pid, its child, and the descriptors that were
// named; others are closed.
func TestMasterBecomes(t *testing.T) {
	a := processtest.Start(t, "become")
	if got := a.Word(); got != "no error" {
		t.Error(got)
	}
	if got := a.Word(); got != fmt.Sprintf("pid %d, a state", a.PID()) {
		t.Error(got)
	}
	for _, want := range []string{
		"the other descriptor: bad file descriptor", "the child: exit code 3", "it was waited for",
	} {
		if got := a.Word(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	a.End()
}

// playBecome has a child, and becomes this program in the role of who has become it.
func playBecome([]string) error {
	sealed, err := Seal("test", []byte("a state"))
	if err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	child := exec.Command("sh", "-c", "exit 3")
	if err := child.Start(); err != nil {
		return err
	}
	image, err := RunningImage()
	if err != nil {
		return err
	}
	gone := &Image{file: null}
	if err := Become(gone, nil, nil, []int{int(sealed.Fd())}); err == nil {
		return fmt.Errorf("it has become a device")
	}
	if err := Become(image, nil, nil, []int{9999}); err == nil {
		return fmt.Errorf("it has become a program without a descriptor")
	}
	if flags, err := unix.FcntlInt(sealed.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		return fmt.Errorf("after a failure, other programs get the state")
	}
	fmt.Println("no error")
	args := []string{os.Args[0], fmt.Sprint(sealed.Fd()), fmt.Sprint(null.Fd()), fmt.Sprint(child.Process.Pid),
		fmt.Sprint(startOf(child.Process.Pid))}
	return Become(image, args, append(os.Environ(), processtest.Variable+"=became"), []int{int(sealed.Fd())})
}

func playBecame(args []string) error {
	var n [4]int
	for i, a := range args {
		var err error
		if n[i], err = strconv.Atoi(a); err != nil {
			return err
		}
	}
	state, err := Unseal(os.NewFile(uintptr(n[0]), "state"))
	if err != nil {
		return err
	}
	fmt.Printf("pid %d, %s\n", os.Getpid(), state)
	_, err = unix.FcntlInt(uintptr(n[1]), unix.F_GETFD, 0)
	fmt.Printf("the other descriptor: %v\n", err)
	host, err := NewHost(os.Args, "NOBODY", nil)
	if err != nil {
		return err
	}
	p, err := host.Adopt(SavedProcess{PID: n[2], Began: uint64(n[3])}, nil)
	if err != nil {
		return err
	}
	<-p.Exited()
	fmt.Printf("the child: %v\n", p.Status())
	if err := syscall.Kill(n[2], 0); err == nil {
		return fmt.Errorf("the child is a zombie")
	}
	fmt.Println("it was waited for")
	processtest.AwaitEnd()
	return nil
}

// TestAdoptStranger has the pid of a process be another's by now: that is no child of this process, and is left alone.
func TestAdoptStranger(t *testing.T) {
	host, err := NewHost(os.Args, "NOBODY", nil)
	if err != nil {
		t.Fatal(err)
	}
	stranger := processtest.Start(t, "wait")
	p, err := host.Adopt(SavedProcess{PID: stranger.PID(), Began: startOf(stranger.PID()) + 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	<-p.Exited()
	if s := p.Status(); s.Code != -1 || !strings.HasPrefix(s.Signal, "unknown") {
		t.Errorf("it ended with %v", s)
	}
	stranger.End()
}

// TestHoldEnds has a process end while ends are held: it waits, a zombie, for who is to wait for it.
func TestHoldEnds(t *testing.T) {
	host, err := NewHost([]string{os.Args[0]}, "NOBODY", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(processtest.Variable, "wait") // whose input is empty
	image, err := RunningImage()
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	again := host.HoldEnds()
	nothing := func(channel.Op, func(any) error) (any, []int, error) { return nil, nil, nil }
	p, err := host.Launch(Command{Image: image, Answer: nothing})
	if err != nil {
		t.Fatal(err)
	}
	awaitEnd(p.PID())
	if isClosed(p.Exited()) || !Gone(p.PID()) {
		t.Error("it was waited for")
	}
	trial, err := host.Launch(Command{Image: image, Answer: nothing, Trial: true})
	if err != nil {
		t.Fatal(err)
	}
	<-trial.Exited()
	again()
	<-p.Exited()
	if s := p.Status(); s != (Status{}) {
		t.Errorf("it ended with %v", s)
	}
}

// TestKeepClear gives the last file of a process another number where the one after it is the program's.
func TestKeepClear(t *testing.T) {
	image, err := RunningImage()
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	at := int(image.file.Fd())
	for _, n := range []int{at - 2, at - 1, at + 1} {
		if _, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0); err == nil {
			t.Skipf("descriptor %d is taken", n)
		}
		if err := unix.Dup3(int(os.Stdin.Fd()), n, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		f, err := keepClear(os.NewFile(uintptr(n), "last"), image)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if got := int(f.Fd()); got != n && n != at-1 || got+1 == at {
			t.Errorf("descriptor %d became %d, and the program is %d", n, got, at)
		}
	}
}
