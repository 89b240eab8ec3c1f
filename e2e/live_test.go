package e2e

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPageComesBack runs the page of docs/push.md: it comes back when the server is replaced, asks for a credential each time, and stays
// away when it was kicked.
func TestPageComesBack(t *testing.T) {
	found := regexp.MustCompile("(?ms)^```js\n(function live.*?)^```$").FindStringSubmatch(read(t, "../docs/push.md"))
	if found == nil {
		t.Fatal("docs/push.md has no function live")
	}
	if n := strings.Count(found[1], "\n"); n > 15 {
		t.Errorf("it has %d lines", n)
	}
	p := startLineman(t)
	page := open(t, browser(t), "http://"+p.pages+"/")
	eval[string](page, found[1]+fmt.Sprintf(`
		var asked = 0, got = [], end = 0
		live("ws://%s/anywhere", async () => { asked++; return "uid1" }, m => got.push(m), code => { end = code }); ""`, p.pages))
	p.known("uid1")

	reload := func() {
		t.Helper()
		eval[string](page, `got = []; ""`)
		p.command("reload")
		p.known("uid1")
		eventually(t, "the page gets nothing from the successor", func() bool { return eval[int](page, "got.length") > 0 })
	}
	for _, end := range []string{`4200`, `4102,"reason":"{\"retry\":1}"`, `4103,"reason":"{\"retry\":1}"`} {
		p.ask(`{"cmd":"kick","to":"*","code":` + end + "}\n")
		p.known("uid1")
	}
	reload()
	reload()
	if asked, end := eval[int](page, "asked"), eval[int](page, "end"); asked != 6 || end != 0 {
		t.Errorf("a credential was asked for %d times, want 6; its end is %d", asked, end)
	}
	p.ask(`{"cmd":"kick","to":"*"}` + "\n")
	eventually(t, "the page does not say that it was kicked", func() bool { return eval[int](page, "end") == 4010 })
}

// command runs a command of lineman on a server.
func (p push) command(args ...string) string {
	p.t.Helper()
	out, err := tryIn(p.t, p.cmd.Dir, "", filepath.Join(binaries, "lineman"), args...)
	if err != nil {
		p.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}
