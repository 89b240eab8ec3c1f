package hook

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// page is docs/hooks.md.
func page(t *testing.T) string {
	text, err := os.ReadFile("../../docs/hooks.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDocVectors has the page have each vector.
func TestDocVectors(t *testing.T) {
	text := page(t)
	for _, v := range vectors {
		row := "| `" + v.secret + "` | `" + v.timestamp + "` | `" + v.body + "` | `" + v.signature + "` |"
		if !strings.Contains(text, strings.Replace(row, "| `` |", "| |", 1)) {
			t.Errorf("the row is missing: %s", row)
		}
	}
}

// TestDocPrograms runs the programs of the page: they know good requests, and no others.
func TestDocPrograms(t *testing.T) {
	text := page(t)
	for _, c := range []struct{ language, name, driver string }{
		{"php", "php", "\n[, $a, $b, $c, $d] = $argv;\necho isSigned($a, $b, $c, $d) ? 'yes' : 'no';"},
		{"python", "python3", "\nimport sys\na, b, c, d = sys.argv[1:]\n" +
			"print('yes' if is_signed(a.encode(), b, c, d.encode()) else 'no', end='')"},
		{"js", "node", "\nconst [a, b, c, d] = process.argv.slice(2)\n" +
			"process.stdout.write(isSigned(a, b, c, Buffer.from(d)) ? 'yes' : 'no')"},
	} {
		t.Run(c.language, func(t *testing.T) {
			program, err := exec.LookPath(c.name)
			if err != nil {
				t.Skip(err)
			}
			code := regexp.MustCompile("(?s)```" + c.language + "\n(.*?)```").FindStringSubmatch(text)
			if code == nil {
				t.Fatal("the page has none")
			}
			file := filepath.Join(t.TempDir(), "signed."+c.language)
			if err := os.WriteFile(file, []byte(code[1]+c.driver), 0o600); err != nil {
				t.Fatal(err)
			}
			const secret, body = "0123456789abcdef", `{"events":[{"data":"grüß dich"}]}`
			now, old := time.Now().Unix(), time.Now().Add(-time.Hour).Unix()
			sign := func(at string, secrets ...string) string { return Sign(secrets, at, []byte(body)) }
			itoa := func(n int64) string { return strconv.FormatInt(n, 10) }
			for what, r := range map[string]struct {
				timestamp, signature, body, want string
			}{
				"good":           {itoa(now), sign(itoa(now), secret), body, "yes"},
				"two secrets":    {itoa(now), sign(itoa(now), "another", secret), body, "yes"},
				"another secret": {itoa(now), sign(itoa(now), "another"), body, "no"},
				"another body":   {itoa(now), sign(itoa(now), secret), body + " ", "no"},
				"another time":   {itoa(now + 1), sign(itoa(now), secret), body, "no"},
				"old":            {itoa(old), sign(itoa(old), secret), body, "no"},
				"none":           {itoa(now), "", body, "no"},
				"nothing":        {"", "", "", "no"},
			} {
				out, err := exec.Command(program, file, secret, r.timestamp, r.signature, r.body).CombinedOutput()
				if got := strings.TrimSpace(string(out)); err != nil || got != r.want {
					t.Errorf("%s: %s, %v, want %s", what, got, err, r.want)
				}
			}
		})
	}
}
