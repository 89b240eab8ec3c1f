package e2e

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// watchRoom has a page say who it is, and keep who is in a room: as it is told when it has come into it, and by what
// changes from then on.
func watchRoom(p *tab, server, uid string) {
	p.t.Helper()
	eval[string](p, fmt.Sprintf(`
		var who = {}, log = []
		import("http://%s/lineman.mjs").then(({ connect }) => {
			const line = connect("ws://%[1]s/", { token: %q })
			line.subscribe("room:1", () => {}, {
				onSub: () => line.presence("room:1"),
				onUsers: ({ users }) => who = users,
				onJoin: ({ uid, info = null }) => { who[uid] = info; log.push("join " + uid) },
				onLeave: ({ uid }) => { delete who[uid]; log.push("leave " + uid) },
			})
		}, e => log.push(String(e))); ""`, server, uid))
}

// TestPresence has two browsers see each other come and go. A page that is loaded again is no event; when the server
// was killed, they see each other again.
func TestPresence(t *testing.T) {
	t.Parallel()
	m := &mortal{t: t, folder: t.TempDir(), pages: free(t), backend: free(t)}
	write(t, filepath.Join(m.folder, "lineman.yaml"), "namespaces: {room: {subscribe: all, presence: events}}\n")
	m.start()
	site := "http://" + m.pages + "/"
	ann, bob := open(t, browser(t), site), open(t, browser(t), site)
	watchRoom(ann, m.pages, "ann")
	watchRoom(bob, m.pages, "bob")
	sees := func(p *tab, want string) {
		t.Helper()
		(&livePage{tab: p}).until(fmt.Sprintf(`JSON.stringify(Object.entries(who).sort()) === %q`, want))
	}
	const both = `[["ann",null],["bob",null]]`
	sees(ann, both)
	sees(bob, both)
	if got, err := askLine(m.backend, `{"cmd":"session","to":"u:bob","data":{"info":{"name":"Bob"}}}`); err != nil {
		t.Fatal(got, err)
	}
	sees(ann, `[["ann",null],["bob",{"name":"Bob"}]]`)

	do(bob, chromedp.Navigate("about:blank"))
	do(bob, chromedp.Navigate(site))
	watchRoom(bob, m.pages, "bob")
	sees(bob, `[["ann",null],["bob",{"name":"Bob"}]]`)
	if eval[bool](ann, `log.includes("leave bob")`) {
		t.Errorf("a page that was loaded again has left: %v", eval[[]string](ann, "log"))
	}
	m.kill()
	sees(ann, both)
	sees(bob, both)
	bob.close()
	sees(ann, `[["ann",null]]`)
	got, err := askLine(m.backend, `{"cmd":"presence","to":"room:1"}`)
	if got != `{"ok":true,"n":1,"users":{"ann":null}}` {
		t.Errorf("the command says %s, %v", got, err)
	}
}
