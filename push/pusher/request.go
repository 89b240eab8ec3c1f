package pusher

import (
	"cmp"
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Request is one of the HTTP API. CheckHead makes it, SetBody completes it, and Service.Do does it.
type Request struct {
	App *App

	do     endpoint
	name   string // of the channel, or of the user; or what the channels begin with
	info   info   // what is to be told of channels
	md5    string // of the body, as it was signed; empty: there is to be none
	events []apiEvent

	mark string // see Mark
	at   int64  // the second in which it was signed
}

// Failure is why a request is not done.
type Failure struct {
	Status int // of HTTP
	Text   string
}

// Error is what went wrong.
func (f *Failure) Error() string { return "pusher: " + strconv.Itoa(f.Status) + ": " + f.Text }

func malformed(format string, args ...any) *Failure {
	return &Failure{400, fmt.Sprintf(format, args...)}
}

// unsigned is the answer to all that does not show the secret of an app: it tells nothing of the right signature.
var unsigned = &Failure{401, "auth_key and auth_signature are not those of this app and this request"}

// Window is how far the time of a request may be from that of the server.
const Window = 10 * time.Minute

// apiPrefix begins the path of a request, and goes on with the ID of an App.
const apiPrefix = "/apps/"

// IsAPIPath reports whether a path is one of the HTTP API.
func IsAPIPath(path string) bool { return strings.HasPrefix(path, apiPrefix) }

// CheckHead reads what a request says before its body: its method, its path as it was sent, and what follows the "?".
// All is signed, the body too, by its hash: so what is not of somebody who has the secret needs no body. seen are the
// requests that have come: one that changes something is done again only if it comes at once, see Replays.
func (all *Apps) CheckHead(method, path, query string, now time.Time, seen *Replays) (*Request, *Failure) {
	segments, ok := split(path)
	values, err := parseQuery(query)
	if !ok || err != nil {
		return nil, malformed("the address cannot be read")
	}
	a := all.ByID(segments[0])
	if a == nil {
		return nil, unsigned
	}
	if wrong := a.checkSignature(method, path, values, now); wrong != nil {
		return nil, wrong
	}
	r := &Request{App: a, md5: values["body_md5"]}
	if wrong := r.route(method, segments[1:], values); wrong != nil {
		return nil, wrong
	}
	if method == "POST" {
		r.mark, r.at = values["auth_signature"][:2*len(signature{})], signedAt(values)
		if !seen.admit(r.mark, r.at, now) {
			return nil, replayed
		}
	}
	return r, nil
}

// split are the parts of a path behind the prefix.
func split(path string) (segments []string, ok bool) {
	rest, ok := strings.CutPrefix(path, apiPrefix)
	segments = strings.Split(rest, "/")
	for i, s := range segments {
		text, err := url.PathUnescape(s)
		if ok = ok && err == nil; !ok {
			return nil, false
		}
		segments[i] = text
	}
	return segments, ok
}

// parseQuery reads what follows the "?". No name comes twice: it could be read in two ways.
func parseQuery(query string) (map[string]string, error) {
	all := make(map[string]string)
	if query == "" {
		return all, nil
	}
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, err
		}
		name = strings.ToLower(name)
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("pusher: %.80q comes twice", name)
		}
		all[name] = value
	}
	return all, nil
}

// checkSignature tells whether a request was signed with the secret of the App, and when.
func (a *App) checkSignature(method, path string, values map[string]string, now time.Time) *Failure {
	signature, signed := values["auth_signature"], queryText(values)
	good := a.verify(method+"\n"+path+"\n"+signed, signature)
	if plain, err := url.PathUnescape(path); !good && err == nil && isSamePath(path, plain) {
		good = a.verify(method+"\n"+plain+"\n"+signed, signature) // it was signed before it was encoded
	}
	switch at := signedAt(values); {
	case !good || values["auth_key"] != a.Key:
		return unsigned
	case values["auth_version"] != "1.0":
		return &Failure{401, "auth_version is 1.0"}
	case at == 0 || now.Sub(time.Unix(at, 0)).Abs() > Window:
		return &Failure{401, fmt.Sprintf("auth_timestamp is not within %d seconds of the time of the server, %d",
			Window/time.Second, now.Unix())}
	}
	return nil
}

// isSamePath reports whether a path that was decoded says what it said before: it could be read in one way only.
func isSamePath(path, plain string) bool {
	return path != plain && !strings.Contains(plain, "%") && strings.Count(path, "/") == strings.Count(plain, "/")
}

