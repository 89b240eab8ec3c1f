package program

import (
	"os"
	"path/filepath"
	"testing"
)

// TestResolve names what is not named after the program, in the working folder.
func TestResolve(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(here, name) }
	elsewhere := filepath.Join(t.TempDir(), "log")
	for given, want := range map[Instance]Instance{
		{}: {
			Name: Name(), PIDFile: in(Name() + ".pid"), Socket: in(Name() + ".sock"), LogFile: in(Name() + ".log"),
		},
		{Name: "a"}: {Name: "a", PIDFile: in("a.pid"), Socket: in("a.sock"), LogFile: in("a.log")},
		{Name: "a", PIDFile: "run/b", LogFile: elsewhere}: {
			Name: "a", PIDFile: in(filepath.Join("run", "b")), Socket: in("a.sock"), LogFile: elsewhere,
		},
	} {
		if got := given.Resolve(); got != want {
			t.Errorf("%+v is %+v, want %+v", given, got, want)
		}
	}
}
