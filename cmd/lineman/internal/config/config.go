// Package config is what the server is told: by a file, the environment and flags.
package config

import (
	"net"
	"time"
)

// Config has a field for each setting. Its keys in a file are the names in the tags; in the environment they are in capitals, with
// LINEMAN_ before them and _ between their parts: LINEMAN_TEXT_LISTEN is text.listen.
type Config struct {
	Listen  string   `koanf:"listen"`  // host:port for browsers
	Dev     bool     `koanf:"dev"`     // a page is whoever it says it is; the default where Listen is on loopback and no token key is there
	Origins []string `koanf:"origins"` // of pages that may connect, beside those of the same host
	Cookie  string   `koanf:"cookie"`  // the cookie that may carry the credential; empty means none does
	Proxies []string `koanf:"proxies"` // in front of Listen, addresses and prefixes, that are believed about who the client is

	SingleLogin bool          `koanf:"single_login"` // a new connection of a uid replaces the others
	Drain       time.Duration `koanf:"drain"`        // over which connections are told to come back later when the server stops

	TLS        TLS                  `koanf:"tls"`
	Text       Text                 `koanf:"text"`
	API        API                  `koanf:"api"`
	Admin      Admin                `koanf:"admin"`
	Token      Token                `koanf:"token"`
	Namespaces map[string]Namespace `koanf:"namespaces"` // by the part of a channel's name before the first ":"; "default" is that of the others
	Limits     Limits               `koanf:"limits"`
	Log        Log                  `koanf:"log"`
}

// TLS is that of the port for browsers: by Cert and Key, or by Auto.
type TLS struct {
	Cert  string   `koanf:"cert"`  // file of a certificate, read again when it changes
	Key   string   `koanf:"key"`   // file of its key
	Auto  []string `koanf:"auto"`  // host names to get certificates for by ACME; Listen has to be reachable as port 443 of them
	Cache string   `koanf:"cache"` // folder that keeps what Auto got
	Email string   `koanf:"email"` // whom the authority may write to
}

// Text is the port for lines of back ends.
type Text struct {
	Listen string `koanf:"listen"` // host:port; empty means none
	Auth   bool   `koanf:"auth"`   // a key has to be said first, on loopback too
}

// API is the HTTP API.
type API struct {
	Listen string   `koanf:"listen"` // host:port; empty means none
	Hosts  []string `koanf:"hosts"`  // names that it may be asked by, beside addresses and localhost
	Keys   []Key    `koanf:"keys"`
}

// Key lets a back end in. Without one, back ends of this machine may do everything, and those of others nothing.
type Key struct {
	Name    string   `koanf:"name"`     // in logs and metrics
	Key     string   `koanf:"key"`      // a secret of at least 16 characters
	KeyFile string   `koanf:"key_file"` // has it, in place of Key
	Scopes  []string `koanf:"scopes"`   // publish, manage, read, admin; empty means the first three
	Targets []string `koanf:"targets"`  // that it is about: u:7, g:room, chat:*, *; empty means all
}

// Admin is the port for who runs the server: metrics and profiles.
type Admin struct {
	Listen string `koanf:"listen"` // host:port; empty means none
}

// Token says which credentials are good.
type Token struct {
	Secrets     []string      `koanf:"secrets"`      // for HS256 and tickets; the first makes new ones, the others are still good
	SecretFiles []string      `koanf:"secret_files"` // have them, in addition to Secrets
	PublicKeys  []string      `koanf:"public_keys"`  // PEM files for RS, PS, ES and EdDSA
	JWKS        string        `koanf:"jwks"`         // where a key set is served
	Algorithms  []string      `koanf:"algorithms"`   // empty means those that the keys can do
	Audience    string        `koanf:"audience"`     // required, unless it is empty
	Issuer      string        `koanf:"issuer"`       // likewise
	Claim       string        `koanf:"claim"`        // that has the uid
	Skew        time.Duration `koanf:"skew"`         // by which clocks may differ
	Revocations string        `koanf:"revocations"`  // file that keeps whose tokens were revoked
}

// Namespace is what channels of a name allow.
type Namespace struct {
	Subscribe      string `koanf:"subscribe"`       // who may: "all" pages, those whose "token" allows it, "none"
	MaxSubscribers int    `koanf:"max_subscribers"` // of one channel; 0 means any number
	MaxMessage     int    `koanf:"max_message"`     // bytes; 0 means limits.message
}

// Limits bound what others can take. Rates are counts per second; a burst of five seconds' worth may come at once. 0 means no
// limit where nothing else is said.
type Limits struct {
	DryRun bool `koanf:"dry_run"` // refuse nothing for a rate: count and log what would be

	Message int           `koanf:"message"` // bytes of a message, a line, a publication; more than 0
	Body    int           `koanf:"body"`    // bytes of a request's body; more than 0
	Pending int           `koanf:"pending"` // bytes that wait for one connection, which is cut with 4102; more than 0
	Memory  int           `koanf:"memory"`  // bytes that wait for all of them: those with the most are cut
	Login   time.Duration `koanf:"login"`   // in which a page has to say who it is; more than 0
	Places  int           `koanf:"places"`  // groups and channels of one connection; more than 0

	Connections       int `koanf:"connections"`         // of pages in all
	ConnectionsPerIP  int `koanf:"connections_per_ip"`  // loopback excepted, as in all that is per IP
	ConnectionsPerUID int `koanf:"connections_per_uid"` //
	Waiting           int `koanf:"waiting"`             // connections that have not said who they are
	WaitingPerIP      int `koanf:"waiting_per_ip"`

	HandshakesPerIP       float64 `koanf:"handshakes_per_ip"`       // refused with 429
	LoginsPerUID          float64 `koanf:"logins_per_uid"`          // closed with 4103
	MessagesPerConnection float64 `koanf:"messages_per_connection"` // of a page; closed with 4103
	CommandsPerKey        float64 `koanf:"commands_per_key"`        // refused with 429, or an error
}

// Log is how the server logs.
type Log struct {
	Format string `koanf:"format"` // text or json
	Level  string `koanf:"level"`  // debug, info, warn or error
}

// Default is what holds where nothing is said.
func Default() Config {
	return Config{
		Listen:     "127.0.0.1:1234",
		Proxies:    []string{"127.0.0.0/8", "::1"},
		Drain:      10 * time.Second,
		TLS:        TLS{Cache: "certificates"},
		Text:       Text{Listen: "127.0.0.1:5678"},
		API:        API{Listen: "127.0.0.1:6780"},
		Admin:      Admin{Listen: "127.0.0.1:6781"},
		Token:      Token{Claim: "sub", Skew: time.Minute, Revocations: "lineman.revoked"},
		Namespaces: map[string]Namespace{"default": {Subscribe: "token"}},
		Log:        Log{Format: "text", Level: "info"},
		Limits: Limits{
			Message: 64 << 10, Body: 1 << 20, Pending: 1 << 20, Memory: 256 << 20, Login: 10 * time.Second, Places: 128,
			Waiting: 10_000, WaitingPerIP: 200, ConnectionsPerIP: 2000, ConnectionsPerUID: 100,
			HandshakesPerIP: 50, LoginsPerUID: 10, MessagesPerConnection: 50,
		},
	}
}

// Loopback reports whether an address, host:port, can be reached from this machine only.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
