package push_test

import (
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// TestNames has every kind of name have no character that is not what it seems.
func TestNames(t *testing.T) {
	targets := map[string]func(string) push.Target{"uid": push.UID, "group": push.Group, "channel": push.Channel}
	for name, says := range map[string]string{
		"a\x00": "control character, U+0000", "a\tb": "control character", "\n": "control character",
		"\x7f": "control character", "\u0080": "control character, U+0080", "a\u0085b": "control character",
		"\u009b31m": "control character, U+009B", "\u009f": "control character", "a\u2028b": "line separator",
		"a\u2029b": "line separator", "\ufffd": "could not be decoded", "a\ufffdb": "could not be decoded",
		"\u202egnp.exe": "not seen", "\u2066a": "not seen", "\u200e": "not seen", "\u061c": "not seen",
		"\ufeffann": "not seen", "a\u200bnn": "not seen", "a\u2060b": "not seen", "a\u00adb": "not seen",
		"\U000e0041": "not seen", "\ufff9": "not seen", "\xed\xa0\x80": "not UTF-8", "\xff": "not UTF-8",
		"": "has no name", strings.Repeat("\u00e9", 128): "256 bytes", "a b": "", "\u00e9t\u00e9": "",
		"\u6771\u4eac": "", "\u0646\u0627\u0645\u0647\u200c\u0647\u0627": "", "\U0001f468\u200d\U0001f469": "",
		"\u0600": "", "\u00a0": "", "\u3000": "", "\ue000": "", strings.Repeat("x", 255): "",
	} {
		for kind, target := range targets {
			err := target(name).Check()
			if says == "" && err != nil || says != "" &&
				(err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), kind)) {
				t.Errorf("a %s called %q: %v, want %q", kind, name, err, says)
			}
		}
	}
}

// BenchmarkCheck is what a name costs that is checked with each publication.
func BenchmarkCheck(b *testing.B) {
	for range b.N {
		if err := push.Target("u:somebody-7").Check(); err != nil {
			b.Fatal(err)
		}
	}
}
