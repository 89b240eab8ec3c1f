package asset_test

import (
	"testing"
	"testing/fstest"

	"github.com/lineman-go/lineman/cmd/lineman/internal/asset"
)

// TestAsset has a browser keep what is the same, and fetch what is not.
func TestAsset(t *testing.T) {
	files := fstest.MapFS{"a.css": {Data: []byte("a {}")}, "b.css": {Data: []byte("b {}")}}
	a, b := asset.Of(files, "a.css", "text/css"), asset.Of(files, "b.css", "text/css")
	if string(a.Body) != "a {}" || a.Type != "text/css; charset=utf-8" {
		t.Errorf("it is %s, of %s", a.Body, a.Type)
	}
	for tags, want := range map[string]bool{
		"": false, b.Tag: false, a.Tag: true, b.Tag + ", W/" + a.Tag: true,
	} {
		if got := a.IsIn(tags); got != want {
			t.Errorf("a browser that has %q has it: %v", tags, got)
		}
	}
}
