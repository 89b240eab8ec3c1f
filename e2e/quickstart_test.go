package e2e

import (
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// blocks are the blocks of code in a document that are of a language.
func blocks(t *testing.T, file, language string) (all []string) {
	t.Helper()
	for _, found := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(read(t, file),
		-1) {
		all = append(all, found[1])
	}
	return all
}

// serveOn runs a program that serves on a port, which is free, and returns its address when it answers.
func serveOn(t *testing.T, folder, name string, args func(addr string) []string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	l.Close()
	with := args(addr)
	need(t, name)
	cmd := exec.Command(name, with...)
	cmd.Dir = folder
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	linemantest.Until(t, name+" does not listen", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return addr
}

// TestQuickstart is docs/quickstart.md as it is written, but for the ports: the page in a browser shows what the
// application pushes.
func TestQuickstart(t *testing.T) {
	const document = "../docs/quickstart.md"
	php, program := blocks(t, document, "php"), blocks(t, document, "go")
	if len(php) != 3 || len(program) != 1 {
		t.Fatalf("the quick start has %d programs in PHP and %d in Go", len(php), len(program))
	}
	dev := startLineman(t)
	folder := t.TempDir()
	settings, command := filepath.Join(folder, "lineman.yaml"), filepath.Join(binaries, "lineman")
	output(t, "", command, "config", "init", "--secret", settings)
	secret := regexp.MustCompile(`(?m)^ +secrets: \["?([^"\]]+)"?\]`).FindStringSubmatch(read(t, settings))
	if secret == nil {
		t.Fatalf("the settings have no secret:\n%s", read(t, settings))
	}
	for _, made := range []string{"/lineman", "/lineman.yaml", "/lineman.revoked", "/secret.txt"} {
		if !slices.Contains(strings.Fields(read(t, "../.gitignore")), made) {
			t.Errorf("git would take %s along, which the quick start has made in a clone", made)
		}
	}
	shell := blocks(t, document, "sh")
	export := slices.IndexFunc(shell, func(text string) bool { return strings.Contains(text, "export PUSH_SECRET=") })
	if export < 0 {
		t.Fatal("the quick start does not tell where PHP has the secret from")
	}
	given, err := tryIn(t, folder, "", "sh", "-c", shell[export]+`php -r 'echo getenv("PUSH_SECRET");'`)
	if err != nil || given != secret[1] {
		t.Errorf("PHP has the secret %q, %v, want %q", given, err, secret[1])
	}
	strict := startLineman(t, "--config", settings)
	onPorts := func(p push, text string) string {
		return strings.NewReplacer("127.0.0.1:1234", p.pages, "127.0.0.1:5678", p.backends, "http://127.0.0.1:6780/v1/",
			p.api).Replace(text)
	}
	chrome := browser(t)
	shows := func(t *testing.T, p push, site, order, want string) {
		t.Helper()
		tab := open(t, chrome, "http://"+site+"/")
		p.known("uid1") // which the page shows as undefined
		if got := output(t, "", "curl", "-sS", "http://"+site+order); !strings.Contains(got, want) {
			t.Errorf("the back end says %q, want %s", got, want)
		}
		linemantest.Until(t, "the page does not show it", func() bool {
			return eval[string](tab, `document.getElementById("state").textContent`) == "paid"
		})
		tab.picture("quickstart")
		tab.close()
		linemantest.Until(t, "the page stays", func() bool { return p.ask(`{"uid":"uid1"}`+"\n") == "fail\n" })
	}
	site := func(t *testing.T, p push, page string) string {
		t.Helper()
		folder := t.TempDir()
		write(t, filepath.Join(folder, "index.php"), onPorts(p, page))
		write(t, filepath.Join(folder, "order.php"), onPorts(p, php[1]))
		return serveOn(t, folder, "php", func(addr string) []string { return []string{"-S", addr} })
	}
	t.Run("PHP", func(t *testing.T) { shows(t, dev, site(t, dev, php[0]), "/order.php", "ok") })
	t.Run("Go", func(t *testing.T) {
		bin := filepath.Join(folder, "orders")
		addr := serveOn(t, folder, bin, func(addr string) []string {
			write(t, filepath.Join(folder, "main.go"),
				strings.ReplaceAll(onPorts(dev, program[0]), "127.0.0.1:8001", addr))
			output(t, "", "go", "build", "-o", bin, filepath.Join(folder, "main.go"))
			return nil
		})
		shows(t, dev, addr, "/order", "200 OK")
	})
	t.Run("for real", func(t *testing.T) {
		t.Setenv("PUSH_SECRET", given)
		shows(t, strict, site(t, strict, php[2]), "/order.php", "ok")
	})
}
