package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Check tells what of the configuration cannot be, or is not safe: one *Error a line. Files are not looked at.
func (c *Config) Check() error {
	var errs []error
	for _, e := range append(c.values(), c.relations()...) {
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// problems are what a check has found.
type problems []*Error

// add notes an error about a setting, unless it is nil.
func (p *problems) add(key string, err error) {
	if err != nil {
		*p = append(*p, &Error{Key: key, Err: err})
	}
}

func (p *problems) addf(key, format string, args ...any) { p.add(key, fmt.Errorf(format, args...)) }

// each checks every element of a list.
func (p *problems) each(key string, list []string, check func(string) error) {
	for _, e := range list {
		p.add(key, check(e))
	}
}

// values are what is wrong with settings by themselves.
func (c *Config) values() (p problems) {
	p.bounds("", settings(), reflect.ValueOf(c).Elem())
	p.add("listen", checkAddress(c.Listen))
	for key, addr := range map[string]string{
		"text.listen": c.Text.Listen, "api.listen": c.API.Listen, "admin.listen": c.Admin.Listen,
	} {
		if addr != "" {
			p.add(key, checkAddress(addr))
		}
	}
	p.each("origins", c.Origins, checkOrigin)
	p.each("proxies", c.Proxies, checkProxy)
	p.each("tls.auto", c.TLS.Auto, checkHost)
	p.each("api.hosts", c.API.Hosts, checkHost)
	p.each("token.secrets", c.Token.Secrets, checkSecret)
	p.each("subprotocols", c.Subprotocols, checkSubprotocol)
	p.add("cookie", checkCookie(c.Cookie))
	p.add("admin.password", checkHash(c.Admin.Password))
	p.add("admin.readonly", checkHash(c.Admin.Readonly))
	if c.Token.Claim == "" {
		p.addf("token.claim", "is empty: want the name of the claim that has the uid, such as sub")
	}
	if c.Token.JWKS != "" {
		p.add("token.jwks", checkJWKS(c.Token.JWKS))
	}
	p.each("redis.addresses", c.Redis.Addresses, checkServer)
	p.add("redis.prefix", checkPrefix(c.Redis.Prefix))
	if name := c.Redis.ServerName; name != "" {
		p.add("redis.server_name", checkHost(name))
	}
	if c.Redis.Partitions > maxPartitions {
		p.addf("redis.partitions", "%d: want at most %d", c.Redis.Partitions, maxPartitions)
	}
	for _, s := range leaves(settings()) {
		if s.composed() {
			c.elements(&s, func(path string, v reflect.Value) { p.bounds(path+".", s.inside(""), v) })
		}
	}
	for i := range c.API.Keys {
		p.key(element("api.keys", i), &c.API.Keys[i])
	}
	for i := range c.Pusher.Apps {
		p.app(element("pusher.apps", i), &c.Pusher.Apps[i])
	}
	for name := range c.Namespaces {
		p.add(quoteKey(join("namespaces", name)), checkNamespace(name))
	}
	for name, h := range c.Hooks {
		p.hook(name, &h)
	}
	slices.SortStableFunc(p, func(a, b *Error) int { return strings.Compare(a.Key, b.Key) }) // maps have no order
	return p
}

// bounds checks what the table of settings says about numbers and words.
func (p *problems) bounds(path string, all []setting, in reflect.Value) {
	for _, s := range leaves(all) {
		v, key := s.of(in), path+s.key
		switch {
		case v.CanInt() && (v.Int() < 0 || s.positive && v.Int() == 0), v.CanFloat() && !(v.Float() >= 0):
			least := "0 or more"
			if s.positive {
				least = "more than 0"
			}
			p.addf(key, "%v: want %s", plain(&s, v), least)
		case len(s.words) > 0 && v.Kind() == reflect.String:
			p.add(key, checkWord(v.String(), s.words))
		case len(s.words) > 0:
			p.each(key, v.Interface().([]string), func(word string) error { return checkWord(word, s.words) })
		}
	}
}

func checkWord(word string, all []string) error {
	if slices.Contains(all, word) {
		return nil
	}
	return noWord(word, all)
}

func checkAddress(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s: want host:port, such as 127.0.0.1:1234, [::1]:1234 or :1234", quote(addr))
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s: the port %s is no number from 0 to 65535", quote(addr), quote(port))
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil && !hostName.MatchString(host) {
		return fmt.Errorf("%s: %s is neither an address nor a name of a host", quote(addr), quote(host))
	}
	return nil
}

var hostName = regexp.MustCompile(
	`^[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?)*$`)

func checkHost(name string) error {
	if _, err := netip.ParseAddr(name); err == nil || !hostName.MatchString(name) {
		return fmt.Errorf("%s: want the name of a host alone, such as push.example.com", quote(name))
	}
	return nil
}

func checkOrigin(origin string) error {
	if origin == "*" || origin == "null" {
		return nil
	}
	u, err := url.Parse(strings.Replace(origin, "://*.", "://", 1))
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || strings.Contains(u.Host, "*") {
		return fmt.Errorf("%s: want an origin: https://example.com, https://*.example.com, null for pages opened "+
			"from files, or *", quote(origin))
	}
	if plain := u.Scheme + "://" + u.Host; !strings.EqualFold(u.String(), plain) {
		return fmt.Errorf("%s: an origin ends with its host and port, without %s", quote(origin),
			quote(strings.TrimPrefix(u.String(), plain)))
	}
	return nil
}

func checkProxy(proxy string) error {
	if _, err := netip.ParseAddr(proxy); err == nil {
		return nil
	}
	if _, err := netip.ParsePrefix(proxy); err == nil {
		return nil
	}
	return fmt.Errorf("%s: want an address or a prefix, such as 10.0.0.1 or 10.0.0.0/8", quote(proxy))
}

// checkCookie wants a token (RFC 6265, section 4.1.1), or nothing.
func checkCookie(name string) error {
	if name != "" && !isToken(name) {
		return fmt.Errorf("%s: no cookie can have this name", quote(name))
	}
	return nil
}

// checkSubprotocol wants a token (RFC 6455, section 4.1).
func checkSubprotocol(name string) error {
	if !isToken(name) {
		return fmt.Errorf("%s: no subprotocol can have this name", quote(name))
	}
	return nil
}

// isToken reports whether a name is a token of HTTP (RFC 9110, section 5.6.2).
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

// checkJWKS wants what nobody in between can change. Its errors do not have the URL, in which a password may stand.
func checkJWKS(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("want a URL, such as https://example.com/.well-known/jwks.json")
	case u.User != nil:
		return errors.New("a URL with a password is shown where it should not be: want one without")
	case u.Scheme == "http" && !isLoopbackHost(u.Hostname()):
		return errors.New("who is on the way could change keys that come by http: want https")
	}
	return nil
}

// minSecret is how many characters a secret has at least.
const minSecret = 16

func checkSecret(secret string) error {
	if n := utf8.RuneCountInString(secret); n < minSecret {
		return fmt.Errorf("a secret of %d characters can be guessed: want %d or more", n, minSecret)
	}
	return nil
}

func checkNamespace(name string) error {
	first, rest, open := strings.Cut(name, ":")
	start, starred := strings.CutSuffix(rest, "*")
	switch {
	case first == "":
		return errors.New("has no name")
	case open && (!starred || start == "" || strings.Contains(start, "*")):
		return errors.New("a namespace is what stands before the first colon of a channel's name, or how such names " +
			"begin: want it without a colon, or with a star at its end, such as chat:room-*")
	case hasUnseen(name):
		return errors.New("has a character that is not seen, or controls something")
	case first == "u" || first == "g":
		return errors.New("u and g are those of uids and groups, whose members the server alone decides on")
	case first == "c":
		return errors.New("c is that of connections")
	}
	return nil
}

// maxKeyName is how long the name of a key may be, in bytes.
const maxKeyName = 255

// maxKey is how long a key may be, in bytes.
const maxKey = 4 << 10

// hasUnseen reports whether a text has a character that is not seen, that ends a line, or that could not be decoded.
func hasUnseen(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || r == utf8.RuneError || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
	})
}

