// Package devpage is the page of dev mode, at the port for pages: several users side by side, each a real client, and
// what a back end does, by hand. It shows what the server does, and says what the settings lack for that.
//
//	GET  /               the page; what it is made of is below /dev/
//	GET  /dev/facts      what it has to know of the server
//	POST /dev/do/COMMAND a command of push/command, as the HTTP API would do it
package devpage

import (
	"bytes"
	"encoding/json"
	"mime"
	"net"
	"net/netip"
	"strings"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/protocol/http1"
)

// Facts are what the page has to know of the server.
type Facts struct {
	Version string `json:"version"`
	API     string `json:"api"`  // where the HTTP API is; empty: there is none
	Key     bool   `json:"key"`  // it wants a key, so that the page may give no commands
	Push    string `json:"push"` // how people push from a terminal, up to whom and what; empty: they cannot
	Decides bool   `json:"hook"` // a hook of the application tells who a page is, or whether it may come

	UIDs       Kept             `json:"uids"`
	Groups     Kept             `json:"groups"`
	Namespaces map[string]Space `json:"namespaces"`
}

// Kept is what is kept of a target.
type Kept struct {
	Some bool   `json:"some"`
	Size int    `json:"size"` // messages, if not only the last one is kept
	TTL  string `json:"ttl"`
}

// Space is what a namespace allows.
type Space struct {
	Subscribe string `json:"subscribe"`
	Publish   string `json:"publish"`
	Presence  string `json:"presence"`
	History   Kept   `json:"history"`
}

// KeptOf is what is kept by a setting.
func KeptOf(r config.Retention) Kept {
	return Kept{Some: r.Keeps(), Size: r.Size, TTL: r.TTL.String()}
}

// SpaceOf is what a namespace allows by its settings.
func SpaceOf(n config.Namespace) Space {
	return Space{n.Subscribe, n.Publish, n.Presence, KeptOf(n.History)}
}

// Page answers the requests of the page. Immutable.
type Page struct {
	facts []byte
	does  bool // it may give commands
}

// New makes a Page.
func New(f Facts) *Page {
	facts, err := json.Marshal(f)
	if err != nil {
		panic(err) // a struct of texts and numbers can be written
	}
	return &Page{facts, f.API != "" && !f.Key}
}

// below is where all is but the page itself.
const below = "/dev/"

// doPath is where commands go.
const doPath = below + "do/"

// Has reports whether a path is the page's.
func Has(path string) bool { return path == "/" || strings.HasPrefix(path, below) }

// IsCommand reports whether a request is for a command.
func IsCommand(r *http1.Request) bool { return bytes.HasPrefix(r.Path(), []byte(doPath)) }

// CommandOf is the command that a request is for.
func CommandOf(r *http1.Request) string { return strings.TrimPrefix(string(r.Path()), doPath) }

// Head decides about the head of a command, before its body is read: it comes from the page itself, on this machine,
// and may be given. The host that it is for was found right.
func (p *Page) Head(r *http1.Request, remote net.Addr) error {
	switch kind, _, _ := mime.ParseMediaType(string(r.Header("Content-Type"))); {
	case r.Method() != "POST":
		return &lineman.RefuseError{
			Status: 405, Reason: "want POST", Header: []http1.Field{{Name: "Allow", Value: "POST"}},
		}
	case !isOwn(r) || !isLocal(remote):
		return &lineman.RefuseError{
			Status: 403, Reason: "this is for the page of dev mode: back ends have the HTTP API",
		}
	case !p.does:
		return &lineman.RefuseError{
			Status: 403, Reason: "the page gives commands only where the HTTP API is there, and wants no key",
		}
	case kind != "application/json" || len(r.Header("Content-Encoding")) > 0:
		return &lineman.RefuseError{Status: 415, Reason: "want Content-Type: application/json"}
	}
	return nil
}

// isOwn reports whether a request was made by the page. Browsers tell the origin of what changes something, and pages
// of other sites cannot tell another one.
func isOwn(r *http1.Request) bool {
	scheme, host, _ := bytes.Cut(r.Header("Origin"), []byte("://"))
	site := string(r.Header("Sec-Fetch-Site"))
	return (string(scheme) == "http" || string(scheme) == "https") && bytes.Equal(host, r.Host()) &&
		len(r.Value("Origin", 1)) == 0 && (site == "" || site == "same-origin")
}

// isLocal reports whether somebody is on this machine.
func isLocal(remote net.Addr) bool {
	at, err := netip.ParseAddrPort(remote.String())
	return err == nil && at.Addr().Unmap().IsLoopback()
}

// Answer is that to a request that is no command. The host that it is for was found right.
func (p *Page) Answer(r *http1.Request) *http1.Response {
	path := string(r.Path())
	if path == below+"facts" {
		return &http1.Response{Type: "application/json", Body: p.facts, Header: []http1.Field{
			{Name: "Cache-Control", Value: "no-store"}, {Name: "X-Content-Type-Options", Value: "nosniff"},
			{Name: "Cross-Origin-Resource-Policy", Value: "same-origin"},
		}}
	}
	return answerAsset(path, r.Header("If-None-Match"))
}
