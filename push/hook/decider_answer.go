package hook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// Login is who a page is.
type Login struct {
	UID      string
	Channels []string        // patterns of the channels that it may subscribe to, as push.Match has them
	Publish  []string        // patterns of those on which it may publish
	Groups   []string        // joined at once
	Info     json.RawMessage // what others are told of it where they are told who is present; nil: nothing
	Session  json.RawMessage // kept with the connection; nil: nothing
	Expires  time.Time       // zero: never
}

// A Refusal is the answer no.
type Refusal struct {
	Code int    // with which a page is closed, or that of an RPC; 0 for others
	Why  string // at most 123 bytes, which fit into the closing of a WebSocket
}

func (r *Refusal) Error() string { return fmt.Sprintf("hook: refused: %d %s", r.Code, r.Why) }

// Bounds of answers.
const (
	maxWhy     = 123 // RFC 6455, section 5.5: a close frame has 125 bytes, two of which are the code
	maxSession = 4 << 10
	maxCache   = 24 * 3600       // seconds
	maxSeconds = 253_402_300_799 // in the year 9999
	refused    = 4001            // the code of a page that is refused where the answer has none
	failed     = 500             // that of an RPC
)

// answer is what a back end has decided. Immutable, as several may get it.
type answer struct {
	login   Login           // to connect
	data    json.RawMessage // to publish and rpc; nil: none
	skip    bool            // to publish
	refusal *Refusal        // nil: the answer is yes
	keep    time.Duration   // for how long it is good for others who ask the same
	size    int             // of its text
}

// fields are those of a JSON object, as they are written. null counts as missing, but in data. Names are told apart by
// case.
type fields map[string][]byte

// parse reads the text of an answer. It must not be changed any more.
func parse(text []byte) (fields, error) {
	if err := jsontext.Check(text); err != nil {
		return nil, err
	}
	if jsontext.Begins(text) != '{' {
		return nil, errors.New("no JSON object")
	}
	f := make(fields)
	for name, value := range jsontext.Fields(text) {
		if _, twice := f[string(name)]; twice {
			return nil, fmt.Errorf("%.40q is there twice", name)
		}
		f[string(name)] = value
	}
	return f, nil
}

func (f fields) has(name string) bool { return f[name] != nil && string(f[name]) != "null" }

// read reads a field, if it is there.
func (f fields) read(name string, into any, want string) error {
	if f.has(name) && json.Unmarshal(f[name], into) != nil {
		return fmt.Errorf("%q: want %s", name, want)
	}
	return nil
}

// integer reads a field that is an integer of some range; 0 if it is missing.
func (f fields) integer(name string, least, most int64) (n int64, err error) {
	err = f.read(name, &n, "an integer")
	if err == nil && f.has(name) && (n < least || n > most) {
		err = fmt.Errorf("%q: want %d to %d", name, least, most)
	}
	return n, err
}

// why reads the reason of a refusal.
func (f fields) why(name string) (text string, err error) {
	if err = f.read(name, &text, "a string"); err == nil && (len(text) > maxWhy || !utf8.ValidString(text)) {
		err = fmt.Errorf("%q: want at most %d bytes", name, maxWhy)
	}
	return text, err
}

// patterns reads those of channels.
func (f fields) patterns(name string) (all []string, err error) {
	if err = f.read(name, &all, "a list of strings"); err != nil {
		return nil, err
	}
	for _, p := range all {
		if err := push.CheckPattern(p); err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
	}
	return all, nil
}

// value reads a field that is any JSON of bounded size; nil if it is missing.
func (f fields) value(name string, most int) (json.RawMessage, error) {
	switch {
	case !f.has(name):
		return nil, nil
	case len(f[name]) > most:
		return nil, fmt.Errorf("%q: %d bytes, want at most %d", name, len(f[name]), most)
	}
	return bytes.Clone(f[name]), nil
}

// uid reads a string, or an integer as it is written.
func (f fields) uid() (uid string, err error) {
	const want = "want a string of 1 to 255 bytes, or an integer"
	text := f["uid"]
	switch {
	case text[0] == '"':
		err = json.Unmarshal(text, &uid)
	case bytes.ContainsAny(text, ".eE{[ft") || string(text) == "-0":
		err = errors.New(want)
	default:
		uid = string(text)
	}
	if err == nil {
		err = push.UID(uid).Check()
	}
	if err != nil {
		return "", fmt.Errorf(`"uid": %w`, err)
	}
	return uid, nil
}

