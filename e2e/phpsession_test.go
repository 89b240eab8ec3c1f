package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// sessionApp is an application with sessions of PHP. Its page says nothing of who it is.
const sessionApp = `<?php
session_start();
if (isset($_GET['uid'])) $_SESSION['uid'] = $_GET['uid'];
?>
<!doctype html>
<script src="http://LINEMAN/lineman.js"></script>
<script>
  var plain = [], said = [], answer, uid, line = Lineman.connect("ws://LINEMAN/")
  line.on("open", e => { uid = e.uid })
  line.on("msg", data => said.push(data.from + ": " + data.said))
  var ws = new WebSocket("ws://LINEMAN/")
  ws.onmessage = e => plain.push(JSON.parse(e.data))
</script>
`

// TestPHPSession has pages be let in by a session of PHP alone, as docs/from-gatewayworker.md shows, and talk with each
// listener of docs/listeners.md.
func TestPHPSession(t *testing.T) {
	chrome := browser(t)
	for _, listener := range listenerPrograms {
		t.Run(listener.language, func(t *testing.T) { talksBySession(t, chrome, listener.language) })
	}
}

func talksBySession(t *testing.T, chrome context.Context, language string) {
	folder := t.TempDir()
	const secret = "a secret of this test only, which is long"
	t.Setenv("HOOK_SECRET", secret)
	write(t, folder+"/hook.php", blocks(t, "../docs/from-gatewayworker.md", "php")[1])
	app := serveOn(t, folder, "php", func(addr string) []string { return []string{"-S", addr, "-t", folder} })
	write(t, folder+"/lineman.yaml", fmt.Sprintf(`
origins: [%q]
events: {messages: back end}
hooks:
  login: {url: %q, decides: [connect], secrets: [%q], private: true}
`, "http://"+app, "http://"+app+"/hook.php", secret))
	p := startLineman(t, "--config", folder+"/lineman.yaml")
	write(t, folder+"/index.php", strings.ReplaceAll(sessionApp, "LINEMAN", p.pages))
	listener := pasteListener(t, language)
	listener.Env = append(listener.Environ(), "LINEMAN_SERVER="+p.backends)
	launch(t, listener)

	ann := livePage{tab: open(t, profile(t, chrome), "http://"+app+"/?uid=ann")}
	bob := livePage{tab: open(t, profile(t, chrome), "http://"+app+"/?uid=bob")}
	guest := livePage{tab: open(t, profile(t, chrome), "http://"+app+"/")}
	ann.until(`uid === "ann"`)
	bob.until(`uid === "bob"`)
	guest.until(`Boolean(uid?.startsWith("guest:"))`)
	ann.until(`(line.rpc("online").then(got => { answer = got }, () => {}), Boolean(answer?.includes("ann")))`)
	eval[string](ann.tab, `line.say("hello, <b>Bob</b>"); ""`)
	eval[string](bob.tab, `ws.send("bytes, as they are"); ""`)
	for _, page := range []livePage{ann, bob, guest} {
		page.until(`said.includes("ann: hello, <b>Bob</b>") && said.includes("bob: bytes, as they are")`)
		page.until(`plain.length === 2`)
	}

	// Who has not the secret cannot ask whose a session is.
	out, _ := try(t, "", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-d", `{"ask":"connect"}`,
		"http://"+app+"/hook.php")
	if out != "403" {
		t.Errorf("a request without a signature: %s", out)
	}
}
