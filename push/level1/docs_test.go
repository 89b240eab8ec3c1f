package level1_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestProtocolPage has every frame that docs/protocol.md shows be one that server and clients understand.
func TestProtocolPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?m)^([CS])  (\\{.*(?:\n    .*)*)$").FindAllStringSubmatch(string(page), -1)
	for _, m := range shown {
		frame := strings.ReplaceAll(m[2], `:…`, `:null`) // what a message says
		if m[1] == "C" {
			if all, wrong := asked(frame); len(all) != 1 || wrong != nil {
				t.Errorf("%s: %v, %v", frame, all, wrong)
			}
			continue
		}
		if all, err := parsed(frame); len(all) != 1 || err != nil {
			t.Errorf("%s: %v, %v", frame, all, err)
		}
	}
	inline := regexp.MustCompile("`(\\{\"op\":.*?\\})`").FindAllStringSubmatch(string(page), -1)
	for _, m := range inline {
		if _, err := parsed(m[1]); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
	}
	if len(shown) < 20 || len(inline) < 3 {
		t.Errorf("the page shows %d frames, and %d within its text", len(shown), len(inline))
	}
}
