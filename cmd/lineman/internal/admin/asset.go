package admin

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"net/http"
)

//go:embed assets
var files embed.FS

// asset is a file of the page, as browsers fetch it. uPlot draws the plots: assets/uplot.LICENSE is its licence.
type asset struct {
	body []byte
	kind string
	tag  string // its entity tag (RFC 9110, 8.8.3)
}

// assets are the files by their paths. Nothing in them is secret.
var assets = map[string]asset{
	"/":                        newAsset("dashboard.html", "text/html"),
	"/dashboard/dashboard.css": newAsset("dashboard.css", "text/css"),
	"/dashboard/dashboard.js":  newAsset("dashboard.js", "text/javascript"),
	"/dashboard/figures.js":    newAsset("figures.js", "text/javascript"),
	"/dashboard/lookup.js":     newAsset("lookup.js", "text/javascript"),
	"/dashboard/nodes.js":      newAsset("nodes.js", "text/javascript"),
	"/dashboard/icon.svg":      newAsset("icon.svg", "image/svg+xml"),
	"/dashboard/wire.js":       newAsset("wire.js", "text/javascript"),
	"/dashboard/uplot.min.css": newAsset("uplot.min.css", "text/css"),
	"/dashboard/uplot.min.js":  newAsset("uplot.min.js", "text/javascript"),
}

// Stylesheet is how the dashboard looks, for a page that is to look like it.
func Stylesheet() []byte { return assets["/dashboard/dashboard.css"].body }

func newAsset(name, kind string) asset {
	body, err := files.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // it is not in the program
	}
	return asset{body, kind + "; charset=utf-8", fmt.Sprintf(`"%.8x"`, sha256.Sum256(body))}
}

// answerAsset sends a file, or says that the browser's is the same.
func answerAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := assets[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("ETag", a.tag)
	h.Set("Cache-Control", "no-cache") // the next version of the program has another
	if r.Header.Get("If-None-Match") == a.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(a.body) // who asked may have gone
}
