package e2e

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/lineman-go/lineman/linemantest"
)

// openDev opens the page of dev mode with some users, and waits until they are connected.
func openDev(t *testing.T, chrome context.Context, p push, users ...string) *tab {
	t.Helper()
	page := open(t, chrome, "http://"+p.pages+"/?"+url.Values{"user": users}.Encode())
	page.look("light", 1280, 1250)
	for i, uid := range users {
		page.shows(user(i)+".state", "Connected as "+uid+".")
		page.shows(user(i)+".here", "here: ")
	}
	return page
}

// user is the selector of the column of a user, up to what is in it.
func user(i int) string { return fmt.Sprintf(".user:nth-child(%d) ", i+1) }

// press clicks an element.
func (p *tab) press(selector string) {
	p.t.Helper()
	if !eval[bool](p, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q)
		e?.click()
		return e !== null
	})()`, selector)) {
		p.t.Fatalf("there is no %s", selector)
	}
}

// fill has a field have a value, as a person would.
func (p *tab) fill(selector, value string) {
	p.t.Helper()
	eval[string](p, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q)
		e.value = %q
		e.dispatchEvent(new Event("change"))
		return ""
	})()`, selector, value))
}

// publishes has the form publish: as a back end, or as a user by its number, from 1 on.
func (p *tab) publishes(as, kind, name, words string) {
	p.t.Helper()
	p.fill("#as", as)
	p.fill("#kind", kind)
	p.fill("#name", name)
	p.fill("#words", words)
	p.press("#go")
}

// got is what a user has got, the oldest first: the texts of a part of each message.
func (p *tab) got(i int, part string) []string {
	p.t.Helper()
	return eval[[]string](p, fmt.Sprintf(`[...document.querySelectorAll(%q)].map(e => e.textContent).reverse()`,
		user(i)+".got "+part))
}

// gets waits until a user has got messages, and no others.
func (p *tab) gets(i int, want ...string) {
	p.t.Helper()
	linemantest.Until(p.t, fmt.Sprintf("user %d does not get %q", i, want), func() bool {
		return slices.Equal(p.got(i, ".text"), want)
	})
}

// TestDevPageUsers has users side by side: they see who is there, get what is published for them, by a back end and by
// each other, with its position and how long it took; come and go, and are there when the page is loaded anew.
func TestDevPageUsers(t *testing.T) {
	t.Parallel()
	p := startLineman(t)
	p.find(`Channels dev:… keep their last 50 messages`)
	page := open(t, browser(t), p.find(`open +(http://\S+)`)[0])
	for i, uid := range []string{"uid1", "uid2"} {
		page.shows(user(i)+".state", "Connected as "+uid+".")
		page.shows(user(i)+".here", "here: uid1, uid2")
	}
	page.publishes("", "channel", "dev:room", `{"percent":"88%"}`)
	page.shows("#answer", "2 connections have taken it; its position is")
	page.gets(0, `{"percent":"88%"}`)
	page.gets(1, `{"percent":"88%"}`)
	if pos := page.got(0, ".pos"); !strings.Contains(page.text("#answer"), pos[0]) || pos[0] != page.got(1, ".pos")[0] {
		t.Errorf("the position is %q, and told as %q", pos, page.text("#answer"))
	}
	if took := page.got(1, ".took"); !strings.HasSuffix(took[0], " ms") {
		t.Errorf("it took %q", took)
	}
	page.shows(user(0)+".times", "1 timed: p50")
	page.publishes("1", "channel", "dev:room", "by a page")
	page.shows("#answer", "Published by uid1; the position is")
	page.gets(1, `{"percent":"88%"}`, "by a page")
	page.publishes("", "uid", "uid2", "to uid2")
	page.gets(1, `{"percent":"88%"}`, "by a page", "to uid2")
	page.fill(user(0)+".join select", "g:")
	page.fill(user(0)+".join input", "staff")
	page.press(user(0) + ".join button")
	linemantest.Until(t, "uid1 does not come into the group", func() bool {
		return p.ask(`{"cmd":"count","to":"g:staff"}`+"\n") == `{"ok":true,"counts":{"g:staff":1}}`+"\n"
	})
	page.publishes("", "group", "staff", "to the group")
	page.publishes("", "all", "", "to all")
	page.gets(0, `{"percent":"88%"}`, "by a page", "to the group", "to all")
	page.gets(1, `{"percent":"88%"}`, "by a page", "to uid2", "to all")
	page.publishes("", "channel", "dev:room", "often")
	page.fill("#times", "100")
	page.press("#go")
	page.shows("#answer", "100 are published. Of the last: 2 connections have taken it")
	page.shows(user(1)+".times", "105 timed: p50")
	page.picture("devpage-users")

	page.press("#add button")
	page.shows(user(2)+".state", "Connected as guest-")
	page.shows(user(0)+".here", "guest-")
	page.fill(user(2)+".uid", "ann")
	page.shows(user(2)+".state", "Connected as ann.")
	page.press(user(1) + ".remove")
	page.shows(user(1)+".state", "Connected as ann.")
	do(page, chromedp.Reload())
	page.shows(user(0)+".state", "Connected as uid1.")
	page.shows(user(1)+".state", "Connected as ann.")
	if n := eval[int](page, `document.querySelectorAll(".user").length`); n != 2 {
		t.Errorf("there are %d users when the page is loaded anew", n)
	}
	p.stop()
	page.shows(user(0)+".state", "Not connected (")
}

