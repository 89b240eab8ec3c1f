package devpage

import (
	"embed"

	"github.com/lineman-go/lineman/cmd/lineman/internal/admin"
	"github.com/lineman-go/lineman/cmd/lineman/internal/asset"
	"github.com/lineman-go/lineman/protocol/http1"
)

//go:embed assets
var files embed.FS

// assets are the files of the page by their paths.
var assets = map[string]asset.Asset{
	"/":                     fileOf("dev.html", "text/html"),
	below + "dashboard.css": admin.Stylesheet(), // so both look alike
	below + "dev.css":       fileOf("dev.css", "text/css"),
	below + "cable.js":      fileOf("cable.js", "text/javascript"),
	below + "command.js":    fileOf("command.js", "text/javascript"),
	below + "dev.js":        fileOf("dev.js", "text/javascript"),
	below + "element.js":    fileOf("element.js", "text/javascript"),
	below + "lack.js":       fileOf("lack.js", "text/javascript"),
	below + "place.js":      fileOf("place.js", "text/javascript"),
	below + "publish.js":    fileOf("publish.js", "text/javascript"),
	below + "server.js":     fileOf("server.js", "text/javascript"),
	below + "stopwatch.js":  fileOf("stopwatch.js", "text/javascript"),
	below + "user.js":       fileOf("user.js", "text/javascript"),
}

func fileOf(name, kind string) asset.Asset { return asset.Of(files, "assets/"+name, kind) }

// answerAsset is a file, or says that the browser's is the same; known are the tags of what that has.
func answerAsset(path string, known []byte) *http1.Response {
	a, ok := assets[path]
	if !ok {
		return &http1.Response{Status: 404, Body: []byte("not found\n")}
	}
	answer := &http1.Response{Type: a.Type, Body: a.Body, Header: []http1.Field{
		{Name: "ETag", Value: a.Tag},
		{Name: "Cache-Control", Value: asset.Cache},
		{Name: "Content-Security-Policy", Value: asset.Policy},
		{Name: "Cross-Origin-Opener-Policy", Value: "same-origin"},
		{Name: "Cross-Origin-Resource-Policy", Value: "same-origin"},
		{Name: "Referrer-Policy", Value: "no-referrer"},
		{Name: "X-Content-Type-Options", Value: "nosniff"},
	}}
	if a.IsIn(string(known)) {
		answer.Status, answer.Body = 304, nil
	}
	return answer
}
