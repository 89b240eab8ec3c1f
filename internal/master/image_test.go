//go:build unix

package master

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman/internal/processtest"
)

// copyProgram copies a program that PATH has, such as true.
func copyProgram(t *testing.T, name, to string) {
	t.Helper()
	from, err := exec.LookPath(name)
	if err != nil {
		t.Skip(err)
	}
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func openImage(t *testing.T, path string) *Image {
	t.Helper()
	i, err := OpenImage(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

func TestOpenImage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	copyProgram(t, "true", path)
	if err := exec.Command(openImage(t, path).Path()).Run(); err != nil {
		t.Error(err)
	}
}

func TestOpenImageWrong(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		make func(path string) error
		want string
		is   error
	}{
		"gone":   {func(string) error { return nil }, "is gone", nil},
		"link":   {func(path string) error { return os.Symlink(filepath.Join(dir, "gone"), path) }, "is gone", nil},
		"folder": {func(path string) error { return os.Mkdir(path, 0o755) }, "is a folder", nil},
		"text": {func(path string) error { return os.WriteFile(path, nil, 0o644) },
			"is not executable (-rw-r--r--)", nil},
		"pipe": {func(path string) error { return syscall.Mkfifo(path, 0o755) }, "is no regular file", nil},
		"text/x": {func(path string) error { return os.WriteFile(filepath.Dir(path), nil, 0o644) },
			"not a directory", syscall.ENOTDIR},
	} {
		path := filepath.Join(dir, name)
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		check := processtest.NoMoreFiles(t)
		_, err := OpenImage(path)
		if err == nil || !strings.HasPrefix(err.Error(), "lineman: ") || !strings.Contains(err.Error(), c.want) ||
			!strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want that it %s", name, err, c.want)
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v is not %v", name, err, c.is)
		}
		check()
	}
}

// TestLaunchNoProgram says what is wrong with a file that the system cannot run, and not which descriptor it was.
func TestLaunchNoProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("junk"), 0o755); err != nil {
		t.Fatal(err)
	}
	host, err := NewHost(os.Args[:1], crewChannel, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer host.null.Close()
	image := openImage(t, path)
	check := processtest.NoMoreFiles(t)
	_, err = host.Launch(Command{Image: image})
	if !errors.Is(err, syscall.ENOEXEC) ||
		!strings.HasPrefix(err.Error(), "exec format error: its file is no program") {
		t.Errorf("got %v", err)
	}
	check()
}

func TestSame(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "program"), filepath.Join(dir, "link")
	copyProgram(t, "true", path)
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	first := openImage(t, path)
	if !first.Same(openImage(t, link)) {
		t.Error("a file is not the same by a link")
	}
	copyProgram(t, "true", path+".new")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if first.Same(openImage(t, path)) {
		t.Error("a file is the one that has taken its place")
	}
}

func TestRunningImage(t *testing.T) {
	running, err := RunningImage()
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if !running.Same(openImage(t, path)) {
		t.Errorf("what runs is not %s", path)
	}
}

// playProgramPath says where a program is that was started by these names.
func playProgramPath(args []string) error {
	for _, arg0 := range args {
		path, err := ProgramPath(arg0)
		if err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}

// TestProgramPath works in a folder that is reached by a symbolic link.
func TestProgramPath(t *testing.T) {
	dir := t.TempDir()
	current, bin := filepath.Join(dir, "current"), filepath.Join(dir, "bin")
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "release"), 0o755), os.Symlink("release", current),
		os.Mkdir(bin, 0o755), os.WriteFile(filepath.Join(bin, "tool"), nil, 0o755),
		os.Symlink("tool", filepath.Join(bin, "app")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	named := []string{"./app", "sub/app", "../app", "/srv/app/current/app", "app", "-no-such-program", ""}
	cmd := exec.Command(self, named...)
	cmd.Dir = current
	cmd.Env = append(os.Environ(), "PATH="+bin, "PWD="+current)
	a := processtest.StartCommand(t, cmd, "program path")
	for i, want := range []string{
		filepath.Join(current, "app"), filepath.Join(current, "sub/app"), filepath.Join(dir, "app"),
		"/srv/app/current/app",
		filepath.Join(bin, "app"), self, self,
	} {
		if got := a.Word(); got != want {
			t.Errorf("%q is %s, want %s", named[i], got, want)
		}
	}
	a.End()
}

func TestByGoRun(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	for path, want := range map[string]bool{
		"/tmp/go-build123456/b001/exe/echo":                true,
		"/var/folders/x/T/go-build1/b001/exe/echo":         true,
		"/root/.cache/go-build/01/" + hash + "-d/echo":     true,
		"/tmp/go-build123456/b001/echo.test":               false,
		"/tmp/go-build123456/b001/exe/sub/echo":            false,
		"/tmp/go-build/b001/exe/echo":                      false,
		"/tmp/go-builder1/b001/exe/echo":                   false,
		"/root/.cache/go-build/01/" + hash + "-a":          false,
		"/root/.cache/go-build/01/" + hash[1:] + "-d/echo": false,
		"/root/.cache/go-build/xy/" + hash + "-d/echo":     false,
		"/srv/app/current/echo":                            false,
		"/srv/exe/echo":                                    false,
		"":                                                 false,
	} {
		if got := ByGoRun(path); got != want {
			t.Errorf("%s was built by go run: %v, want %v", path, got, want)
		}
	}
}

func TestOpenImageUnreadableFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(dir, 0o700) }()
	if _, err := OpenImage(filepath.Join(dir, "program")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}
