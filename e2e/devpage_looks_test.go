package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/lineman-go/lineman/linemantest"
)

// contrasts are those of the texts of a page with what is behind them, as WCAG 2.2 counts them: the lowest of each
// kind.
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
	const all = {}
	const texts = "h1, h2, p, input, textarea, select, button, pre.shown, a, b, li, span"
	for (const e of document.querySelectorAll(texts)) {
		if (e.disabled || !e.checkVisibility()) continue
		const a = light(getComputedStyle(e).color), b = light(behind(e))
		const kind = e.tagName + "." + e.className
		all[kind] = Math.min(all[kind] ?? 99, (Math.max(a, b) + .05) / (Math.min(a, b) + .05))
	}
	return all
})()`

// bars are the elements that have scroll bars, but for lists of messages, and those that are cut off.
const bars = `[...document.querySelectorAll("body *")].filter(e => {
	const style = getComputedStyle(e)
	const tooWide = e.scrollWidth > e.clientWidth + 1, tooHigh = e.scrollHeight > e.clientHeight + 1
	const hides = value => value !== "visible"
	return e.clientWidth > 0 && !e.matches(".got, input, select, textarea, option") &&
		(tooWide && hides(style.overflowX) || tooHigh && hides(style.overflowY))
}).map(e => e.tagName + "#" + e.id + "." + e.className)`

// TestDevPageLooks has the page of dev mode be readable, light, dark and on a phone, have an icon, and come from
// nowhere else. Nothing is wider than the window, has a bar where none belongs, or moves when a message comes.
func TestDevPageLooks(t *testing.T) {
	t.Parallel()
	p := startLineman(t)
	page := openDev(t, browser(t), p, "uid1", "uid2")
	page.publishes("", "channel", "dev:room", `{"percent":"88%"}`)
	page.shows("#answer", "Published: 2")
	page.press(user(0) + ".toggle")
	page.shows(user(0)+".state", "The link is cut: nothing comes.")
	page.publishes("", "channel", "dev:room", `{"percent":"92%"}`)
	page.publishes("", "channel", "dev:room", `{"percent":"100%"}`)
	page.gets(1, `{"percent":"88%"}`, `{"percent":"92%"}`, `{"percent":"100%"}`)
	page.press(user(0) + ".toggle")
	page.gets(0, `{"percent":"88%"}`, `{"percent":"92%"}`, `{"percent":"100%"}`)
	page.press("#tab-PHP")
	for _, look := range []struct {
		name, scheme  string
		width, height int64
		dark          bool
	}{
		{"light", "light", 1280, 1180, false}, {"dark", "dark", 1280, 1500, true}, {"phone", "dark", 390, 2600, true},
		{"small", "light", 320, 2800, false}, {"tablet", "light", 820, 1700, false},
	} {
		page.look(look.scheme, look.width, look.height)
		for kind, c := range eval[map[string]float64](page, contrasts) {
			if c < 4.5 {
				t.Errorf("%s: %s has a contrast of %.1f", look.name, kind, c)
			}
		}
		back := eval[int](page, `Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)[0])`)
		if dark := back < 64; dark != look.dark {
			t.Errorf("%s: the background is %d", look.name, back)
		}
		if wide := eval[[]string](page, `document.documentElement.scrollWidth <= innerWidth ? [] :
			[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth)
				.map(e => e.tagName + "#" + e.id + "." + e.className)`); len(wide) > 0 {
			t.Errorf("%s: these are wider than the window: %q", look.name, wide)
		}
		if all := eval[[]string](page, bars); len(all) > 0 {
			t.Errorf("%s: these have bars, or are cut off: %q", look.name, all)
		}
		page.picture("devpage-" + look.name)
	}
	for _, width := range []int64{390, 1280} {
		page.look("light", width, 1180)
		page.stays(func() {
			got := len(page.got(1, ".text"))
			page.publishes("", "channel", "dev:room", "one more")
			linemantest.Until(t, "nothing comes", func() bool { return len(page.got(1, ".text")) > got })
		})
	}
	page.stays(func() { page.press("#tab-Node") })
	if other := eval[[]string](page, `performance.getEntriesByType("resource").map(e => e.name)
		.filter(name => new URL(name).host !== location.host)`); len(other) > 0 {
		t.Errorf("it comes from %q, too", other)
	}
	eval[string](page, `var icon = ""; (async () => {
		const answer = await fetch(document.querySelector("link[rel=icon]").href), image = new Image()
		icon = answer.status + " " + new URL(answer.url).pathname + " " + answer.headers.get("Content-Type")
	})(); ""`)
	linemantest.Until(t, "the page has no icon", func() bool {
		return eval[string](page, "icon") == "200 /favicon.ico image/svg+xml"
	})
}

// stays fails if anything of the page of dev mode is elsewhere, or larger, after something was done.
func (p *tab) stays(does func()) {
	p.t.Helper()
	const places = `JSON.stringify([...document.querySelectorAll("section, .got, #codes, #answer, .times")].map(e => {
		const { x, y, width, height } = e.getBoundingClientRect()
		return [e.id || e.className, x, y, width, height]
	}))`
	before := eval[string](p, places)
	does()
	if after := eval[string](p, places); after != before {
		p.t.Errorf("what was at %s is now at %s", before, after)
	}
}

// TestDevPageKeyboard has all that the page does be in reach of the keyboard.
func TestDevPageKeyboard(t *testing.T) {
	t.Parallel()
	p := startLineman(t)
	page := openDev(t, browser(t), p, "uid1")
	field := chromedp.CSS("#words")
	do(page, chromedp.Steps(chromedp.Clear(field), chromedp.SendKeys(field, "by hand"),
		chromedp.KeyEvent("\t\t\r"))) // past the times, and the button
	page.gets(0, "by hand")
	eval[string](page, `document.querySelector("#tab-lineman").focus(); ""`)
	do(page, chromedp.KeyEvent(kb.ArrowRight))
	if shown := eval[string](page, `document.activeElement.id + " " + document.querySelector("pre.shown").id`); shown !=
		"tab-curl code-curl" {
		t.Errorf("the next tab is %s", shown)
	}
	if lost := eval[[]string](page, `[...document.querySelectorAll("button, input, select, textarea, [role=tab]")]
		.filter(e => !e.disabled && e.tabIndex < 0 && e.role !== "tab").map(e => e.outerHTML)`); len(lost) > 0 {
		t.Errorf("out of reach: %q", lost)
	}
	if unnamed := eval[[]string](page, `[...document.querySelectorAll("button, input, select, textarea")]
		.filter(e => !e.textContent && !e.ariaLabel && !e.labels?.length).map(e => e.outerHTML)`); len(unnamed) > 0 {
		t.Errorf("without a name: %q", unnamed)
	}
}
