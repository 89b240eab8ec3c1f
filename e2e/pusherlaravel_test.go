package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// laravelApp is the example, with the libraries that somebody has installed, and the addresses of a server.
func laravelApp(t *testing.T, pages, api string) (folder string) {
	t.Helper()
	autoload := told["LINEMAN_E2E_LARAVEL"]
	if autoload == "" {
		t.Skip("LINEMAN_E2E_LARAVEL names no vendor/autoload.php that has Laravel and pusher-http-php")
	}
	need(t, "php")
	scripts, folder := libraries(t), t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../examples/laravel")); err != nil {
		t.Fatal(err)
	}
	for _, made := range []string{"vendor", "bootstrap/cache", "storage/logs"} {
		if err := os.MkdirAll(filepath.Join(folder, made), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	change := func(from, to string, changes ...string) {
		t.Helper()
		write(t, filepath.Join(folder, to), strings.NewReplacer(changes...).Replace(read(t, from)))
	}
	_, apiPort, _ := strings.Cut(api, ":")
	_, pagesPort, _ := strings.Cut(pages, ":")
	change(filepath.Join(folder, ".env.example"), ".env", "6780", apiPort)
	change(filepath.Join(folder, "resources/page.html"), "resources/page.html", "1234", pagesPort)
	change(filepath.Join(scripts, "node_modules/pusher-js/dist/web/pusher.js"), "public/pusher.js")
	change(filepath.Join(scripts, "node_modules/laravel-echo/dist/echo.iife.js"), "public/echo.js")
	write(t, filepath.Join(folder, "vendor/autoload.php"), `<?php
		require '`+autoload+`';
		spl_autoload_register(function ($class) {
			if (str_starts_with($class, 'App\\')) {
				require dirname(__DIR__).'/app/'.substr($class, 4).'.php';
			}
		});`)
	return folder
}

// TestPusherLaravel has Laravel's broadcaster and Laravel Echo talk by way of the server: the example, as it is.
func TestPusherLaravel(t *testing.T) {
	t.Parallel()
	p, api := startPusher(t)
	cmd := exec.Command("php", "-S", free(t), "-t", "public")
	cmd.Dir = laravelApp(t, p.pages, api)
	at := "http://" + cmd.Args[2]
	launch(t, cmd).find(`started`)
	chrome := browser(t)
	ann := open(t, chrome, at+"/?user=ann")
	shows := func(p *tab, id, want string) {
		t.Helper()
		linemantest.Until(t, "the page does not show "+want, func() bool {
			return eval[bool](p, `document.getElementById("`+id+`").textContent.includes("`+want+`")`)
		})
	}
	shows(ann, "here", "Ann")
	bob := open(t, chrome, at+"/?user=bob")
	shows(ann, "here", "Ann, Bob")
	shows(bob, "here", "Ann, Bob")
	for _, p := range []*tab{ann, bob} {
		linemantest.Until(t, "a page does not come to its channels", func() bool {
			return eval[bool](p, `Object.values(echo.connector.channels).every(c => c.subscription.subscribed)`)
		})
	}
	eval[string](ann, `document.getElementById("ship").click(); ""`)
	shows(bob, "told", "shop: order 1 of ann")
	shows(bob, "told", "warehouse: order 1 of ann")
	eval[string](bob, `document.getElementById("ship").click(); ""`)
	shows(ann, "told", "shop: order 1 of bob")
	shows(ann, "told", "warehouse: order 1 of bob")
	hears := func(p *tab) string { return eval[string](p, `document.getElementById("told").textContent`) }
	if got := hears(ann) + hears(bob); strings.Contains(hears(ann), "of ann") || strings.Contains(got, "private") {
		t.Errorf("toOthers reaches the page itself, or a private channel somebody else: %s, %s", hears(ann), hears(bob))
	}
	// Another page of the same customer hears it on the customer's channel; nobody else may have that.
	again := open(t, chrome, at+"/?user=ann")
	linemantest.Until(t, "the third page does not come to its channels", func() bool {
		return eval[bool](again, `Object.values(echo.connector.channels).every(c => c.subscription.subscribed)`)
	})
	eval[string](bob, `window.refused = 0; echo.private("customer.ann").error(() => refused++); ""`)
	linemantest.Until(t, "nobody is refused", func() bool { return eval[int](bob, "refused") == 1 })
	eval[string](ann, `document.getElementById("ship").click(); ""`)
	shows(again, "told", "private-customer.ann: order 2 of ann")
	shows(bob, "told", "shop: order 2 of ann")
	if got := hears(bob); strings.Contains(got, "private") {
		t.Errorf("bob hears what is ann's: %s", got)
	}
}
