package config

import (
	"cmp"
	"errors"
	"strings"
	"testing"
	"time"
)

const goodKey = "0123456789abcdef"

// TestCheck changes one thing of a good configuration: nothing is said, or what is wrong with the setting.
func TestCheck(t *testing.T) {
	listens := func(addr string) func(*Config) { return func(c *Config) { c.Listen = addr } }
	origins := func(o ...string) func(*Config) { return func(c *Config) { c.Origins = o } }
	proxies := func(p ...string) func(*Config) { return func(c *Config) { c.Proxies = p } }
	jwks := func(u string) func(*Config) { return func(c *Config) { c.Token.JWKS = u } }
	keys := func(k ...Key) func(*Config) { return func(c *Config) { c.API.Keys = k } }
	space := func(name string, n Namespace) func(*Config) {
		return func(c *Config) {
			n.History = cmp.Or(n.History, defaultRetention())
			n.Publish = cmp.Or(n.Publish, "none")
			n.Presence, n.MaxPresent = cmp.Or(n.Presence, NoPresence), cmp.Or(n.MaxPresent, 1)
			c.Namespaces[name] = n
		}
	}
	for _, c := range []struct {
		name   string
		change func(*Config)
		says   []string
	}{
		{"nothing", func(*Config) {}, nil},

		{"any port", listens("localhost:0"), nil},
		{"IPv6", listens("[::1]:80"), nil},
		{"all addresses", listens(":80"), nil}, // dev is explicit here
		{"a name", listens("push_1.example-a.com:80"), nil},
		{"no address", listens(""), []string{`config: listen: "": want host:port`}},
		{"no port", listens("127.0.0.1"), []string{`"127.0.0.1": want host:port`}},
		{"bare IPv6", listens("::1"), []string{"want host:port"}},
		{"a port's name", listens(":http"), []string{`the port "http" is no number`}},
		{"a large port", listens(":65536"), []string{"is no number from 0 to 65535"}},
		{"a negative port", listens(":-1"), []string{"is no number from 0 to 65535"}},
		{"a URL", listens("ws://localhost:80"), []string{"want host:port"}},
		{"a strange host", listens("a b:80"), []string{`"a b" is neither an address nor a name`}},
		{"others", func(c *Config) { c.Text.Listen, c.API.Listen, c.Admin.Listen = "x", "y", "z" },
			[]string{"config: text.listen:", "config: api.listen:", "config: admin.listen:"}},
		{"no others", func(c *Config) { c.Text.Listen, c.API.Listen, c.Admin.Listen = "", "", "" }, nil},
		{"one port twice", func(c *Config) { c.API.Listen = c.Text.Listen },
			[]string{"config: api.listen: 127.0.0.1:5678 is that of text.listen"}},
		{"a drain without end", func(c *Config) { c.Drain = 1 << 62 },
			[]string{"longer than anybody waits for a server to stop: want at most 1h0m0s"}},
		{"any ports", func(c *Config) { c.API.Listen, c.Text.Listen = "127.0.0.1:0", "127.0.0.1:0" }, nil},

		{"origins",
			origins("https://example.com", "http://example.com:8080", "https://*.example.com", "null", "*",
				"HTTPS://Example.com", "app://local"), nil},
		{"a slash", origins("https://example.com/"),
			[]string{`config: origins: "https://example.com/": an origin ends with its host and port, without "/"`}},
		{"a path", origins("https://example.com/a?b#c"), []string{`without "/a?b#c"`}},
		{"a host alone", origins("example.com"), []string{"want an origin"}},
		{"stars", origins("https://*.*.com", "https://a.*.com", "*.example.com", "https://*"),
			[]string{"want an origin", `"https://a.*.com"`, `"*.example.com"`, `"https://*": want`}},
		{"a user", origins("https://u:p@example.com"), []string{"want an origin"}},

		{"proxies", proxies("10.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"), nil},
		{"a name as a proxy", proxies("proxy.local"),
			[]string{"config: proxies: \"proxy.local\": want an address or a prefix"}},
		{"a wrong prefix", proxies("10.0.0.0/33"), []string{"want an address"}},

		{"a cookie", func(c *Config) { c.Cookie = "__Host-session" }, nil},
		{"subprotocols", func(c *Config) { c.Subprotocols = []string{"chat.v1", "mqtt"} }, nil},
		{"a wrong subprotocol", func(c *Config) { c.Subprotocols = []string{"a", "a b", ""} }, []string{
			"config: subprotocols: \"a b\": no subprotocol can have this name",
			"config: subprotocols: \"\": no subprotocol can have this name",
		}},
		{"a wrong cookie", func(c *Config) { c.Cookie = "a=b" },
			[]string{"config: cookie: \"a=b\": no cookie can have this name"}},
		{"a negative drain", func(c *Config) { c.Drain = -time.Second },
			[]string{"config: drain: -1s: want 0 or more"}},
		{"a negative relay", func(c *Config) { c.Relay = -time.Second },
			[]string{"config: relay: -1s: want 0 or more"}},
		{"no drain", func(c *Config) { c.Drain = 0 }, nil},
		{"no time to log in", func(c *Config) { c.Limits.Login = 0 },
			[]string{"config: limits.login: 0s: want more than 0"}},
		{"no limits",
			func(c *Config) { c.Limits = Limits{Message: 1, Publish: 1, Body: 1, Pending: 1, Login: 1, Places: 1} },
			nil},
		{"zeros", func(c *Config) { c.Limits = Limits{} },
			[]string{"limits.message: 0: want more", "limits.publish", "limits.body", "limits.pending", "limits.login",
				"limits.places"}},
		{"a negative rate", func(c *Config) { c.Limits.HandshakesPerIP = -0.5 },
			[]string{"limits.handshakes_per_ip: -0.5: want 0 or more"}},

		{"a certificate", func(c *Config) { c.TLS.Cert, c.TLS.Key = "c", "k" }, nil},
		{"a certificate alone", func(c *Config) { c.TLS.Cert = "c" },
			[]string{"config: tls.cert: tls.cert and tls.key belong together: give both"}},
		{"its key alone", func(c *Config) { c.TLS.Key = "k" },
			[]string{"config: tls.key: tls.cert and tls.key belong together: give both"}},
		{"automatic", func(c *Config) { c.TLS.Auto = []string{"push.example.com"} }, nil},
		{"both", func(c *Config) { c.TLS.Cert, c.TLS.Key, c.TLS.Auto = "c", "k", []string{"push.example.com"} },
			[]string{"config: tls.auto: certificates come from"}},
		{"automatic without a folder", func(c *Config) { c.TLS.Auto, c.TLS.Cache = []string{"a.com"}, "" },
			[]string{"config: tls.cache: is empty"}},
		{"automatic for an address", func(c *Config) { c.TLS.Auto = []string{"10.0.0.1", "https://a.com"} },
			[]string{`"10.0.0.1": want the name`, `"https://a.com": want the name`}},
		{"hosts", func(c *Config) { c.API.Hosts = []string{"api.example.com", "a:80"} },
			[]string{`api.hosts: "a:80": want the name`}},

		{"algorithms", func(c *Config) { c.Token.Algorithms = []string{"HS256", "ES512", "EdDSA"} }, nil},
		{"a wrong algorithm", func(c *Config) { c.Token.Algorithms = []string{"none", "RS265"} },
			[]string{`token.algorithms: "none": want ticket, HS256`, `"RS265": did you mean RS256?`}},
		{"no claim", func(c *Config) { c.Token.Claim = "" }, []string{"config: token.claim: is empty"}},
		{"a negative skew", func(c *Config) { c.Token.Skew = -1 }, []string{"token.skew: -1ns: want 0 or more"}},
		{"a short secret", func(c *Config) { c.Token.Secrets = []string{goodKey, "short"} },
			[]string{"token.secrets: a secret of 5 characters can be guessed: want 16 or more"}},
		{"a key set", jwks("https://example.com/jwks"), nil},
		{"a near key set", jwks("http://localhost:8080/jwks"), nil},
		{"a bare key set", jwks("http://example.com/jwks"),
			[]string{"config: token.jwks: who is on the way could change keys"}},
		{"a file as a key set", jwks("file:///jwks.json"), []string{"want a URL"}},
		{"a name as a key set", jwks("example.com/jwks"), []string{"want a URL"}},
		{"a key set with a password", jwks("https://u:p@example.com/jwks"), []string{"a URL with a password"}},

		{"a key's name of two lines", keys(Key{Name: "a\nb", Key: goodKey}),
			[]string{`config: api.keys[0].name: "a\nb": logs and errors show it`}},
		{"a key's name that turns round",
			keys(Key{Name: "a\u202eb", Key: goodKey}, Key{Name: "\u009b", Key: goodKey + "b"},
				Key{Name: "a\xff", Key: goodKey + "c"}),
			[]string{"keys[0].name: ", "keys[1].name: ", "keys[2].name: "}},
		{"a long key", keys(Key{Name: "a", Key: strings.Repeat("a", 4097)}),
			[]string{"keys[0].key: has 4097 bytes: want at most 4096"}},
		{"a key's name that is long", keys(Key{Name: strings.Repeat("a", 256), Key: goodKey}),
			[]string{"keys[0].name: has 256 bytes: want at most 255"}},
		{"a control character in a target", keys(Key{Name: "\u00e9", Key: goodKey, Targets: []string{"u:\x01*"}}),
			[]string{"keys[0].targets: "}},
		{"keys",
			keys(Key{Name: "a", Key: goodKey, Scopes: []string{"publish"}, Targets: []string{"u:7", "chat:*", "*"}},
				Key{Name: "b", Key: goodKey + "b"}), nil},
		{"one name", keys(Key{Name: "a", Key: goodKey}, Key{Name: "a", Key: goodKey + "b"}),
			[]string{`api.keys[1].name: "a" is that of api.keys[0]`}},
		{"one secret", keys(Key{Name: "a", Key: goodKey}, Key{Name: "b", Key: goodKey}),
			[]string{"api.keys[1].key: is that of api.keys[0]: want one of its own"}},
		{"an empty key", keys(Key{}),
			[]string{"api.keys[0].name: is empty", "api.keys[0].key: is empty: want key, or key_file"}},
		{"a key to be read", keys(Key{Name: "a", KeyFile: "f"}, Key{Name: "b", KeyFile: "g"}), nil},
		{"a short key", keys(Key{Name: "a", Key: "short"}), []string{"api.keys[0].key: a secret of 5 characters"}},
		{"a wrong scope", keys(Key{Name: "a", Key: goodKey, Scopes: []string{"admn", "write"}}),
			[]string{`api.keys[0].scopes: "admn": did you mean admin? want publish, manage, read, watch, listen or ` +
				"admin", `"write": want publish`}},
		{"wrong targets", keys(Key{Name: "a", Key: goodKey, Targets: []string{"", "*:a", "a*b"}}),
			[]string{`targets: "": want`, `"*:a": want`, `"a*b": want`}},

		{"a namespace", space("chat", Namespace{Subscribe: "all", MaxMessage: 1 << 20}), nil},
		{"a namespace's publications that cut pages", space("chat", Namespace{Subscribe: "all", MaxMessage: 1<<20 + 1}),
			[]string{"config: namespaces.chat.max_message: 1048577: a page is cut when more than limits.pending, " +
				"1MiB, waits"}},
		{"publications that cut pages", func(c *Config) { c.Limits.Publish = 2 << 20 },
			[]string{"config: limits.publish: 2MiB: a page is cut when more than limits.pending, 1MiB, waits"}},
		{"large publications", func(c *Config) { c.Limits.Publish, c.Limits.Pending = 8<<20, 8<<20 }, nil},
		{"no rule", space("chat", Namespace{}),
			[]string{`config: namespaces.chat.subscribe: "": want all, token or none`}},
		{"a wrong rule", space("chat", Namespace{Subscribe: "tokens"}), []string{`"tokens": did you mean token?`}},
		{"a colon", space("a:b", DefaultNamespace()),
			[]string{"namespaces.a:b: a namespace is what stands before the first colon"}},
		{"a namespace that is not seen", space("a\u200b", DefaultNamespace()),
			[]string{"has a character that is not seen"}},
		{"uids", space("u", DefaultNamespace()), []string{"namespaces.u: u and g are those"}},
		{"groups", space("g", DefaultNamespace()), []string{"namespaces.g: u and g are those"}},
		{"no name", space("", DefaultNamespace()), []string{"has no name"}},
		{"negative subscribers", space("a", Namespace{Subscribe: "all", MaxSubscribers: -1, MaxMessage: -1}),
			[]string{"namespaces.a.max_subscribers: -1: want", "namespaces.a.max_message: -1: want"}},

		{"a wrong format", func(c *Config) { c.Log.Format = "jsn" },
			[]string{`config: log.format: "jsn": did you mean json? want text or json`}},
		{"a wrong level", func(c *Config) { c.Log.Level = "INFO" },
			[]string{`log.level: "INFO": want debug, info, warn or error`}},

		{"text and API for all", func(c *Config) { c.Text.Listen, c.API.Listen = ":1", "0.0.0.0:2" },
			[]string{"config: text.listen: :1: back ends of other machines need a key: set api.keys, or listen on a " +
				"loopback address", "config: api.listen: 0.0.0.0:2: back ends"}},
		{"with a key", func(c *Config) { c.Text.Listen = ":1"; c.API.Keys = []Key{{Name: "a", Key: goodKey}} }, nil},
		{"admin for all", func(c *Config) { c.Admin.Listen = ":1"; c.API.Keys = []Key{{Name: "a", Key: goodKey}} },
			[]string{"config: admin.listen: :1: back ends of other machines need a key: give one of api.keys the " +
				"scope admin, set admin.password"}},
		{"admin for all, by a password", func(c *Config) {
			c.Admin.Listen, c.Admin.Readonly = ":1", aHash
			c.Admin.Password = aHash
		}, []string{"config: admin.readonly: is that of admin.password"}},
		{"passwords in place of hashes", func(c *Config) { c.Admin.Password, c.Admin.Readonly = "hush", "hush hush" },
			[]string{"config: admin.password: is no password hash", "config: admin.readonly: is no password hash"}},
		{"with a key for it", func(c *Config) {
			c.Admin.Listen = ":1"
			c.API.Keys = []Key{{Name: "a", Key: goodKey, Scopes: []string{"admin"}}}
		}, nil},
		{"a key asked for", func(c *Config) { c.Text.Auth = true },
			[]string{"config: text.auth: is true, and there is no key"}},
		{"public", func(c *Config) { c.Listen, c.Dev = "192.0.2.1:80", false },
			[]string{"config: listen: 192.0.2.1:80: anybody who reaches the port could be any user"}},
		{"public with a secret",
			func(c *Config) { c.Listen, c.Dev, c.Token.SecretFiles = ":80", false, []string{"f"} }, nil},
		{"nobody", func(c *Config) { c.Dev = false }, []string{"config: dev: is false, and no token key is there"}},
	} {
		config := Default()
		config.Dev = true
		c.change(&config)
		says(t, c.name, config.Check(), c.says...)
	}
}

// TestErrors has errors be told from each other by a program.
func TestErrors(t *testing.T) {
	_, err := Load(nil, []string{"LINEMAN_TEXT_LISTEN=:1", "LINEMAN_LISTEN=:2"})
	if !errors.Is(err, ErrKeyless) || !errors.Is(err, ErrExposed) || errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	_, err = loadFile(t, "drian: 1s")
	var e *Error
	if !errors.Is(err, ErrUnknown) || !errors.As(err, &e) || e.Key != "drian" ||
		!strings.HasSuffix(e.Where, "lineman.yaml:1") {
		t.Errorf("%v, %+v", err, e)
	}
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1": true, "LocalHost:1": true,
		"[::ffff:127.0.0.1]:1": true, ":1": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false,
		"example.com:1": false, "127.0.0.1": false, "": false, "localhost.example.com:1": false,
	} {
		if got := Loopback(addr); got != want {
			t.Errorf("Loopback(%q) is %v", addr, got)
		}
	}
}
