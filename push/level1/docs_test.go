package level1_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestProtocolPages has every frame that the pages of the protocol show be one that server and clients understand.
func TestProtocolPages(t *testing.T) {
	checkFrames(t, "protocol.md", 20, 3)
	checkFrames(t, "protocol-speaking.md", 10, 0)
}

// checkFrames checks those of a page, of which there are at least so many, and within its text.
func checkFrames(t *testing.T, name string, frames, within int) {
	page, err := os.ReadFile("../../docs/" + name)
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
	if len(shown) < frames || len(inline) < within {
		t.Errorf("%s shows %d frames, and %d within its text", name, len(shown), len(inline))
	}
}
