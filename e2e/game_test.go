package e2e

import (
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// TestGame has two people play in a browser.
func TestGame(t *testing.T) {
	t.Parallel()
	p := start(t, "game", "-addr", "127.0.0.1:0")
	url := p.find(`open (http://\S+/)`)[0]
	chrome := browser(t)
	ann, bob := open(t, chrome, url), open(t, chrome, url)
	ann.enter("Ann")
	ann.state("You are Ann.")
	bob.enter("<b>Bob</b>")
	for _, page := range []*tab{ann, bob} {
		linemantest.Until(t, "a page does not show both", func() bool {
			const names = `[...document.querySelectorAll("#scores span")].map(e => e.textContent).sort().join()`
			return eval[string](page, names) == "<b>Bob</b>,Ann"
		})
	}
	const turns = `dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp" })); ""`
	eval[string](ann, turns)
	linemantest.Until(t, "the arena is not drawn", func() bool {
		return eval[bool](ann, `draw.getImageData(0, 0, canvas.width, canvas.height).data.some(c => c > 0)`)
	})
	ann.picture("game")
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
	ann.state("Closed (1001")
}
