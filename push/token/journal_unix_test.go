//go:build unix

package token_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman/push/token"
)

// TestJournalIrregular refuses what somebody else could have put in the file's place, without waiting and without
// writing to what a link leads to. What is in the place of the file's replacement is removed.
func TestJournalIrregular(t *testing.T) {
	folder := t.TempDir()
	precious := filepath.Join(folder, "precious")
	if err := os.WriteFile(precious, []byte(`{"uid":"7","at":1}`+"\n\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(name string) error{
		"link": func(name string) error { return os.Symlink(precious, name) },
		"lost": func(name string) error { return os.Symlink(filepath.Join(folder, "nothing"), name) },
		"pipe": func(name string) error { return syscall.Mkfifo(name, 0o600) },
	} {
		path := filepath.Join(folder, name)
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		if _, err := token.OpenRevocations(path); err == nil || !strings.Contains(err.Error(), path+" is ") {
			t.Errorf("%s: %v", name, err)
		}
		fresh := filepath.Join(folder, name+"-next")
		if err := make(fresh + ".new"); err != nil {
			t.Fatal(err)
		}
		r, err := token.OpenRevocations(fresh)
		if err != nil {
			t.Errorf("%s.new: %v", name, err)
			continue
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	text, err := os.ReadFile(precious)
	info, _ := os.Stat(precious)
	if err != nil || !strings.HasSuffix(string(text), "\n\n") || info.Mode().Perm() != 0o644 {
		t.Errorf("a link was written through: %q, %v, %v", text, info.Mode(), err)
	}
	if _, err := os.Lstat(filepath.Join(folder, "nothing")); !os.IsNotExist(err) {
		t.Errorf("a file was made where a link leads: %v", err)
	}
}
