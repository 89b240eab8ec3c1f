package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// pusherLibraries are those that pages and back ends use, as their authors publish them.
var pusherLibraries = []string{"pusher-js@8.6.0", "laravel-echo@2.5.0", "pusher@5.3.4"}

// installed is what npm has said, once.
var installed struct {
	once   sync.Once
	folder string
	out    string
	err    error
}

// libraries installs the libraries of Pusher by npm, once for all tests, and returns the folder that has them.
func libraries(t *testing.T) string {
	t.Helper()
	need(t, "node")
	need(t, "npm")
	i := &installed
	i.once.Do(func() {
		i.folder = filepath.Join(binaries, "pusher")
		if i.err = os.Mkdir(i.folder, 0o755); i.err != nil {
			return
		}
		write(t, filepath.Join(i.folder, "package.json"), "{}")
		cmd := exec.Command("npm", append([]string{
			"install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", i.folder,
		}, pusherLibraries...)...)
		out, err := cmd.CombinedOutput()
		i.out, i.err = string(out), err
	})
	if i.err != nil {
		missing(t, "npm does not install the libraries of Pusher: "+i.out)
	}
	return i.folder
}

// startPusher starts a server in dev mode, which has an app, and returns the addresses of pages and of the HTTP API.
func startPusher(t *testing.T, flags ...string) (p push, api string) {
	t.Helper()
	p = startLineman(t, flags...)
	api, _, _ = strings.Cut(strings.TrimPrefix(p.api, "http://"), "/")
	return p, api
}

// TestPusherLibraries has pusher-js and the library for back ends on Node do all that they can, unchanged.
func TestPusherLibraries(t *testing.T) {
	t.Parallel()
	folder := libraries(t)
	p, api := startPusher(t)
	runScript(t, "libraries.cjs", folder, p.pages, api)
}

// TestPusherReload has a page by pusher-js notice nothing of reloads.
func TestPusherReload(t *testing.T) {
	t.Parallel()
	folder := libraries(t)
	p, api := startPusher(t)
	runScript(t, "reload.cjs", folder, p.pages, api, p.cmd.Dir, filepath.Join(binaries, "lineman"))
}

// runScript runs one of testdata/pusher, which says all when it has done all.
func runScript(t *testing.T, name string, args ...string) {
	t.Helper()
	script, err := filepath.Abs("testdata/pusher/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := try(t, "", "node", append([]string{script}, args...)...); err != nil ||
		!strings.HasSuffix(out, "all\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