// queryText is what is signed of a query.
func queryText(values map[string]string) string {
	var parts []string
	for name, value := range values {
		if name != "auth_signature" {
			parts = append(parts, name+"="+value)
		}
	}
	slices.SortFunc(parts, func(a, b string) int {
		nameA, _, _ := strings.Cut(a, "=")
		nameB, _, _ := strings.Cut(b, "=")
		return cmp.Compare(nameA, nameB)
	})
	return strings.Join(parts, "&")
}

// signedAt is the Unix time of a signature; 0 if it is none.
func signedAt(values map[string]string) int64 {
	at, err := strconv.ParseInt(values["auth_timestamp"], 10, 64)
	if err != nil || at < 0 || at > 1<<40 {
		return 0
	}
	return at
}

// endpoint is what a request is for.
type endpoint uint8

const (
	triggers endpoint = iota
	triggersBatch
	listsChannels
	tellsChannel
	listsUsers
	terminates
)

// methods are those of the endpoints.
var methods = [...]string{
	triggers: "POST", triggersBatch: "POST", listsChannels: "GET", tellsChannel: "GET", listsUsers: "GET",
	terminates: "POST",
}

// route finds out what a request is for.
func (r *Request) route(method string, path []string, values map[string]string) (wrong *Failure) {
	is := func(n int, first, last string) bool { return len(path) == n && path[0] == first && path[n-1] == last }
	switch {
	case is(1, "events", "events"):
		r.do = triggers
	case is(1, "batch_events", "batch_events"):
		r.do = triggersBatch
	case is(1, "channels", "channels"):
		r.do, r.name = listsChannels, values["filter_by_prefix"]
	case len(path) == 2 && path[0] == "channels":
		r.do, r.name = tellsChannel, path[1]
	case is(3, "channels", "users"):
		r.do, r.name = listsUsers, path[1]
	case is(3, "users", "terminate_connections"):
		r.do, r.name = terminates, path[1]
	default:
		return &Failure{404, "the API has no such path"}
	}
	if method != methods[r.do] {
		return &Failure{405, "the method is " + methods[r.do]}
	}
	if r.info, wrong = parseInfo(values["info"]); wrong != nil {
		return wrong
	}
	return r.checkName()
}

// checkName tells what is wrong with the channel or the user that a request is about.
func (r *Request) checkName() *Failure {
	kind := KindOf(r.name)
	var err error
	switch {
	case r.do == terminates:
		err = checkUser(r.name)
	case r.do == tellsChannel, r.do == listsUsers:
		err = CheckChannel(r.name)
	case r.do == listsChannels && r.name != "":
		err = CheckChannel(r.name)
	}
	switch {
	case err != nil:
		return malformed("%s", strings.TrimPrefix(err.Error(), "pusher: "))
	case r.do == listsUsers && !kind.has(Presence):
		return malformed("only presence channels have users")
	case r.do != triggers && r.info&userCount != 0 && !kind.has(Presence):
		return malformed("only presence channels have a user_count: ask for those that begin with presence-")
	case r.info&cached != 0 && r.do != tellsChannel:
		return malformed("cache is told of one channel at a time")
	case r.info&cached != 0 && !kind.has(Cache):
		return malformed("only cache channels have a cache")
	}
	return nil
}

// MaxBody is how many bytes the body of the request may have.
func (r *Request) MaxBody() int {
	const around, escaped = 32 << 10, 6 // names, and a byte as JSON writes it
	switch r.do {
	case triggers:
		return r.App.maxData()*escaped + around
	case triggersBatch:
		return maxBatch*r.App.maxData()*escaped + around
	}
	return 1 << 10
}

// SetBody gives the request its body, and checks that it is the one which was signed.
func (r *Request) SetBody(body []byte) *Failure {
	if len(body) > r.MaxBody() {
		return &Failure{413, "the body is too long"}
	}
	sum := md5.Sum(body)
	good := subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(strings.ToLower(r.md5))) == 1
	if !good && (len(body) > 0 || r.md5 != "") {
		return unsigned
	}
	if !utf8.Valid(body) {
		return malformed("the body is not UTF-8")
	}
	switch r.do {
	case triggers:
		return r.parseEvent(body)
	case triggersBatch:
		return r.parseBatch(body)
	}
	return nil
}
