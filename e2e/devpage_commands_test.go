package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// pasted are the commands that the page of dev mode shows, and how each is run when it was pasted: into a file of this
// name, by this command in its folder.
var pasted = []struct {
	tab, file string
	run       []string
}{
	{"lineman", "push.sh", []string{"sh", "push.sh"}},
	{"curl", "push.sh", []string{"sh", "push.sh"}},
	{"PHP", "push.php", []string{"php", "push.php"}},
	{"Node", "push.js", []string{"node", "push.js"}},
	{"Python", "push.py", []string{"python3", "push.py"}},
	{"Go", "push.go", []string{"go", "run", "push.go"}},
}

// paste runs what a tab of the page shows, and returns what it says.
func (p *tab) paste(t *testing.T, tab, file string, run []string, env ...string) string {
	t.Helper()
	need(t, run[0])
	if tab == "curl" {
		need(t, "curl")
	}
	folder := t.TempDir()
	p.press("#tab-" + tab)
	eval[string](p, `(() => {
		const button = document.querySelector("#copy")
		window.told = false
		new MutationObserver(() => window.told ||= button.textContent == "Copied").observe(button, {childList: true})
		navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve() }
		return ""
	})()`)
	p.press("#copy")
	linemantest.Until(t, "the button does not say that it has copied", func() bool {
		return eval[bool](p, "window.told")
	})
	code := eval[string](p, "window.copied")
	if shown := eval[string](p, `document.querySelector("pre.shown").textContent`); shown != code {
		t.Errorf("%s: %q was copied, and %q is shown", tab, code, shown)
	}
	write(t, filepath.Join(folder, file), code+"\n")
	cmd := exec.Command(run[0], run[1:]...)
	cmd.Dir = folder
	cmd.Env = append(append(os.Environ(), "PATH="+binaries+":"+os.Getenv("PATH")), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s\n%s", tab, err, out, code)
	}
	return strings.TrimSpace(string(out))
}

// TestDevPageCommands runs each command that the page shows for what it has done last, with what is hard to quote: the
// users get the same once more.
func TestDevPageCommands(t *testing.T) {
	t.Parallel()
	p := startLineman(t)
	page := openDev(t, browser(t), p, "uid1", "-it's\"`$HOME\\")
	const hard = `it's \"quoted\" \\ \n $HOME ${x} %s %d {$x} ` + "`id`" + ` !! <?php ?> </script> é 日本 😀 \u0000 ` +
		"\u2028\ufeff"
	var received []string
	for i, w := range []struct{ kind, name, words string }{
		{"channel", "dev:room", `{"percent":"88%"}`},
		{"channel", "dev:room", `{ "a": "` + hard + `",
			"n": 1, "list": [1.5e3, -2, null, true, {}] }`},
		{"uid", "-it's\"`$HOME\\", hard + "\n\tas text"},
		{"all", "", "-"},
		{"channel", "dev:room", "-1"},
	} {
		page.publishes("", w.kind, w.name, w.words)
		page.shows("#answer", "Published: ")
		const receiver = 1
		came := func(before int) string {
			t.Helper()
			linemantest.Until(t, "it does not come", func() bool { return len(page.got(receiver, ".text")) > before })
			return page.got(receiver, ".text")[before]
		}
		first := came(len(received))
		for _, one := range pasted {
			t.Run(fmt.Sprintf("%d/%s", i, one.tab), func(t *testing.T) {
				before := len(page.got(receiver, ".text"))
				said := page.paste(t, one.tab, one.file, one.run)
				if one.tab != "lineman" && !strings.HasPrefix(said, `{"ok":true,"n":`) {
					t.Errorf("it says %q", said)
				}
				if again := came(before); again != first {
					t.Errorf("%q came, in place of %q", again, first)
				}
			})
		}
		received = page.got(receiver, ".text")
	}
}

// TestDevPageJoins has the page show the command that puts somebody into a group.
func TestDevPageJoins(t *testing.T) {
	t.Parallel()
	p := startLineman(t)
	page := openDev(t, browser(t), p, "uid1")
	page.fill(user(0)+".join select", "g:")
	page.fill(user(0)+".join input", "staff")
	page.press(user(0) + ".join button")
	for _, one := range pasted[1:] {
		t.Run(one.tab, func(t *testing.T) {
			linemantest.Until(t, "it is not in the group", func() bool {
				return strings.Contains(p.ask(`{"cmd":"count","to":"g:staff"}`+"\n"), `"g:staff":1`)
			})
			p.ask(`{"cmd":"leave","to":"u:uid1","group":"staff"}` + "\n")
			if said := page.paste(t, one.tab, one.file, one.run); said != `{"ok":true,"n":1}` {
				t.Errorf("it says %q", said)
			}
		})
	}
	page.press("#tab-lineman")
	page.shows("#code-lineman", "lineman push publishes, and does nothing else")
}

// TestDevPageKey has the page do nothing as a back end where those need a key, and say so; its commands take the key.
func TestDevPageKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, folder+"/lineman.yaml", "api: {keys: [{name: shop, key: 0123456789abcdef}]}\n")
	p := startLineman(t, "--config", folder+"/lineman.yaml")
	page := openDev(t, browser(t), p, "uid1")
	page.shows("#lacks", "The HTTP API wants a key")
	if !eval[bool](page, `document.querySelector("#as").options[0].disabled`) {
		t.Error("it may publish as a back end")
	}
	page.publishes("1", "channel", "dev:room", "hello")
	page.gets(0, "hello")
	for _, one := range pasted {
		t.Run(one.tab, func(t *testing.T) {
			before := len(page.got(0, ".text"))
			page.paste(t, one.tab, one.file, one.run, "LINEMAN_KEY=0123456789abcdef")
			linemantest.Until(t, "it does not come", func() bool { return len(page.got(0, ".text")) > before })
		})
	}
}

// TestDevPageNoAPI has the page say that there is no HTTP API, and do what it can without it.
func TestDevPageNoAPI(t *testing.T) {
	t.Parallel()
	o := start(t, "lineman", "start", "--listen", "127.0.0.1:0", "--text", "127.0.0.1:0", "--api", "", "--admin", "")
	said := o.find(`pages on ws://(\S+), back ends on (\S+)`)
	page := openDev(t, browser(t), push{o, said[0], said[1], ""}, "uid1")
	page.shows("#lacks", "The HTTP API is off")
	page.publishes("1", "channel", "dev:room", "hello")
	page.gets(0, "hello")
	page.shows("#code-lineman", "--text channel 'dev:room' 'hello'")
	page.press("#tab-curl")
	page.shows("#code-curl", "The HTTP API is off: set api.listen.")
	page.press("#tab-lineman")
	page.paste(t, "lineman", "push.sh", []string{"sh", "push.sh"})
	page.gets(0, "hello", "hello")
}
