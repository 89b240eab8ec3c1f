// Package config is what the server is told: by a file, the environment and flags, the later ones winning.
//
// The fields of Config are the one table of settings: Load, Flags, Sample and the documentation are made from them.
// What each setting is, descriptions.go says in words. Their tags say
//
//	koanf   the name in a file; below a section, after its name and a dot: text.listen
//	of      the words that it may be, or that a list may have, with commas between them; or which of the lists has
//	        them
//	is      size: bytes, written as 64KiB or 65536. positive: more than 0; other numbers are 0 or more. secret: shown
//	        to nobody
//
// In the environment a setting is in capitals, with LINEMAN_ before it and _ for a dot: LINEMAN_TEXT_LISTEN is
// text.listen. Its flag has - for dots and _, and loses a ".listen" at its end: --tls-cert is tls.cert, --text is
// text.listen. Secrets have no flag, as every user of a machine can read a command line, nor have api.keys, namespaces,
// hooks and pusher.apps.
package config

import (
	"maps"
	"time"
)

// Config has a field for each setting.
type Config struct {
	Listen  string   `koanf:"listen"`
	Dev     bool     `koanf:"dev"`
	Origins []string `koanf:"origins"`
	Cookie  string   `koanf:"cookie"`
	Proxies []string `koanf:"proxies"`

	Subprotocols []string `koanf:"subprotocols"`

	Ping        time.Duration `koanf:"ping"`
	SingleLogin bool          `koanf:"single_login"`
	Drain       time.Duration `koanf:"drain"`
	Relay       time.Duration `koanf:"relay"`
	Loops       int           `koanf:"loops"`
	Count       int           `koanf:"count" is:"positive"`

	TLS        TLS                  `koanf:"tls"`
	Text       Text                 `koanf:"text"`
	API        API                  `koanf:"api"`
	Admin      Admin                `koanf:"admin"`
	Token      Token                `koanf:"token"`
	Namespaces map[string]Namespace `koanf:"namespaces"`
	History    History              `koanf:"history"`
	Events     Events               `koanf:"events"`
	Hooks      map[string]Hook      `koanf:"hooks"`
	Pusher     Pusher               `koanf:"pusher"`
	Redis      Redis                `koanf:"redis"`
	Limits     Limits               `koanf:"limits"`
	Log        Log                  `koanf:"log"`
}

// TLS is that of the port for browsers: by Cert and Key, or by Auto.
type TLS struct {
	Cert  string   `koanf:"cert"`
	Key   string   `koanf:"key"`
	Auto  []string `koanf:"auto"`
	Cache string   `koanf:"cache"`
	Email string   `koanf:"email"`

	Directory string `koanf:"directory"`
}

// Text is the port for lines of back ends.
type Text struct {
	Listen string `koanf:"listen"`
	Auth   bool   `koanf:"auth"`

	Connections      int `koanf:"connections"`
	ConnectionsPerIP int `koanf:"connections_per_ip"`
}

// API is the HTTP API.
type API struct {
	Listen string   `koanf:"listen"`
	Hosts  []string `koanf:"hosts"`

	Connections      int `koanf:"connections"`
	ConnectionsPerIP int `koanf:"connections_per_ip"`

	Keys []Key `koanf:"keys"`
}

// Key lets a back end in.
type Key struct {
	Name    string   `koanf:"name"`
	Key     string   `koanf:"key" is:"secret"` // after Load that of KeyFile, too
	KeyFile string   `koanf:"key_file"`
	Scopes  []string `koanf:"scopes" of:"publish,manage,read,watch,listen,admin"`
	Targets []string `koanf:"targets"`
}

// Admin is the port for who runs the server: the dashboard, metrics and profiles. At tells that of each process.
type Admin struct {
	Listen string `koanf:"listen"`

	Password     string `koanf:"password" is:"secret"` // a hash; after Load that of PasswordFile, too
	PasswordFile string `koanf:"password_file"`
	Readonly     string `koanf:"readonly" is:"secret"` // likewise
	ReadonlyFile string `koanf:"readonly_file"`

	Connections      int `koanf:"connections"`
	ConnectionsPerIP int `koanf:"connections_per_ip"`
}

