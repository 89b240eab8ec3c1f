package server

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/lineman-go/lineman/client/js"
	"github.com/lineman-go/lineman/protocol/http1"
)

// script is a build of lineman.js, as pages fetch it.
type script struct {
	body []byte
	tag  string // its entity tag (RFC 9110, 8.8.3)
}

// scripts are the builds, by their paths.
var scripts = map[string]script{
	"/lineman.js":  newScript(js.Classic),
	"/lineman.mjs": newScript(js.Module),
}

func newScript(body []byte) script {
	return script{body, fmt.Sprintf(`"%.8x"`, sha256.Sum256(body))}
}

// answer sends it, or says that the browser's is the same. A page of another origin may import it, as there is nothing
// secret in it.
func (s script) answer(r *http1.Request) *http1.Response {
	a := &http1.Response{Type: "text/javascript; charset=utf-8", Body: s.body, Header: []http1.Field{
		{Name: "ETag", Value: s.tag},
		{Name: "Cache-Control", Value: "public, max-age=3600"},
		{Name: "Access-Control-Allow-Origin", Value: "*"},
		{Name: "X-Content-Type-Options", Value: "nosniff"},
	}}
	if bytes.Contains(r.Header("If-None-Match"), []byte(s.tag)) {
		a.Status, a.Body = 304, nil
	}
	return a
}
