package push_test

import (
	"testing"

	"github.com/lineman-go/lineman/push"
)

// TestParseSince takes one spelling for each.
func TestParseSince(t *testing.T) {
	for text, want := range map[string]push.Since{
		"": {}, "last:1": {Last: 1}, "last:10000": {Last: 10000},
		"k3f9.12c": {Position: push.Position{Epoch: "k3f9", Offset: 1380}},
	} {
		if got, err := push.ParseSince(text); err != nil || got != want || got.String() != text {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"last:", "last:0", "last:01", "last:+1", "last:10001", "last:x", "x", "K.1", "."} {
		if got, err := push.ParseSince(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}