// TestDevPageRecovers cuts the link of a user, which the server notices. What it has missed comes when it is back, in
// order, and marked; and a gap is told as such.
func TestDevPageRecovers(t *testing.T) {
	t.Parallel()
	p := startLineman(t)
	page := openDev(t, browser(t), p, "uid1", "uid2")
	cut := func() {
		t.Helper()
		page.press(user(0) + ".toggle")
		page.shows(user(0)+".state", "The link is cut: nothing comes.")
		linemantest.Until(t, "the server does not notice that it is cut", func() bool {
			return p.ask(`{"cmd":"count","to":"u:uid1"}`+"\n") == `{"ok":true,"counts":{"u:uid1":0}}`+"\n"
		})
	}
	page.publishes("", "channel", "dev:room", "1")
	page.gets(0, "1")
	cut()
	page.publishes("", "uid", "uid1", "lost")
	page.shows("#answer", "0 connections have taken it; nothing of it is kept.")
	for _, n := range []string{"2", "3", "4"} {
		page.publishes("", "channel", "dev:room", n)
		page.shows("#answer", "Published: 1 connection has taken it; its position is")
		page.gets(1, []string{"1", "2", "3", "4"}[:n[0]-'0']...)
	}
	page.gets(0, "1")
	page.press(user(0) + ".toggle")
	page.shows(user(0)+".state", "Connected as uid1.")
	page.gets(0, "1", "2", "3", "4")
	if took, pos := page.got(0, ".took"), page.got(0, ".pos"); !slices.Equal(took[1:],
		[]string{"recovered", "recovered", "recovered"}) || !slices.Equal(pos, page.got(1, ".pos")) {
		t.Errorf("they came as %q, at %q", took, pos)
	}
	page.shows(user(0)+".got", "Back in dev:room: 3 messages were missed, and came now.")
	page.shows(user(0)+".got", "Back in u:uid1, which keeps nothing: what was published meanwhile is lost.")
	page.shows("#lacks", "What is published for a uid is not kept")
	page.picture("devpage-recovered")

	cut()
	page.fill("#times", "100")
	page.publishes("", "channel", "dev:room", "too much")
	page.shows("#answer", "100 are published. Of the last: 1 connection has taken it")
	page.press(user(0) + ".toggle")
	page.shows(user(0)+".got", "A gap in dev:room: more was published than is kept.")
	page.fill("#times", "1")
	page.publishes("", "channel", "dev:room", "5")
	page.gets(0, "1", "2", "3", "4", "5")
	page.picture("devpage-gap")
}

