package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/lineman-go/lineman/linemantest"
)

// contrasts are those of the texts of a page with what is behind them, as WCAG 2.2 counts them.
const contrasts = `(() => {
	const parts = color => color.match(/[\d.]+/g).map(Number)
	const light = color => {
		const [r, g, b] = parts(color).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
		return .2126 * r + .7152 * g + .0722 * b
	}
	const behind = e => {
		const color = getComputedStyle(e).backgroundColor
		return parts(color)[3] === 0 && e.parentElement ? behind(e.parentElement) : color
	}
	return ["h1", "p", "input", "button", "#state", "pre"].map(name => {
		const e = document.querySelector(name), a = light(getComputedStyle(e).color), b = light(behind(e))
		return (Math.max(a, b) + .05) / (Math.min(a, b) + .05)
	})
})()`

// TestDevPage has the page of dev mode be readable, light, dark and narrow, and have an icon.
func TestDevPage(t *testing.T) {
	p := startLineman(t)
	page := open(t, browser(t), "http://"+p.pages+"/")
	for _, look := range []struct {
		name, scheme string
		width        int64
		dark         bool
	}{{"light", "light", 800, false}, {"dark", "dark", 800, true}, {"narrow", "dark", 320, true}} {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: look.scheme},
		}}
		size := emulation.SetDeviceMetricsOverrideParams{Width: look.width, Height: 500, DeviceScaleFactor: 1}
		if _, err := chromedp.Call(page.ctx, emulation.SetEmulatedMedia, media); err != nil {
			t.Fatal(err)
		}
		if _, err := chromedp.Call(page.ctx, emulation.SetDeviceMetricsOverride, size); err != nil {
			t.Fatal(err)
		}
		for i, c := range eval[[]float64](page, contrasts) {
			if c < 4.5 {
				t.Errorf("%s: text %d has a contrast of %.1f", look.name, i, c)
			}
		}
		back := eval[int](page, `Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)[0])`)
		if dark := back < 64; dark != look.dark {
			t.Errorf("%s: the background is %d", look.name, back)
		}
		if eval[bool](page, "document.documentElement.scrollWidth > innerWidth") {
			t.Errorf("%s: it is wider than the window", look.name)
		}
		page.picture("dev-" + look.name)
	}
	eval[string](page, `var icon = ""; (async () => {
		const answer = await fetch(document.querySelector("link[rel=icon]").href), image = new Image()
		image.src = URL.createObjectURL(await answer.blob())
		await image.decode()
		icon = answer.status + " " + new URL(answer.url).pathname + " " + (image.width > 0)
	})(); ""`)
	linemantest.Until(t, "the page has no icon", func() bool {
		return eval[string](page, "icon") == "200 /favicon.ico true"
	})
	for uid, want := range map[string]string{
		"uid1": ` uid 'uid1' '{"percent":"88%"}'`, "-1": ` -- uid '-1' '{"percent":"88%"}'`,
		"it's": ` uid 'it'\''s' '{"percent":"88%"}'`,
	} {
		shown := eval[string](page, fmt.Sprintf(`byId("uid").value = %q; paste(); byId("paste").textContent`, uid))
		if !strings.HasSuffix(shown, want) {
			t.Errorf("%s: %s, want %s", uid, shown, want)
		}
	}
}

// TestDevPageRecovers cuts the link of the page of dev mode, and has it get what it has missed when it comes back; or
// told that nothing is kept.
func TestDevPageRecovers(t *testing.T) {
	t.Parallel()
	for _, kept := range []bool{true, false} {
		var flags []string
		if kept {
			flags = []string{"--history-uids-size", "100"}
		}
		p := startLineman(t, flags...)
		page := open(t, browser(t), "http://"+p.pages+"/")
		publish := func(text string) {
			t.Helper()
			p.ask(`{"cmd":"pub","to":"u:uid1","data":"` + text + "\"}\n")
		}
		press := func() { do(page, chromedp.Click(chromedp.CSS("button"))) }
		press()
		page.state("Connected as uid1.")
		publish("first")
		page.messages(1)
		press()
		page.state("Cut.")
		publish("second")
		publish("third")
		press()
		want, state := []string{"first"}, "Connected as uid1. Nothing is kept"
		if kept {
			want, state = []string{"first", "second", "third"}, "Connected as uid1. Missed, and here now: 2."
		}
		page.state(state)
		if got := page.messages(len(want)); !slices.Equal(got, want) {
			t.Errorf("the page shows %q, want %q", got, want)
		}
		if missed := eval[int](page, `document.querySelectorAll("li.missed").length`); missed != len(want)-1 {
			t.Errorf("%d are shown as missed, want %d", missed, len(want)-1)
		}
		page.picture(fmt.Sprint("dev-recovered-", kept))
	}
}

// TestDevPageSpeaks has the page of dev mode say something, and tell when a back end has it.
func TestDevPageSpeaks(t *testing.T) {
	p := startLineman(t)
	page := open(t, browser(t), "http://"+p.pages+"/")
	say := func(words string) {
		t.Helper()
		eval[string](page, fmt.Sprintf(`byId("words").value = %q; byId("say").click(); ""`, words))
		if got := eval[string](page, `byId("answer").textContent`); !strings.HasPrefix(got, "Said. No back end has") {
			t.Errorf("the page shows %q, before a back end has anything", got)
		}
	}
	if !eval[bool](page, `byId("say").disabled`) {
		t.Error("it can be said before there is a connection")
	}
	do(page, chromedp.Click(chromedp.CSS("button")))
	page.state("Connected as uid1.")
	say(`{"say":"hello"}`)
	say("no JSON")
	back := newEar(t, p.backends)
	back.command(`{"cmd":"ack","n":%d}`, back.hears("uid1", `message {"say":"hello"}`, `message "no JSON"`).N)
	linemantest.Until(t, "the page does not learn that it was heard", func() bool {
		return eval[string](page, `byId("answer").textContent`) == "Said, and acknowledged."
	})
	page.picture("dev-speaks")
}
