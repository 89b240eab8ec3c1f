package pusher

import (
	"net/url"
	"strconv"
	"strings"
)

// Handshake is what the address of a page says.
type Handshake struct {
	App      *App
	Protocol int
	Client   string // the library, and its version
	Version  string
}

// The versions of the protocol that are served.
const (
	oldestProtocol = 5
	newestProtocol = 7
)

// pathPrefix begins the path of pages, and goes on with the key of an App.
const pathPrefix = "/app/"

// maxVersion is how long the names of a library and of its version may be.
const maxVersion = 64

// IsPagePath reports whether a path is one of pages.
func IsPagePath(path string) bool { return strings.HasPrefix(path, pathPrefix) }

// ParseHandshake reads the address of a page: its path, and what follows the "?".
func (all *Apps) ParseHandshake(path, query string) (Handshake, *Error) {
	key, found := strings.CutPrefix(path, pathPrefix)
	if !found || strings.Contains(key, "/") {
		return Handshake{}, &Error{Code: CodePath, Text: "pages connect to /app/KEY"}
	}
	app := all.ByKey(key)
	if app == nil {
		return Handshake{}, &Error{Code: CodeUnknownApp, Text: "there is no app of this key"}
	}
	values, err := url.ParseQuery(query)
	h := Handshake{App: app, Client: values.Get("client"), Version: values.Get("version")}
	if err != nil || len(h.Client) > maxVersion || len(h.Version) > maxVersion {
		return Handshake{}, &Error{Code: CodeVersion, Text: "the version of the client is none"}
	}
	switch text := values.Get("protocol"); text {
	case "":
		return Handshake{}, &Error{Code: CodeNoProtocol, Text: "the version of the protocol is missing: protocol=7"}
	default:
		if h.Protocol, err = strconv.Atoi(text); err != nil {
			return Handshake{}, &Error{Code: CodeVersion, Text: "the version of the protocol is a number"}
		}
	}
	if h.Protocol < oldestProtocol || h.Protocol > newestProtocol {
		return Handshake{}, &Error{Code: CodeProtocol, Text: "versions 5 to 7 of the protocol are served"}
	}
	return h, nil
}