// Token says which credentials are good.
type Token struct {
	// after Load those of SecretFiles follow
	Secrets     []string      `koanf:"secrets" is:"secret"`
	SecretFiles []string      `koanf:"secret_files"`
	PublicKeys  []string      `koanf:"public_keys"`
	JWKS        string        `koanf:"jwks"`
	Algorithms  []string      `koanf:"algorithms" of:"algorithms"`
	Audience    string        `koanf:"audience"`
	Issuer      string        `koanf:"issuer"`
	Claim       string        `koanf:"claim"`
	Skew        time.Duration `koanf:"skew"`
	Revocations string        `koanf:"revocations"`
	FailOpen    bool          `koanf:"fail_open"`
}

// Namespace is what channels of a name allow.
type Namespace struct {
	Subscribe      string `koanf:"subscribe" of:"all,token,none"`
	MaxSubscribers int    `koanf:"max_subscribers"`
	MaxMessage     int    `koanf:"max_message" is:"size"`

	Publish     string  `koanf:"publish" of:"none,token,all"`
	PublishRate float64 `koanf:"publish_rate"` // of a connection, per second

	History Retention `koanf:"history"`

	Presence   string `koanf:"presence" of:"none,list,events"`
	MaxPresent int    `koanf:"max_present" is:"positive"`
}

// History is what is kept of what is published, beside that of Namespaces.
type History struct {
	Memory      int       `koanf:"memory" is:"size,positive"`
	Journal     string    `koanf:"journal"`
	JournalSync string    `koanf:"journal_sync"`
	UIDs        Retention `koanf:"uids"`
	Groups      Retention `koanf:"groups"`
}

// Retention is what is kept for a target.
type Retention struct {
	Size  int           `koanf:"size"`
	TTL   time.Duration `koanf:"ttl"`
	Bytes int           `koanf:"bytes" is:"size"`
	Class string        `koanf:"class" of:"stream,latest"`
}

// Redis is that by which nodes meet.
type Redis struct {
	Addresses []string `koanf:"addresses"`
	Master    string   `koanf:"master"`
	Cluster   bool     `koanf:"cluster"`
	Database  int      `koanf:"database"`

	User string `koanf:"user"`
	// after Load that of PasswordFile, too
	Password     string `koanf:"password" is:"secret"`
	PasswordFile string `koanf:"password_file"`
	SentinelUser string `koanf:"sentinel_user"`
	// after Load that of SentinelPasswordFile, too
	SentinelPassword     string `koanf:"sentinel_password" is:"secret"`
	SentinelPasswordFile string `koanf:"sentinel_password_file"`

	TLS        bool   `koanf:"tls"`
	CA         string `koanf:"ca"`
	Cert       string `koanf:"cert"`
	Key        string `koanf:"key"`
	ServerName string `koanf:"server_name"`

	Prefix     string        `koanf:"prefix"`
	Partitions int           `koanf:"partitions" is:"positive"`
	Answer     time.Duration `koanf:"answer" is:"positive"`
	Gap        time.Duration `koanf:"gap"`
}

// Limits bound what others can take. Rates are counts per second; a burst of five seconds' worth may come at once. 0
// means no limit where nothing else is said.
type Limits struct {
	DryRun bool `koanf:"dry_run"`

	Message int           `koanf:"message" is:"size,positive"`
	Publish int           `koanf:"publish" is:"size,positive"`
	Body    int           `koanf:"body" is:"size,positive"`
	Pending int           `koanf:"pending" is:"size,positive"`
	Memory  int           `koanf:"memory" is:"size"`
	Login   time.Duration `koanf:"login" is:"positive"`
	Places  int           `koanf:"places" is:"positive"`

	Connections       int `koanf:"connections"`
	ConnectionsPerIP  int `koanf:"connections_per_ip"`
	ConnectionsPerUID int `koanf:"connections_per_uid"`
	Waiting           int `koanf:"waiting"`
	WaitingPerIP      int `koanf:"waiting_per_ip"`

	HandshakesPerIP       float64 `koanf:"handshakes_per_ip"`
	LoginsPerUID          float64 `koanf:"logins_per_uid"`
	MessagesPerConnection float64 `koanf:"messages_per_connection"`
	CommandsPerKey        float64 `koanf:"commands_per_key"`
}

