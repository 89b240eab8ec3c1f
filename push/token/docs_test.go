package token_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push/token"
)

// TestDocPrograms runs the programs of the documentation that make a ticket, and checks what they print.
func TestDocPrograms(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "tokens.md"))
	if err != nil {
		t.Fatal(err)
	}
	const odd = `0123456789 a"b$c'd\e ü`
	v := verifier(t,
		token.Options{Keys: []token.Key{{Secret: []byte(odd)}}, Algorithms: []string{token.Ticket}, Now: time.Now})
	for language, run := range map[string][]string{
		"php": {"php"}, "python": {"python3", "-"}, "js": {"node", "-"}, "sh": {"sh"}, "go": {"go", "run"},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			found := regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatch(text, -1)
			if len(found) != 1 {
				t.Fatalf("%d programs", len(found))
			}
			for _, program := range []string{run[0], map[string]string{"sh": "openssl"}[language]} {
				if _, err := exec.LookPath(program); program != "" && err != nil {
					t.Skip(err)
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, run[0], run[1:]...)
			c.Stdin = bytes.NewReader(found[0][1])
			if language == "go" {
				file := filepath.Join(t.TempDir(), "main.go")
				if err := os.WriteFile(file, found[0][1], 0o600); err != nil {
					t.Fatal(err)
				}
				c.Args = append(c.Args, file)
			}
			c.Env = append(os.Environ(), "LINEMAN_TOKEN_KEY="+odd)
			var wrong bytes.Buffer
			c.Stderr = &wrong
			out, err := c.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, wrong.Bytes())
			}
			said, err := v.Verify(ctx, strings.TrimSpace(string(out)))
			if err != nil || said.UID != "7" || !slices.Equal(said.Channels, []string{"chat:*"}) ||
				said.Issued.IsZero() {
				t.Errorf("%s: %+v, %v", out, said, err)
			}
		})
	}
}
