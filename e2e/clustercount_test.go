package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// row finds some free ports in a row, and returns the address of the first.
func row(t *testing.T, ports int) (addr string) {
	t.Helper()
	linemantest.Until(t, "no ports in a row are free", func() bool {
		addr = free(t)
		for i := range ports {
			ln, err := net.Listen("tcp", after(addr, i))
			if err != nil {
				return false
			}
			ln.Close()
		}
		return true
	})
	return addr
}

// after is an address with the port that is so many after its own.
func after(addr string, ports int) string {
	host, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	return net.JoinHostPort(host, strconv.Itoa(n+ports))
}

// scrape is a metric without labels of a server, or -1.
func scrape(admin, name string) float64 {
	browser := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := browser.Get("http://" + admin + "/metrics")
	if err != nil {
		return -1
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "lineman_"+name+" "); ok {
			if v, err := strconv.ParseFloat(text, 64); err == nil {
				return v
			}
		}
	}
	return -1
}

// TestClusterCount has two processes of one server share its ports, and its pages: whichever a back end comes to, it
// reaches all.
func TestClusterCount(t *testing.T) {
	t.Parallel()
	const pages = 60
	r, admin := startRedis(t), row(t, 2)
	p := startLineman(t, "--count", "2", "--listen", free(t), "--text", free(t), "--api", free(t), "--admin", admin,
		"--redis-addresses", r.addr)
	for _, when := range []string{"at first", "after a reload"} {
		var all []net.Conn
		linemantest.Until(t, "all pages come to one process", func() bool { // one may be quick while the other waits
			all = arriveMore(t, p, all, pages)
			first, second := scrape(admin, "connections"), scrape(after(admin, 1), "connections")
			if first+second != float64(len(all)) {
				t.Errorf("%s, the processes have %v and %v pages of %d", when, first, second, len(all))
			}
			return first > 0 && second > 0
		})
		p.reachAll(t, admin, all)
		left := make(chan []end, 1)
		go func() { left <- ends(all) }()
		if out, err := tryIn(t, p.cmd.Dir, "", filepath.Join(binaries, "lineman"), "reload", "--drain"); err != nil {
			t.Errorf("reload: %v: %s", err, out)
		}
		for i, e := range <-left {
			if e.code != 4101 {
				t.Errorf("page %d was sent away with %d %s", i, e.code, e.reason)
			}
		}
	}
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}

// reachAll publishes in every way until both processes have published, and checks that all pages get all of it in
// one order.
func (p push) reachAll(t *testing.T, admin string, pages []net.Conn) {
	t.Helper()
	n := strconv.Itoa(len(pages))
	began := [2]float64{scrape(admin, "publishes_total"), scrape(after(admin, 1), "publishes_total")}
	var want []string
	publish := func(way string, do func(text string) string, answer string) {
		t.Helper()
		text := fmt.Sprintf(`{"all":true,"door":%q,"number":%d}`, way, len(want))
		if got := do(text); strings.TrimSpace(got) != answer {
			t.Fatalf("%s is answered by %q, want %s", text, got, answer)
		}
		want = append(want, text)
	}
	post := func(path, kind, body string) string {
		t.Helper()
		return output(t, body, "curl", "-sS", "-H", "Content-Type: "+kind, "--data-binary", "@-", p.api+path)
	}
	linemantest.Until(t, "back ends come to one process only", func() bool {
		publish("a line", func(text string) string { return p.ask(text + "\n") }, "ok")
		publish("a command", func(text string) string { return p.ask(`{"cmd":"pub","to":"*","data":` + text + "}\n") },
			`{"ok":true,"n":`+n+`}`)
		publish("HTTP",
			func(text string) string { return post("pub", "application/json", `{"to":"*","data":`+text+`}`) },
			`{"ok":true,"n":`+n+`}`)
		publish("a batch", func(text string) string {
			return post("batch", "application/x-ndjson", `{"cmd":"pub","to":"*","data":`+text+"}\n")
		}, `{"ok":true,"n":`+n+`}`)
		publish("the command push", func(text string) string {
			return output(t, "", filepath.Join(binaries, "lineman"), "push", "--server", p.backends, "all", text)
		}, n)
		return scrape(admin, "publishes_total") > began[0] && scrape(after(admin, 1), "publishes_total") > began[1]
	})
	for i, page := range pages {
		for _, text := range want {
			if got, err := wsutil.ReadServerText(page); err != nil || string(got) != text {
				t.Fatalf("page %d got %q, %v, want %s", i, got, err, text)
			}
		}
	}
}

// TestClusterCountAlone refuses two processes that do not know of each other's pages.
func TestClusterCountAlone(t *testing.T) {
	p := start(t, "lineman", "start", "--count", "2", "--listen", "127.0.0.1:0", "--text", "127.0.0.1:0", "--api",
		"127.0.0.1:0", "--admin", "127.0.0.1:0")
	code, said := p.end(), p.said()
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, words := range []string{
		"count", "a page is known only to the process that holds it", "redis.addresses", "count: 1",
	} {
		if !strings.Contains(said, words) {
			t.Errorf("it does not say %q: %s", words, said)
		}
	}
}