// Log is how the server logs.
type Log struct {
	Format string `koanf:"format" of:"text,json"`
	Level  string `koanf:"level" of:"debug,info,warn,error"`
}

// Default is what holds where nothing is said.
func Default() Config {
	return Config{
		Listen:     "127.0.0.1:1234",
		Proxies:    []string{"127.0.0.0/8", "::1"},
		Ping:       25 * time.Second,
		Drain:      10 * time.Second,
		Relay:      24 * time.Hour,
		Count:      1,
		TLS:        TLS{Cache: "certificates"},
		Text:       Text{Listen: "127.0.0.1:5678"},
		API:        API{Listen: "127.0.0.1:6780"},
		Admin:      Admin{Listen: "127.0.0.1:6781"},
		Token:      Token{Claim: "sub", Skew: time.Minute, Revocations: "lineman.revoked"},
		Namespaces: map[string]Namespace{"default": DefaultNamespace()},
		History: History{
			Memory: 64 << 20, UIDs: defaultRetention(), Groups: defaultRetention(),
			Journal: defaultJournal, JournalSync: "50ms",
		},
		Events: defaultEvents(),
		Redis:  Redis{Prefix: "lineman", Partitions: 1, Answer: time.Second},
		Log:    Log{Format: "text", Level: "info"},
		Limits: Limits{
			Message: 64 << 10, Publish: 1 << 20, Body: 2 << 20, Pending: 1 << 20, Memory: 256 << 20,
			Login: 10 * time.Second, Places: 128, Waiting: 10_000, WaitingPerIP: 200, ConnectionsPerIP: 2000,
			ConnectionsPerUID: 100, HandshakesPerIP: 50, LoginsPerUID: 10, MessagesPerConnection: 50,
		},
	}
}

// DefaultNamespace is what holds in a namespace where nothing is said.
func DefaultNamespace() Namespace {
	return Namespace{
		Subscribe: "token", Publish: "none", PublishRate: 10,
		History: defaultRetention(), Presence: NoPresence, MaxPresent: 1000,
	}
}

// defaultRetention keeps nothing.
func defaultRetention() Retention { return Retention{Class: "stream"} }

// Keeps reports whether anything is kept.
func (r *Retention) Keeps() bool { return r.Size > 0 || r.Class == "latest" }

// defaultJournal is History.Journal where nothing is said.
const defaultJournal = "lineman.journal"

// KeepsHistory reports whether anything is kept of what is published.
func (c *Config) KeepsHistory() bool {
	for _, n := range c.Namespaces {
		if n.History.Keeps() {
			return true
		}
	}
	return c.History.UIDs.Keeps() || c.History.Groups.Keeps()
}

// KeepsJournal reports whether what is kept is in a journal. For what dev mode has to try things in alone, there is
// none.
func (c *Config) KeepsJournal() bool {
	lasting := *c
	lasting.Namespaces = maps.Clone(c.Namespaces)
	if lasting.Namespaces[DevNamespace] == DevSpace() {
		delete(lasting.Namespaces, DevNamespace)
	}
	return lasting.KeepsHistory() && len(c.Redis.Addresses) == 0 && c.History.Journal != NoJournal
}

// NoJournal is History.Journal where there is to be none.
const NoJournal = "none"

// HasKey reports whether there is something to check a credential by.
func (t *Token) HasKey() bool {
	return len(t.Secrets)+len(t.SecretFiles)+len(t.PublicKeys) > 0 || t.JWKS != ""
}
