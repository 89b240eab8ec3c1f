package e2e

import (
	"cmp"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/lineman-go/lineman/linemantest"
)

const composeFolder = "../docs/deploy/compose"

// composition is a file of compose, as far as it is run here.
type composition struct {
	Services map[string]service
	Secrets  map[string]struct{ File string }
}

type service struct {
	Image       string
	Build       struct{ Context, Dockerfile string }
	Command     []string
	Environment map[string]string
	Volumes     []string
	Ports       []string
	Secrets     []string
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck struct{ Test []string }
	Deploy      struct{ Replicas int }
}

func readComposition(t *testing.T) (c composition) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, composeFolder+"/compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestComposeFile has each service be of a version, say how it is, and use what is there. Other machines reach no port.
func TestComposeFile(t *testing.T) {
	c := readComposition(t)
	versioned := regexp.MustCompile(`^[a-z/]+:\d+\.\d+(\.\d+)?(-[a-z]+)*$`)
	made, ignored := read(t, "../docs/install.md"), strings.Fields(read(t, "../.gitignore"))
	for name, s := range c.Services {
		if !versioned.MatchString(s.Image) && s.Build.Dockerfile == "" {
			t.Errorf("%s: %q has no version", name, s.Image)
		}
		if len(s.Healthcheck.Test) < 2 || s.Healthcheck.Test[0] != "CMD" {
			t.Errorf("%s does not say how it is: %q", name, s.Healthcheck.Test)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: other machines reach port %s", name, port)
			}
		}
		for other, on := range s.DependsOn {
			if _, ok := c.Services[other]; !ok || on.Condition != "service_healthy" {
				t.Errorf("%s depends on %s, %s", name, other, on.Condition)
			}
		}
		for _, secret := range s.Secrets {
			if file := c.Secrets[secret].File; file != "./"+secret+".secret" {
				t.Errorf("%s: the secret %s is in %q", name, secret, file)
			}
		}
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if _, err := os.Stat(filepath.Join(composeFolder, source)); err != nil && strings.HasPrefix(source, ".") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if s.Build.Dockerfile != "" {
			if _, err := os.Stat(filepath.Join(composeFolder, s.Build.Context, s.Build.Dockerfile)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if len(c.Services) != 4 || len(c.Secrets) != 2 {
		t.Errorf("there are %d services and %d secrets", len(c.Services), len(c.Secrets))
	}
	if !strings.Contains(made, "for name in token key;") || !slices.Contains(ignored, "*.secret") {
		t.Error("docs/install.md does not make the secrets, or git would take them along")
	}
}

// composed is what runs in place of the containers.
type composed struct {
	t       *testing.T
	c       composition
	secrets string // folder of them
	front   string // address of nginx
	php     string
	redis   string
	nodes   []push
}

// here has a text of the files speak of what runs here.
func (d *composed) here(text string) string {
	return strings.NewReplacer(
		"listen 8080", "listen "+d.front, "0.0.0.0:8000", d.php, "php:8000", d.php,
		"'127.0.0.1', 8000", "'127.0.0.1', "+portOf(d.php), "redis:6379", d.redis, "/run/secrets", d.secrets,
		"/usr/bin/lineman", filepath.Join(binaries, "lineman"),
		"0.0.0.0:1234", "127.0.0.1:0", "0.0.0.0:5678", "127.0.0.1:0",
		"\napi:\n", "\nadmin: {listen: 127.0.0.1:0}\napi:\n  listen: 127.0.0.1:0\n",
	).Replace(text)
}

// command is that of a service, with its environment.
func (d *composed) command(name string, more ...string) *exec.Cmd {
	var args []string
	for _, word := range d.c.Services[name].Command {
		args = append(args, d.here(word))
	}
	if last := len(args) - 1; args[last] == "/app" {
		args[last], _ = filepath.Abs(composeFolder + "/app")
	}
	need(d.t, args[0])
	cmd := exec.Command(args[0], append(args[1:], more...)...)
	cmd.Env = cmd.Environ()
	for key, value := range d.c.Services[name].Environment {
		value = strings.ReplaceAll(value, "lineman:5678", d.nodes[len(d.nodes)-1].backends)
		cmd.Env = append(cmd.Env, key+"="+d.here(value))
	}
	return cmd
}

// healthy waits until the command by which a service says how it is, says that it is well.
func (d *composed) healthy(name string, environment ...string) {
	d.t.Helper()
	var args []string
	for _, word := range d.c.Services[name].Healthcheck.Test[1:] {
		args = append(args, d.here(word))
	}
	if args[0] == "redis-cli" {
		args = append([]string{args[0], "-p", portOf(d.redis)}, args[1:]...)
	}
	need(d.t, args[0])
	linemantest.Until(d.t, name+" is not healthy", func() bool {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(cmd.Environ(), environment...)
		return cmd.Run() == nil
	})
}

// startComposed runs everything, in the order that the file says.
func startComposed(t *testing.T) *composed {
	t.Helper()
	d := &composed{
		t: t, c: readComposition(t), secrets: t.TempDir(), front: free(t), php: free(t), redis: free(t),
	}
	write(t, d.secrets+"/token", "secret-of-the-tickets-0123456789\n")
	write(t, d.secrets+"/key", "key-of-the-application-0123456789\n")
	launch(t, d.command("redis", "--port", portOf(d.redis), "--bind", "127.0.0.1", "--dir", t.TempDir()))
	d.healthy("redis")
	for range cmp.Or(d.c.Services["lineman"].Deploy.Replicas, 1) {
		settings := filepath.Join(t.TempDir(), "lineman.yaml")
		write(t, settings, d.here(read(t, composeFolder+"/lineman.yaml")))
		p := start(t, "lineman", "start", "--config", settings)
		said := p.find(`pages on ws://(\S+), back ends on ([^,\s]+), HTTP API on ([^,\s]+)`)
		d.nodes = append(d.nodes, push{p, said[0], said[1], said[2]})
		d.healthy("lineman", "LINEMAN_CONFIG="+settings, "LINEMAN_LISTEN="+said[0])
	}
	launch(t, d.command("php"))
	d.healthy("php")
	d.nginx()
	return d
}

// nginx runs it. The name lineman stands for all nodes there.
func (d *composed) nginx() {
	d.t.Helper()
	t, folder, servers := d.t, d.t.TempDir(), ""
	for _, n := range d.nodes {
		servers += "server " + n.pages + " $1;\n"
	}
	site := regexp.MustCompile(`server lineman:1234 ([^;]*);`).ReplaceAllString(
		d.here(read(t, composeFolder+"/nginx.conf")), servers)
	write(t, folder+"/nginx.conf", "daemon off;\npid nginx.pid;\nevents {}\nhttp {\nclient_body_temp_path a;\n"+
		"proxy_temp_path b;\nfastcgi_temp_path c;\nuwsgi_temp_path d;\nscgi_temp_path e;\n"+site+"}\n")
	need(t, "nginx")
	nginx := launch(t, exec.Command("nginx", "-p", folder, "-c", folder+"/nginx.conf", "-e", "stderr"))
	t.Cleanup(func() { nginx.stop() }) // with its workers
	linemantest.Until(t, "nginx is not healthy", func() bool {
		answer, err := http.Get("http://" + d.front + "/ready")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// TestCompose runs the files of docs/deploy/compose without containers: the page shows in both tabs what is ordered in
// one, and comes back when a node goes.
func TestCompose(t *testing.T) {
	d := startComposed(t)
	chrome := browser(t)
	tabs := []*tab{open(t, chrome, "http://"+d.front+"/"), open(t, chrome, "http://"+d.front+"/")}
	connected := func() {
		t.Helper()
		for _, p := range tabs {
			linemantest.Until(t, "the page does not connect", func() bool {
				return eval[string](p, `document.getElementById("line").textContent`) == "connected"
			})
		}
	}
	order := func(want string) {
		t.Helper()
		eval[bool](tabs[0], `document.querySelector("button").click() || true`)
		for _, p := range tabs {
			linemantest.Until(t, "the page does not show "+want, func() bool {
				return strings.HasSuffix(eval[string](p, `document.getElementById("orders").textContent`), want)
			})
		}
	}
	connected()
	order("order 1 is paid")
	tabs[0].picture("compose")
	if code := d.nodes[0].stop(); code != 0 { // PHP talks to the other one
		t.Errorf("a node ends with %d", code)
	}
	connected()
	order("order 2 is paid")
}