// caching reads for how long an answer is good.
func (f fields) caching() (time.Duration, error) {
	seconds, err := f.integer("cache", 0, maxCache)
	return time.Duration(seconds) * time.Second, err
}

// parseConnect reads who a page is, or why it is refused. now bounds when that expires.
func parseConnect(text []byte, now time.Time) (a *answer, err error) {
	f, err := parse(text)
	if err != nil {
		return nil, err
	}
	if f.has("uid") == f.has("refuse") {
		return nil, errors.New(`want "uid", or "refuse"`)
	}
	a = &answer{size: len(text)}
	if a.keep, err = f.caching(); err != nil {
		return nil, err
	}
	if f.has("refuse") {
		a.refusal, err = f.refusal("refuse", "code", refused, 4000, 4999)
		return a, err
	}
	return a, f.login(&a.login, now)
}

// refusal reads a reason with a code.
func (f fields) refusal(why, code string, usual int, least, most int64) (r *Refusal, err error) {
	r = &Refusal{Code: usual}
	if r.Why, err = f.why(why); err != nil {
		return nil, err
	}
	if n, err := f.integer(code, least, most); err != nil {
		return nil, err
	} else if n > 0 {
		r.Code = int(n)
	}
	return r, nil
}

// login reads who a page is.
func (f fields) login(l *Login, now time.Time) (err error) {
	if l.UID, err = f.uid(); err != nil {
		return err
	}
	if l.Channels, err = f.patterns("channels"); err != nil {
		return err
	}
	if l.Publish, err = f.patterns("publish"); err != nil {
		return err
	}
	if err = f.read("groups", &l.Groups, "a list of strings"); err != nil {
		return err
	}
	for _, name := range l.Groups {
		if err = push.Group(name).Check(); err != nil {
			return fmt.Errorf(`"groups": %w`, err)
		}
	}
	if l.Info, err = f.value("info", push.MaxInfo); err != nil {
		return err
	}
	if l.Session, err = f.value("session", maxSession); err != nil {
		return err
	}
	seconds, err := f.integer("expires", 1, maxSeconds)
	if err != nil {
		return err
	}
	if f.has("expires") {
		if l.Expires = time.Unix(seconds, 0); !l.Expires.After(now) {
			return fmt.Errorf(`"expires": it has expired, in seconds since 1970, before it was told: %d`, seconds)
		}
	}
	return nil
}

// parseAllowed reads whether something is allowed.
func parseAllowed(text []byte) (f fields, a *answer, err error) {
	if f, err = parse(text); err != nil {
		return nil, nil, err
	}
	allow := false
	if err = f.read("allow", &allow, "true or false"); err != nil {
		return nil, nil, err
	}
	if !f.has("allow") {
		return nil, nil, errors.New(`want "allow"`)
	}
	a = &answer{size: len(text)}
	if allow {
		return f, a, nil
	}
	a.refusal = &Refusal{}
	a.refusal.Why, err = f.why("why")
	return f, a, err
}

// parseSubscribe reads whether a page may subscribe.
func parseSubscribe(text []byte, _ time.Time) (*answer, error) {
	f, a, err := parseAllowed(text)
	if err == nil {
		a.keep, err = f.caching()
	}
	return a, err
}

// parsePublish reads whether a page may publish, and what.
func parsePublish(text []byte, _ time.Time) (*answer, error) {
	f, a, err := parseAllowed(text)
	if err != nil || a.refusal != nil {
		return a, err
	}
	a.data = bytes.Clone(f["data"])
	return a, f.read("skip", &a.skip, "true or false")
}

// parseRPC reads what a page is answered.
func parseRPC(text []byte, _ time.Time) (a *answer, err error) {
	f, err := parse(text)
	if err != nil {
		return nil, err
	}
	data, answered := f["data"]
	if answered == f.has("error") {
		return nil, errors.New(`want "data", or "error"`)
	}
	a = &answer{size: len(text), data: bytes.Clone(data)}
	if !answered {
		a.refusal, err = f.refusal("error", "code", failed, 400, 4999)
	}
	return a, err
}
