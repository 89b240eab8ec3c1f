package devpage

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"

	"github.com/lineman-go/lineman/cmd/lineman/internal/admin"
	"github.com/lineman-go/lineman/protocol/http1"
)

//go:embed assets
var files embed.FS

// asset is a file of the page, as browsers fetch it.
type asset struct {
	body []byte
	kind string
	tag  string // its entity tag (RFC 9110, 8.8.3)
}

// assets are the files by their paths. Nothing in them is secret.
var assets = map[string]asset{
	"/":                     fileOf("dev.html", "text/html"),
	below + "dashboard.css": newAsset(admin.Stylesheet(), "text/css"), // so both look alike
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

func fileOf(name, kind string) asset {
	body, err := files.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // it is not in the program
	}
	return newAsset(body, kind)
}

func newAsset(body []byte, kind string) asset {
	return asset{body, kind + "; charset=utf-8", fmt.Sprintf(`"%.8x"`, sha256.Sum256(body))}
}

// policy lets the page have nothing but its own files, and talk to nobody but this port.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// answerAsset is a file, or says that the browser's is the same; known are the tags of what that has.
func answerAsset(path string, known []byte) *http1.Response {
	a, ok := assets[path]
	if !ok {
		return &http1.Response{Status: 404, Body: []byte("not found\n")}
	}
	answer := &http1.Response{Type: a.kind, Body: a.body, Header: []http1.Field{
		{Name: "ETag", Value: a.tag},
		{Name: "Cache-Control", Value: "no-cache"}, // the next version of the program has another
		{Name: "Content-Security-Policy", Value: policy},
		{Name: "Cross-Origin-Opener-Policy", Value: "same-origin"},
		{Name: "Cross-Origin-Resource-Policy", Value: "same-origin"},
		{Name: "Referrer-Policy", Value: "no-referrer"},
		{Name: "X-Content-Type-Options", Value: "nosniff"},
	}}
	if bytes.Contains(known, []byte(a.tag)) {
		answer.Status, answer.Body = 304, nil
	}
	return answer
}
