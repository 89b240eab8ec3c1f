package admin

import (
	"bytes"
	"mime"
	"strconv"
	"strings"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
)

// Has reports whether a path is the dashboard's.
func Has(path string) bool { return path == "/" || strings.HasPrefix(path, "/dashboard/") }

// maxBody is the largest body of a request: a message to try somebody's pages by.
const maxBody = 64 << 10

// maxLogin is that of a login, as anybody may send one.
const maxLogin = 1 << 10

// Head decides about a request before its body is read, and tells whether who asks is known. The host that it is for
// was found right.
func (d *Dashboard) Head(r *http1.Request) (known bool, err error) {
	path := string(r.Path())
	if err := checkSite(r); err != nil {
		return false, err
	}
	if err := checkBody(r, path); err != nil {
		return false, err
	}
	s := d.sessionOf(cookiesOf(r))
	switch {
	case isPublic(r.Method(), path):
		return s != nil, nil
	case s == nil:
		return false, refuse(401, "log in: the dashboard is at /")
	case r.Method() != "GET" && !d.seal.isToken(r.Header("X-Lineman-Token"), s):
		return true, refuse(403, "want X-Lineman-Token, as GET /dashboard/session tells it: load the page again")
	}
	return true, nil
}

func refuse(status int, reason string) error {
	return &lineman.RefuseError{Status: status, Reason: reason}
}

func cookiesOf(r *http1.Request) (lines []string) {
	for line := range r.Values("Cookie") {
		lines = append(lines, string(line))
	}
	return lines
}

// checkSite refuses what another site has a browser ask. Its links may lead to the page, which tells nothing by itself,
// and is in no frame. A change wants an origin, which browsers always tell.
func checkSite(r *http1.Request) error {
	const reason = "pages of other sites cannot use this port"
	isLink := r.Method() == "GET" && string(r.Path()) == "/" && string(r.Header("Sec-Fetch-Dest")) == "document"
	switch site := string(r.Header("Sec-Fetch-Site")); {
	case isLink:
	case site != "" && site != "none" && site != "same-origin":
		return refuse(403, reason)
	}
	origin := string(r.Header("Origin"))
	if origin == "" {
		if r.Method() != "GET" {
			return refuse(403, "want Origin: this is for the page of the dashboard; back ends have the HTTP API")
		}
		return nil
	}
	scheme, host, _ := strings.Cut(origin, "://")
	isScheme := scheme == "https" || scheme == "http" && !isSecure(r.Header("X-Forwarded-Proto"))
	if !isScheme || host != string(r.Host()) || len(r.Value("Origin", 1)) > 0 {
		return refuse(403, reason)
	}
	return nil
}

// checkBody wants none, or a small one of JSON.
func checkBody(r *http1.Request, path string) error {
	switch r.Method() {
	case "GET":
		if r.HasBody() {
			return refuse(413, "want a request without a body")
		}
		return nil
	case "POST":
	default:
		return &lineman.RefuseError{
			Status: 405, Reason: "want GET or POST", Header: []http1.Field{{Name: "Allow", Value: "GET, POST"}},
		}
	}
	most := maxBody
	if path == loginPath {
		most = maxLogin
	}
	kind, _, _ := mime.ParseMediaType(string(r.Header("Content-Type")))
	n, err := strconv.Atoi(string(bytes.TrimSpace(r.Header("Content-Length"))))
	switch {
	case kind != "application/json" || len(r.Header("Content-Encoding")) > 0:
		return refuse(415, "want Content-Type: application/json")
	case err != nil:
		return refuse(411, "want Content-Length")
	case n > most:
		return refuse(413, "want a body of at most "+strconv.Itoa(most)+" bytes")
	}
	return nil
}

// isPublic reports whether everybody may ask for a path.
func isPublic(method, path string) bool {
	_, isAsset := assets[path]
	return method == "GET" && isAsset || method == "POST" && path == loginPath
}