// key checks what lets a back end in.
func (p *problems) key(at string, k *Key) {
	switch {
	case k.Name == "":
		p.addf(at+".name", "is empty: logs and metrics name the key by it")
	case len(k.Name) > maxKeyName:
		p.addf(at+".name", "has %d bytes: want at most %d", len(k.Name), maxKeyName)
	case hasUnseen(k.Name):
		p.addf(at+".name", "%s: logs and errors show it: want no character that is not seen, or controls something",
			quote(k.Name))
	}
	switch {
	case k.Key == "" && k.KeyFile == "":
		p.addf(at+".key", "is empty: want key, or key_file")
	case len(k.Key) > maxKey:
		p.addf(at+".key", "has %d bytes: want at most %d, as a back end says it in a line or a field",
			len(k.Key), maxKey)
	case k.Key != "": // that of KeyFile may not have been read
		p.add(at+".key", checkSecret(k.Key))
	}
	p.each(at+".targets", k.Targets, checkTarget)
}

func checkTarget(target string) error {
	if i := strings.IndexByte(target, '*'); target == "" || i >= 0 && i < len(target)-1 ||
		strings.ContainsFunc(target, unicode.IsControl) {
		return fmt.Errorf("%s: want a target, such as u:7, g:room, chat:* or *", quote(target))
	}
	return nil
}
