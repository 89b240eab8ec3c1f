package server

import (
	"bytes"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/push/level1"
)

// bearer is the subprotocol that says that the next one is the credential: new WebSocket(url, ["bearer", token]).
const bearer = "bearer"

// subprotocols are those that may be agreed on. bearer is last, so that a page may want another one as well.
func (s *Server) subprotocols() []string {
	return append(append([]string{level1.Subprotocol}, s.config.Subprotocols...), bearer)
}

// loginOf is what a handshake says of a login. The error is what is wrong with it.
func (s *Server) loginOf(r *http1.Request) (e login, err error) {
	token, wrongToken := parameter(r, "token")
	sub, wrongSub := parameter(r, "sub")
	hello, wrongHello := parameter(r, "hello")
	last, wrongLast := parameter(r, "last")
	if wrongToken != nil || wrongSub != nil || wrongHello != nil || wrongLast != nil {
		return e, &lineman.RefuseError{Status: 400, Reason: "the query is malformed"}
	}
	if hello != "" && hello != "1" {
		return e, &lineman.RefuseError{Status: 400, Reason: "hello is asked for by hello=1"}
	}
	offered := offeredToken(r)
	if offered == bearer || offered == level1.Subprotocol ||
		slices.Contains(s.config.Subprotocols, offered) { // the answer would have it
		return e, &lineman.RefuseError{Status: 400, Reason: "the subprotocol behind bearer is no credential"}
	}
	e.hello = hello != ""
	if last != "" {
		if e.last, err = strconv.Atoi(last); err != nil || e.last < 1 || e.last > level1.MaxHist {
			return e, &lineman.RefuseError{Status: 400, Reason: "last is 1 to " + strconv.Itoa(level1.MaxHist)}
		}
	}
	for _, given := range []string{token, bearerToken(r), offered, s.cookie(r)} {
		if e.credential = trimmed(given); e.credential != "" {
			break
		}
	}
	if sub != "" {
		e.channels = strings.Split(sub, ",")
	}
	return e, nil
}

// trimmed is a credential without white space around it, which comes from files and terminals and is never a part of
// it.
func trimmed(credential string) string { return strings.Trim(credential, " \t\r\n\v\f") }

// parameter is the value of the first parameter of a name in the query; empty if there is none.
func parameter(r *http1.Request, name string) (string, error) {
	for query := r.Query(); len(query) > 0; {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte("&"))
		if key, value, _ := bytes.Cut(pair, []byte("=")); string(key) == name {
			return url.QueryUnescape(string(value))
		}
	}
	return "", nil
}

// bearerToken is the credential of "Authorization: Bearer" (RFC 6750, section 2.1); empty if there is none.
func bearerToken(r *http1.Request) string {
	scheme, token, _ := strings.Cut(string(r.Header("Authorization")), " ")
	if !strings.EqualFold(scheme, bearer) {
		return ""
	}
	return token
}

// offeredToken is what follows bearer among the subprotocols that a page offers; empty if nothing does.
func offeredToken(r *http1.Request) string {
	follows := false
	for list := range r.Values("Sec-WebSocket-Protocol") {
		for item := range bytes.SplitSeq(list, []byte(",")) {
			name := string(bytes.TrimSpace(item))
			if follows && name != "" {
				return name
			}
			follows = follows || name == bearer
		}
	}
	return ""
}

// cookie is the value of the cookie that may have the credential; empty if there is none.
func (s *Server) cookie(r *http1.Request) string {
	if s.config.Cookie == "" {
		return ""
	}
	request, err := r.Std()
	if err != nil {
		return ""
	}
	c, err := request.Cookie(s.config.Cookie)
	if err != nil {
		return ""
	}
	return c.Value
}
