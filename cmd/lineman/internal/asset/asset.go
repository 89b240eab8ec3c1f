// Package asset has what pages that the server has itself are made of: the dashboard, and the page of dev mode.
package asset

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"strings"
)

// Asset is a file of a page, as browsers fetch it. Nothing in it is secret.
type Asset struct {
	Body []byte
	Type string // of its content
	Tag  string // its entity tag (RFC 9110, 8.8.3)
}

// New makes one of text of a kind, such as text/css.
func New(body []byte, kind string) Asset {
	return Asset{body, kind + "; charset=utf-8", fmt.Sprintf(`"%.8x"`, sha256.Sum256(body))}
}

// Of is New of a file, which has to be there.
func Of(files fs.FS, name, kind string) Asset {
	body, err := fs.ReadFile(files, name)
	if err != nil {
		panic(err) // it is not in the program
	}
	return New(body, kind)
}

// IsIn reports whether it is what a browser has, by the tags of that: those of If-None-Match.
func (a Asset) IsIn(tags string) bool { return strings.Contains(tags, a.Tag) }

// Cache is the Cache-Control of an Asset: the next version of the program has another.
const Cache = "no-cache"

// Policy is the Content-Security-Policy of a page: it has nothing but its own files, and talks to nobody but its port.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
