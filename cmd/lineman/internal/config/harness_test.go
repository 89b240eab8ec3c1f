package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// aKey is what the variable of api.keys may be.
const aKey = "LINEMAN_API_KEYS=[{name: shop, key: 0123456789abcdef, scopes: [publish, admin]}]"

// aHash is the hash of "correct horse battery".
const aHash = "$pbkdf2-sha256$100000$MDEyMzQ1Njc4OWFiY2RlZg$hLne8TouGCTQgICXM2UlnguGPFJk6wzUwaafCbSR+18"

// write makes a file that nobody else can read, and returns its name.
func write(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "lineman.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// parsed are the flags of a command line.
func parsed(t testing.TB, args ...string) *pflag.FlagSet {
	t.Helper()
	f := pflag.NewFlagSet("start", pflag.ContinueOnError)
	Flags(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f
}

// loadFile loads a file with this text alone.
func loadFile(t testing.TB, text string) (*Loaded, error) {
	t.Helper()
	return Load(nil, []string{"LINEMAN_CONFIG=" + write(t, text)})
}

// says wants an error to have these lines, in any order, each somewhere in one of its own. None means no error.
func says(t *testing.T, what string, err error, lines ...string) {
	t.Helper()
	if len(lines) == 0 {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	if err == nil {
		t.Errorf("%s: no error, want %q", what, lines)
		return
	}
	said := strings.Split(err.Error(), "\n")
	if len(said) != len(lines) {
		t.Errorf("%s: %d errors, want %d:\n%v", what, len(said), len(lines), err)
	}
	for _, line := range lines {
		if !strings.Contains(err.Error(), line) {
			t.Errorf("%s: the error does not say %q:\n%v", what, line, err)
		}
	}
	for _, line := range said {
		if !strings.HasPrefix(line, "config: ") {
			t.Errorf("%s: a line without the package: %s", what, line)
		}
	}
}
