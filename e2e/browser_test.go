package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/lineman-go/lineman/linemantest"
)

// browser starts Chromium, closed at the end of the test. The context is that of its first tab.
func browser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	need(t, "chromium")
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"),
		chromedp.NoSandbox, // which root cannot have
		chromedp.DisableGPU,
		chromedp.WindowSize(800, 500),
	)
	options = append(options, more...)
	all, cancelAll := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancelAll)
	first, cancel := chromedp.NewContext(all)
	t.Cleanup(cancel)
	if err := chromedp.Do(first); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return first
}

// profile is a context in which a browser opens tabs that share no cookies and no storage with its others. It is gone
// at the end of the test.
func profile(t *testing.T, browser context.Context) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium has no other profile: %v", err)
	}
	return ctx
}

// tab is a page of a browser.
type tab struct {
	t      *testing.T
	ctx    context.Context
	close  context.CancelFunc
	alerts chan string // what the page has said by alert
}

// open has a browser show an address in a new tab.
func open(t *testing.T, browser context.Context, url string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx, close: cancel, alerts: make(chan string, 16)}
	err := chromedp.Listen(ctx, func(event any) {
		if dialog, ok := event.(*page.EventJavascriptDialogOpening); ok {
			p.alerts <- dialog.Message
			go p.accept()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	do(p, chromedp.Navigate(url))
	return p
}

// accept closes an alert. The tab may be gone by then.
func (p *tab) accept() {
	_, _ = chromedp.Call(p.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
}

func do[T any](p *tab, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatal(err)
	}
	return got
}

// eval is the value of an expression in the page.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	return do(p, chromedp.Evaluate[T](expression))
}

// enter types a value into the only field and sends the form.
func (p *tab) enter(value string) {
	p.t.Helper()
	field := chromedp.CSS("input")
	do(p,
		chromedp.Steps(chromedp.Clear(field), chromedp.SendKeys(field, value), chromedp.Click(chromedp.CSS("button"))))
}

// state waits until the status line begins so.
func (p *tab) state(want string) {
	p.t.Helper()
	linemantest.Until(p.t, "the page does not say "+want, func() bool {
		return strings.HasPrefix(eval[string](p, `document.querySelector("#state").textContent`), want)
	})
}

// messages waits until the list has so many and returns them, the oldest first.
func (p *tab) messages(count int) []string {
	p.t.Helper()
	var got []string
	linemantest.Until(p.t, "the page has too few messages", func() bool {
		got = eval[[]string](p, `[...document.querySelectorAll("#messages li")].map(e => e.textContent).reverse()`)
		return len(got) >= count
	})
	return got
}

// picture keeps the page in the folder LINEMAN_SCREENSHOTS.
func (p *tab) picture(name string) {
	p.t.Helper()
	folder := told["LINEMAN_SCREENSHOTS"]
	if folder == "" {
		return
	}
	png := do(p, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
