package master

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman/internal/processtest"
)

// TestImageReplaced removes the file, and puts another in its place.
func TestImageReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	copyProgram(t, "true", path)
	image := openImage(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(image.Path()).Run(); err != nil {
		t.Error(err)
	}
	copyProgram(t, "false", path)
	if err := exec.Command(image.Path()).Run(); err != nil {
		t.Error(err)
	}
	if err := exec.Command(openImage(t, path).Path()).Run(); err == nil {
		t.Error("the file was not opened as it is on disk")
	}
}

// TestImageDescriptor looks for it in a program that it starts with files of its own.
func TestImageDescriptor(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	if shell, err = filepath.EvalSymlinks(shell); err != nil {
		t.Fatal(err)
	}
	image := openImage(t, shell)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	closed := `for fd in /proc/$$/fd/*; do test "$(readlink $fd)" != "$0" || exit 1; done`
	cmd := exec.Command(image.Path(), "-c", closed, shell)
	for range 20 {
		cmd.ExtraFiles = append(cmd.ExtraFiles, null)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestImageOtherUser starts a program as a user who may not search its folder.
func TestImageOtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	path := filepath.Join(t.TempDir(), "program")
	copyProgram(t, "true", path)
	if err := os.Chmod(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	run := func(path string) error {
		cmd := exec.Command(path)
		cmd.Dir = "/"
		other := &syscall.Credential{Uid: processtest.OtherUser, Gid: processtest.OtherUser}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: other}
		return cmd.Run()
	}
	if err := run(path); !errors.Is(err, os.ErrPermission) {
		t.Fatalf("the folder is open: %v", err)
	}
	if err := run(openImage(t, path).Path()); err != nil {
		t.Error(err)
	}
}

// TestImageNotReadable opens a program that may be executed only, as a user to whom that matters.
func TestImageNotReadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	for dir := filepath.Dir(path); dir != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	copyProgram(t, "true", path)
	if err := os.Chmod(path, 0o711); err != nil {
		t.Fatal(err)
	}
	err := processtest.AsOther(t, func() error {
		image, err := OpenImage(path)
		if err != nil {
			return err
		}
		defer image.Close()
		return exec.Command(image.Path()).Run()
	})
	if err != nil {
		t.Error(err)
	}
}

// playRemoved removes its own file, and starts itself again.
func playRemoved([]string) error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	image, err := RunningImage()
	if err != nil {
		return err
	}
	defer image.Close()
	again := exec.Command(image.Path())
	again.Env = append(os.Environ(), processtest.Variable+"=wait")
	if err := again.Run(); err != nil {
		return err
	}
	fmt.Println("started")
	return nil
}

func TestRunningImageRemoved(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, self, 0o755); err != nil {
		t.Fatal(err)
	}
	a := processtest.StartCommand(t, exec.Command(path), "removed")
	if got := a.Word(); got != "started" {
		t.Error(got)
	}
	a.End()
}
