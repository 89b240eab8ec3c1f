package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// TestBackends runs each program of docs/backends.md, without a key and with one.
func TestBackends(t *testing.T) {
	const document = "../docs/backends.md"
	folder := t.TempDir()
	for name, language := range map[string]string{
		"client.php": "php", "client.py": "python", "client.js": "js", "client.go": "go", "client.sh": "sh",
	} {
		write(t, filepath.Join(folder, name), block(t, document, language))
	}
	const key = "the key of this test"
	settings := filepath.Join(folder, "lineman.yaml")
	write(t, settings, fmt.Sprintf("text: {auth: true}\napi: {keys: [{name: test, key: %q}]}\n", key))
	t.Setenv("PATH", binaries+":"+os.Getenv("PATH"))
	t.Setenv("GOFLAGS", "-mod=mod") // the program is in no module
	for what, c := range map[string]struct {
		flags []string
		key   string
	}{"no key": {nil, ""}, "a key": {[]string{"--config", settings}, key}} {
		t.Run(what, func(t *testing.T) {
			p := startLineman(t, c.flags...)
			page := visit(t, p.pages)
			if err := wsutil.WriteClientText(page, []byte("uid1")); err != nil {
				t.Fatal(err)
			}
			t.Setenv("LINEMAN_SERVER", p.backends)
			t.Setenv("LINEMAN_API", strings.TrimSuffix(p.api, "/v1/"))
			t.Setenv("LINEMAN_KEY", c.key)
			linemantest.Until(t, "the page is not there", func() bool {
				out, _ := try(t, "", "lineman", "push", "--server", p.backends, "uid", "uid1", `"probe"`)
				return out == "1\n"
			})
			for _, run := range [][]string{
				{"php", "client.php"}, {"python3", "client.py"}, {"node", "client.js"}, {"go", "run", "client.go"},
				{"sh", "client.sh"},
			} {
				t.Run(run[0], func(t *testing.T) {
					run[len(run)-1] = filepath.Join(folder, run[len(run)-1])
					if got := output(t, "", run[0], run[1:]...); got != "1\n1\n{\"uid1\":true,\"uid2\":false}\n" {
						t.Errorf("it prints %q", got)
					}
					gets(t, page, `{"percent":"88%"}`, "hello, room")
				})
			}
		})
	}
}

// gets checks what a page is sent, beside what found out that it is there.
func gets(t *testing.T, page net.Conn, want ...string) {
	t.Helper()
	for _, w := range want {
		got, err := wsutil.ReadServerText(page)
		for err == nil && string(got) == `"probe"` {
			got, err = wsutil.ReadServerText(page)
		}
		if err != nil || string(got) != w {
			t.Errorf("the page got %q, %v, want %q", got, err, w)
		}
	}
}
