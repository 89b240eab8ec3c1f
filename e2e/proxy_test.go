package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// client is where a client of a proxy connects from: not the address that the proxy does.
const client = "127.0.0.2"

// TestNginx has a page come through nginx, as docs/deploy/nginx.conf sets it up, and nginx-nodes.conf for several
// nodes, of which one has gone: it gets what is pushed, and the server knows where it comes from, whatever the page
// says.
func TestNginx(t *testing.T) {
	t.Parallel()
	need(t, "nginx")
	for _, file := range []string{"nginx.conf", "nginx-nodes.conf"} {
		t.Run(file, func(t *testing.T) {
			p, front := startLineman(t, "--cookie", "session", "--ping", "1s"), free(t)
			folder := t.TempDir()
			cert, key := linemantest.CertificateFiles(t, folder)
			site := atNodes(t, file, p, "listen 443 ssl", "listen "+front+" ssl", "/etc/ssl/www.example.com.pem", cert,
				"/etc/ssl/www.example.com.key", key, "75s", "3s")
			write(t, folder+"/nginx.conf",
				"daemon off;\npid nginx.pid;\nevents {}\nhttp {\nclient_body_temp_path a;\nproxy_temp_path b;\n"+
					"fastcgi_temp_path c;\nuwsgi_temp_path d;\nscgi_temp_path e;\n"+site+"}\n")
			nginx := launch(t, exec.Command("nginx", "-p", folder, "-c", folder+"/nginx.conf", "-e", "stderr"))
			throughProxy(t, p, front)
			if code := nginx.stop(); code != 0 {
				t.Errorf("nginx ends with %d", code)
			}
		})
	}
}

// TestHAProxy does the same with HAProxy, which has no complaint about its file.
func TestHAProxy(t *testing.T) {
	need(t, "haproxy")
	p, front := startLineman(t, "--cookie", "session", "--ping", "1s"), free(t)
	folder := t.TempDir()
	cert, key := linemantest.CertificateFiles(t, folder)
	write(t, folder+"/site.pem", read(t, cert)+read(t, key))
	write(t, folder+"/haproxy.cfg",
		atNodes(t, "haproxy.cfg", p, "bind :443", "bind "+front, "/etc/haproxy/www.example.com.pem", folder+"/site.pem",
			"maxconn 200000", "maxconn 100", "75s", "3s"))
	if said, err := exec.Command("haproxy", "-c", "-q", "-f", folder+"/haproxy.cfg").CombinedOutput(); err != nil ||
		len(said) > 0 {
		t.Fatalf("%v: %s", err, said)
	}
	launch(t, exec.Command("haproxy", "-db", "-f", folder+"/haproxy.cfg"))
	throughProxy(t, p, front)
}

// atNodes is a file of docs/deploy with other words in place of some, and with this server in place of the nodes, but
// for one that has gone.
func atNodes(t *testing.T, file string, p push, replace ...string) string {
	t.Helper()
	nodes := []string{
		"127.0.0.1:1234", p.pages, "10.0.0.11:1234", free(t), "10.0.0.12:1234", p.pages, "10.0.0.13:1234", p.pages,
	}
	return strings.NewReplacer(append(replace, nodes...)...).Replace(read(t, "../docs/deploy/"+file))
}

// TestCaddy does the same with Caddy.
func TestCaddy(t *testing.T) {
	need(t, "caddy")
	p, front := startLineman(t, "--cookie", "session", "--ping", "1s"), free(t)
	folder := t.TempDir()
	cert, key := linemantest.CertificateFiles(t, folder)
	site := strings.NewReplacer(
		"www.example.com {", "https://localhost:"+portOf(front)+" {\n\ttls "+cert+" "+key, "127.0.0.1:1234", p.pages,
	).Replace(read(t, "../docs/deploy/Caddyfile"))
	write(t, folder+"/Caddyfile", "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"+site)
	cmd := exec.Command("caddy", "run", "--config", folder+"/Caddyfile", "--adapter", "caddyfile")
	cmd.Env = append(cmd.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder)
	launch(t, cmd)
	throughProxy(t, p, front)
}

// throughProxy is a page that comes through a proxy.
func throughProxy(t *testing.T, p push, front string) {
	t.Helper()
	insecure := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"} // the certificate is not what is tested
	browser := &http.Client{
		Transport: &http.Transport{TLSClientConfig: insecure, DisableKeepAlives: true}, Timeout: patience,
	}
	linemantest.Until(t, "the proxy does not answer for /ready", func() bool {
		answer, err := browser.Get("https://localhost:" + portOf(front) + "/ready")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == 200
	})
	d := ws.Dialer{
		TLSConfig: insecure, Timeout: patience,
		NetDial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(client)}}).DialContext(ctx, "tcp", front)
		},
		Header: ws.HandshakeHeaderHTTP{
			"X-Forwarded-For": {"192.0.2.1"}, "Origin": {"https://localhost:" + portOf(front)},
		},
	}
	page, _, _, err := d.Dial(context.Background(), "wss://localhost:"+portOf(front)+"/live?x=1")
	if err != nil {
		t.Fatal(err)
	}
	defer page.Close()
	here := "localhost:" + portOf(front)
	for _, foreign := range []string{"http://" + here, "https://localhost:1", "https://other.example"} {
		d.Header = ws.HandshakeHeaderHTTP{"Origin": {foreign}, "X-Forwarded-Proto": {"http"}}
		var refused ws.StatusError
		_, _, _, err := d.Dial(context.Background(), "wss://"+here+"/live")
		if !errors.As(err, &refused) || refused != 403 {
			t.Errorf("a page of %s: %v, want 403", foreign, err)
		}
	}
	if err := page.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if err := wsutil.WriteClientText(page, []byte("uid1")); err != nil {
		t.Fatal(err)
	}
	p.known("uid1")
	if got, err := wsutil.ReadServerText(page); err != nil || !bytes.Contains(got, []byte("uid1")) {
		t.Errorf("the page got %q, %v", got, err)
	}
	p.streamThrough(browser, front)
	if from := p.remotes("pages"); !slices.Contains(from, client) || slices.Contains(from, "192.0.2.1") {
		t.Errorf("the page, and what the proxy keeps open, come from %q, want %s", from, client)
	}
}

// remotes are the hosts where the connections of a worker come from.
func (p push) remotes(worker string) (hosts []string) {
	p.t.Helper()
	for line := range strings.Lines(p.command("connections", "--json")) {
		var c struct{ Worker, Remote string }
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			p.t.Fatal(err)
		}
		if c.Worker == worker {
			host, _, _ := strings.Cut(c.Remote, ":")
			hosts = append(hosts, host)
		}
	}
	return hosts
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}
