package master

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
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
	cmd := exec.Command(image.Path(), "-c", `for fd in /proc/$$/fd/*; do test "$(readlink $fd)" != "$0" || exit 1; done`, shell)
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
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: otherUser, Gid: otherUser}}
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
	err := asOther(t, func() error {
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
	again.Env = append(os.Environ(), roleVariable+"=wait")
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
	a := perform(t, exec.Command(path), "removed")
	if got := a.word(); got != "started" {
		t.Error(got)
	}
	a.end()
}

// TestAskOthers has a user told why the program of another one does not answer.
func TestAskOthers(t *testing.T) {
	c := control(t, echo)
	for folder := filepath.Dir(c.path); folder != filepath.Clean(os.TempDir()); folder = filepath.Dir(folder) {
		if err := os.Chmod(folder, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	err := asOther(t, func() error { _, err := Ask(t.Context(), c.path, "good"); return err })
	want := "lineman: control socket " + c.path + ": permission denied: give the command as the user whose program it is, or as root"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestPlacesOfOthers has a user without rights be told what to do, in words that need no knowledge of the program's
// source.
func TestPlacesOfOthers(t *testing.T) {
	dir := t.TempDir()
	for folder := dir; folder != filepath.Clean(os.TempDir()); folder = filepath.Dir(folder) {
		if err := os.Chmod(folder, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	for what, open := range map[string]func(path string) error{
		"pid file":       func(path string) error { _, err := Claim(path); return err },
		"log":            func(path string) error { _, err := OpenLog(path); return err },
		"control socket": func(path string) error { _, err := ListenControl(path, nil); return err },
	} {
		path := filepath.Join(dir, "x")
		err := asOther(t, func() error { return open(path) })
		want := fmt.Sprintf("lineman: %s %s: permission denied: start it in a folder that this user may write to, or as a user who may write there", what, path)
		if err == nil || err.Error() != want || !errors.Is(err, os.ErrPermission) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
