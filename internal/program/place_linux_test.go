package program

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/lineman-go/lineman/internal/processtest"
)

// TestAskOthers has a user told why the program of another one does not answer.
func TestAskOthers(t *testing.T) {
	c := control(t, echo)
	for folder := filepath.Dir(c.path); folder != filepath.Clean(os.TempDir()); folder = filepath.Dir(folder) {
		if err := os.Chmod(folder, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	err := processtest.AsOther(t, func() error { _, err := Ask(t.Context(), c.path, "good"); return err })
	want := "lineman: control socket " + c.path +
		": permission denied: give the command as the user whose program it is, or as root"
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
		err := processtest.AsOther(t, func() error { return open(path) })
		want := fmt.Sprintf("lineman: %s %s: permission denied: "+
			"start it in a folder that this user may write to, or as a user who may write there", what, path)
		if err == nil || err.Error() != want || !errors.Is(err, os.ErrPermission) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