// TestDevPageLacks has the page say what the settings lack, and what to write: a server that is told so lacks nothing.
func TestDevPageLacks(t *testing.T) {
	t.Parallel()
	chrome := browser(t)
	use := func(p push) *tab {
		page := openDev(t, chrome, p, "uid1")
		page.shows("#lacks", "Nothing, for what you have done here.")
		page.fill(user(0)+".join input", "chat:1")
		page.press(user(0) + ".join button")
		page.publishes("", "channel", "news", "hello")
		page.publishes("", "uid", "uid1", "hello")
		page.publishes("", "group", "staff", "hello")
		page.shows("#answer", "Published: 0")
		return page
	}
	page := use(startLineman(t))
	for _, want := range []string{
		"Channels chat:… keep nothing, so who is away misses what is published; they tell nobody who comes and goes; " +
			"they take nothing that pages publish.",
		"Channels without a namespace keep nothing", "for a uid is not kept", "for a group is not kept",
	} {
		page.shows("#lacks", want)
	}
	page.publishes("1", "channel", "chat:1", "hello")
	page.shows("#answer", "only back ends publish to it")
	page.shows("#lack-link", "Settings (4)")
	page.picture("devpage-lacks")
	folder := t.TempDir()
	write(t, folder+"/lineman.yaml", page.text("#yaml"))
	p := startLineman(t, "--config", folder+"/lineman.yaml")
	again := use(p)
	again.shows("#lacks", "Nothing, for what you have done here.")
	again.publishes("1", "channel", "chat:1", "hello")
	again.shows("#answer", "Published by uid1; the position is")
}

// TestDevPageSpeaks has the page of dev mode say something, and tell when a back end has it.
func TestDevPageSpeaks(t *testing.T) {
	t.Parallel()
	p := startLineman(t)
	page := openDev(t, browser(t), p, "uid1")
	if !eval[bool](page, `document.querySelector("#kind option[value=say]").disabled`) {
		t.Error("a back end may say something to back ends")
	}
	page.fill("#as", "1")
	page.fill("#kind", "say")
	for _, words := range []string{`{"say":"hello"}`, "no JSON"} {
		page.fill("#words", words)
		page.press("#go")
		page.shows("#answer", "Said. No back end has")
	}
	back := newEar(t, p.backends)
	back.command(`{"cmd":"ack","n":%d}`, back.hears("uid1", `message {"say":"hello"}`, `message "no JSON"`).N)
	page.shows("#answer", "Said, and acknowledged.")
}

// TestDevPageNames has names and messages full of markup be text.
func TestDevPageNames(t *testing.T) {
	t.Parallel()
	const hostile = `<img src=x onerror=alert(1)>"'&`
	p := startLineman(t)
	page := openDev(t, browser(t), p, hostile, "uid2")
	page.shows(user(1)+".here", "here: "+hostile+", uid2")
	page.fill(user(1)+".join input", "dev:"+hostile)
	page.press(user(1) + ".join button")
	page.shows(user(1)+".places", "dev:"+hostile+" here: uid2")
	page.publishes("", "channel", "dev:"+hostile, hostile)
	page.gets(1, hostile)
	page.publishes("", "uid", hostile, `{"`+`<b>":"</script><b>"}`)
	page.gets(0, `{"<b>":"</script><b>"}`)
	page.fill(user(1)+".join input", hostile)
	page.press(user(1) + ".join button")
	page.publishes("", "channel", hostile+":x", "to a namespace that is not there")
	page.shows("#lacks", "Channels "+hostile+":…")
	if n := eval[int](page, `document.querySelectorAll("main img, main b b, .text b, #lacks b").length`); n > 0 {
		t.Errorf("%d names are markup", n)
	}
	if len(page.alerts) > 0 {
		t.Error("a name ran as a script")
	}
	page.picture("devpage-names")
}
