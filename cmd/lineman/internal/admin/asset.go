package admin

import (
	"embed"
	"net/http"

	"github.com/lineman-go/lineman/cmd/lineman/internal/asset"
)

//go:embed assets
var files embed.FS

// assets are the files of the page by their paths. uPlot draws the plots: assets/uplot.LICENSE is its licence.
var assets = map[string]asset.Asset{
	"/":                        fileOf("dashboard.html", "text/html"),
	"/dashboard/dashboard.css": fileOf("dashboard.css", "text/css"),
	"/dashboard/dashboard.js":  fileOf("dashboard.js", "text/javascript"),
	"/dashboard/figures.js":    fileOf("figures.js", "text/javascript"),
	"/dashboard/hearing.js":    fileOf("hearing.js", "text/javascript"),
	"/dashboard/lookup.js":     fileOf("lookup.js", "text/javascript"),
	"/dashboard/nodes.js":      fileOf("nodes.js", "text/javascript"),
	"/dashboard/icon.svg":      fileOf("icon.svg", "image/svg+xml"),
	"/dashboard/wire.js":       fileOf("wire.js", "text/javascript"),
	"/dashboard/uplot.min.css": fileOf("uplot.min.css", "text/css"),
	"/dashboard/uplot.min.js":  fileOf("uplot.min.js", "text/javascript"),
}

func fileOf(name, kind string) asset.Asset { return asset.Of(files, "assets/"+name, kind) }

// Stylesheet is how the dashboard looks, for a page that is to look like it.
func Stylesheet() asset.Asset { return assets["/dashboard/dashboard.css"] }

// answerAsset sends a file, or says that the browser's is the same.
func answerAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := assets[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.Type)
	h.Set("ETag", a.Tag)
	h.Set("Cache-Control", asset.Cache)
	if a.IsIn(r.Header.Get("If-None-Match")) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(a.Body) // who asked may have gone
}
