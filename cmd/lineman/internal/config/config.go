// Package config is what the server is told: by a file, the environment and flags, the later ones winning.
//
// The fields of Config are the one table of settings: Load, Flags, Sample and the documentation are made from them.
// Their tags say
//
//	koanf   the name in a file; below a section, after its name and a dot: text.listen
//	doc     what it is
//	of      the words that it may be, or that a list may have
//	is      size: bytes, written as 64KiB or 65536. positive: more than 0; other numbers are 0 or more. secret: shown to nobody
//
// In the environment a setting is in capitals, with LINEMAN_ before it and _ for a dot: LINEMAN_TEXT_LISTEN is
// text.listen. Its flag has - for dots and _, and loses a ".listen" at its end: --tls-cert is tls.cert, --text is
// text.listen. Secrets have no flag, as every user of a machine can read a command line, nor have api.keys and
// namespaces.
package config

import "time"

// Config has a field for each setting.
type Config struct {
	Listen  string   `koanf:"listen" doc:"host:port for browsers; 0.0.0.0 is all addresses of IPv4, no host, as in :1234, those of IPv6 too"`
	Dev     bool     `koanf:"dev" doc:"a page is whoever it says it is; true is the default where listen is on loopback and no token key is there"`
	Origins []string `koanf:"origins" doc:"origins of pages that may connect, beside those of the same host, and with cookie of the same port: https://example.com, https://*.example.com, null, *"`
	Cookie  string   `koanf:"cookie" doc:"the cookie that may carry the credential; empty means none does"`
	Proxies []string `koanf:"proxies" doc:"in front of listen, addresses and prefixes, that are believed about who the client is"`

	Subprotocols []string `koanf:"subprotocols" doc:"of WebSocket, that pages may offer: one that a page offers is agreed on; bearer always is"`

	Ping        time.Duration `koanf:"ping" doc:"a page that says nothing for so long is asked whether it is there, and closed if it does not answer; 0 means never"`
	SingleLogin bool          `koanf:"single_login" doc:"a new connection of a uid replaces the others"`
	Drain       time.Duration `koanf:"drain" doc:"over which connections are told to come back later when the server stops; 0 means at once"`
	Count       int           `koanf:"count" doc:"processes that serve; those above 1 meet by redis.addresses" is:"positive"`

	TLS        TLS                  `koanf:"tls" doc:"of the port for browsers: by cert and key, or by auto"`
	Text       Text                 `koanf:"text" doc:"the port for lines of back ends"`
	API        API                  `koanf:"api" doc:"the HTTP API"`
	Admin      Admin                `koanf:"admin" doc:"the port for who runs the server: metrics and profiles"`
	Token      Token                `koanf:"token" doc:"which credentials are good"`
	Namespaces map[string]Namespace `koanf:"namespaces" doc:"what channels allow, by the part of their names before the first colon; default is that of the others"`
	Redis      Redis                `koanf:"redis" doc:"by which nodes meet, that is the processes of this machine and of others: the same for all of them"`
	Limits     Limits               `koanf:"limits" doc:"bound what others can take. Rates are counts per second; a burst of five seconds' worth may come at once. 0 means no limit where nothing else is said"`
	Log        Log                  `koanf:"log" doc:"how the server logs"`
}

// TLS is that of the port for browsers: by Cert and Key, or by Auto.
type TLS struct {
	Cert  string   `koanf:"cert" doc:"file of a certificate, read again when it changes"`
	Key   string   `koanf:"key" doc:"file of its key"`
	Auto  []string `koanf:"auto" doc:"host names to get certificates for by ACME; listen has to be reachable as port 443 of them"`
	Cache string   `koanf:"cache" doc:"folder that keeps what auto got"`
	Email string   `koanf:"email" doc:"whom the authority may write to"`

	Directory string `koanf:"directory" doc:"URL of the authority's ACME directory; empty means Let's Encrypt"`
}

// Text is the port for lines of back ends.
type Text struct {
	Listen string `koanf:"listen" doc:"host:port for lines of back ends; empty means none"`
	Auth   bool   `koanf:"auth" doc:"a key has to be said first, on loopback too"`

	Connections      int `koanf:"connections" doc:"connections of back ends; 0 means a sixteenth of the limit of open files, and at most 10,000"`
	ConnectionsPerIP int `koanf:"connections_per_ip" doc:"connections of one IP; 0 means half of them; loopback is excepted"`
}

// API is the HTTP API.
type API struct {
	Listen string   `koanf:"listen" doc:"host:port of the HTTP API; empty means none"`
	Hosts  []string `koanf:"hosts" doc:"names that it may be asked by, beside addresses and localhost"`

	Connections      int `koanf:"connections" doc:"connections; 0 means a sixteenth of the limit of open files, and at most 10,000"`
	ConnectionsPerIP int `koanf:"connections_per_ip" doc:"connections of one IP; 0 means half of them; loopback is excepted"`

	Keys []Key `koanf:"keys" doc:"let back ends in; without one, those of this machine may do everything, and others nothing"`
}

// Key lets a back end in.
type Key struct {
	Name    string   `koanf:"name" doc:"in logs and metrics"`
	Key     string   `koanf:"key" doc:"at least 16 characters" is:"secret"` // after Load that of KeyFile, too
	KeyFile string   `koanf:"key_file" doc:"file that has it, in place of key"`
	Scopes  []string `koanf:"scopes" doc:"what it may do; empty means the first three" of:"publish manage read watch admin"`
	Targets []string `koanf:"targets" doc:"that it is about: u:7, g:room, chat:*, *; empty means all"`
}

// Admin is the port for who runs the server: metrics and profiles. At tells that of each process.
type Admin struct {
	Listen string `koanf:"listen" doc:"host:port for metrics and profiles; empty means none. It is that of the first process: each of the others has the port after that of the one before it"`

	Connections      int `koanf:"connections" doc:"connections; 0 means a sixteenth of the limit of open files, and at most 100"`
	ConnectionsPerIP int `koanf:"connections_per_ip" doc:"connections of one IP; 0 means half of them; loopback is excepted"`
}

// Token says which credentials are good.
type Token struct {
	// after Load those of SecretFiles follow
	Secrets     []string      `koanf:"secrets" doc:"for HS256 and tickets, each of at least 16 characters; the first makes new ones, the others are still good" is:"secret"`
	SecretFiles []string      `koanf:"secret_files" doc:"files that have secrets for tokens, in addition to secrets"`
	PublicKeys  []string      `koanf:"public_keys" doc:"PEM files of keys for RS, PS, ES and EdDSA"`
	JWKS        string        `koanf:"jwks" doc:"URL where a key set is served"`
	Algorithms  []string      `koanf:"algorithms" doc:"that a token may be signed by; empty means those that the keys can do" of:"ticket HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA"`
	Audience    string        `koanf:"audience" doc:"audience that a token must have; empty means any"`
	Issuer      string        `koanf:"issuer" doc:"issuer that a token must have; empty means any"`
	Claim       string        `koanf:"claim" doc:"claim of a token that has the uid"`
	Skew        time.Duration `koanf:"skew" doc:"by which the clock of who makes tokens may differ"`
	Revocations string        `koanf:"revocations" doc:"file that keeps whose tokens were revoked; empty means that a restart forgets. With redis.addresses they are kept there, and this has to be empty, which is the default then"`
	FailOpen    bool          `koanf:"fail_open" doc:"with redis.addresses: let pages in though what was revoked has not been read there since the start, so that a token that was revoked is good then"`
}

// Namespace is what channels of a name allow.
type Namespace struct {
	Subscribe      string `koanf:"subscribe" doc:"who may: all pages, those whose token allows it, or none of them" of:"all token none"`
	MaxSubscribers int    `koanf:"max_subscribers" doc:"connections on one channel; 0 means any number"`
	MaxMessage     int    `koanf:"max_message" doc:"largest publication, at most limits.pending; 0 means limits.publish" is:"size"`
}

// Redis is that by which nodes meet.
type Redis struct {
	Addresses []string `koanf:"addresses" doc:"host:port of a server of Redis or Valkey, or of some of a Redis Cluster, or of sentinels; empty means that this process is alone"`
	Master    string   `koanf:"master" doc:"name that sentinels know the master by; the addresses are theirs then"`
	Cluster   bool     `koanf:"cluster" doc:"the servers are a Redis Cluster"`
	Database  int      `koanf:"database" doc:"number of the database; a Redis Cluster has 0 only"`

	User string `koanf:"user" doc:"whom the server knows this one by; empty means default"`
	// after Load that of PasswordFile, too
	Password     string `koanf:"password" doc:"the password of user; empty means that none is asked for" is:"secret"`
	PasswordFile string `koanf:"password_file" doc:"file that has it, in place of password"`
	SentinelUser string `koanf:"sentinel_user" doc:"whom the sentinels know this one by; empty means default"`
	// after Load that of SentinelPasswordFile, too
	SentinelPassword     string `koanf:"sentinel_password" doc:"the password of sentinel_user; empty means that none is asked for" is:"secret"`
	SentinelPasswordFile string `koanf:"sentinel_password_file" doc:"file that has it, in place of sentinel_password"`

	TLS        bool   `koanf:"tls" doc:"connections are encrypted"`
	CA         string `koanf:"ca" doc:"PEM file of the authorities that certificates of the servers may come from; empty means those of the system"`
	Cert       string `koanf:"cert" doc:"file of a certificate that this one shows; empty means none"`
	Key        string `koanf:"key" doc:"file of its key"`
	ServerName string `koanf:"server_name" doc:"name that the certificates have to be for; empty means the host of the address"`

	Prefix     string        `koanf:"prefix" doc:"begins the name of everything there, with letters, digits, - and _: nodes with other prefixes are other applications, and never hear of these"`
	Partitions int           `koanf:"partitions" doc:"parts that targets are divided into, each with a server of the Redis Cluster; at most 1024; above 1 is of use with cluster only" is:"positive"`
	Answer     time.Duration `koanf:"answer" doc:"time in which other nodes have to answer" is:"positive"`
	Gap        time.Duration `koanf:"gap" doc:"over which pages that were connected while other nodes could not be reached are closed with 4201 afterwards, as they may have missed something; 0 means that they stay, and are not told"`
}

// Limits bound what others can take. Rates are counts per second; a burst of five seconds' worth may come at once. 0
// means no limit where nothing else is said.
type Limits struct {
	DryRun bool `koanf:"dry_run" doc:"refuse nothing for a rate: count and log what would be"`

	Message int           `koanf:"message" doc:"largest message of a page, which says its credential and no more" is:"size,positive"`
	Publish int           `koanf:"publish" doc:"largest publication and plain line; at most limits.pending, which is the default if it is less" is:"size,positive"`
	Body    int           `koanf:"body" doc:"largest body of a request" is:"size,positive"`
	Pending int           `koanf:"pending" doc:"what may wait for one connection; it is cut with 4102 then" is:"size,positive"`
	Memory  int           `koanf:"memory" doc:"what may wait for all of them; those with the most are cut then" is:"size"`
	Login   time.Duration `koanf:"login" doc:"time in which a page has to say who it is" is:"positive"`
	Places  int           `koanf:"places" doc:"groups and channels of one connection" is:"positive"`

	Connections       int `koanf:"connections" doc:"connections of pages; 0 means as many as the limit of open files leaves beside those of the other ports"`
	ConnectionsPerIP  int `koanf:"connections_per_ip" doc:"connections of one IP; loopback is excepted, as in all that is per IP"`
	ConnectionsPerUID int `koanf:"connections_per_uid" doc:"connections of one uid"`
	Waiting           int `koanf:"waiting" doc:"connections of pages that have not said who they are, from the connecting on; without limits.connections, no more than half of all"`
	WaitingPerIP      int `koanf:"waiting_per_ip" doc:"those of one IP, and no more than half of those"`

	HandshakesPerIP       float64 `koanf:"handshakes_per_ip" doc:"connections and handshakes of one IP per second, with TLS or without; refused with 429, and reset beyond that"`
	LoginsPerUID          float64 `koanf:"logins_per_uid" doc:"logins of one uid per second; closed with 4103"`
	MessagesPerConnection float64 `koanf:"messages_per_connection" doc:"messages of one page per second, and requests of a connection that is none; closed with 4103, refused with 429"`
	CommandsPerKey        float64 `koanf:"commands_per_key" doc:"commands of one key per second; refused with 429, or an error"`
}

// Log is how the server logs.
type Log struct {
	Format string `koanf:"format" doc:"how lines of the log are written" of:"text json"`
	Level  string `koanf:"level" doc:"lines of a lower level are left out" of:"debug info warn error"`
}

// Default is what holds where nothing is said.
func Default() Config {
	return Config{
		Listen:     "127.0.0.1:1234",
		Proxies:    []string{"127.0.0.0/8", "::1"},
		Ping:       25 * time.Second,
		Drain:      10 * time.Second,
		Count:      1,
		TLS:        TLS{Cache: "certificates"},
		Text:       Text{Listen: "127.0.0.1:5678"},
		API:        API{Listen: "127.0.0.1:6780"},
		Admin:      Admin{Listen: "127.0.0.1:6781"},
		Token:      Token{Claim: "sub", Skew: time.Minute, Revocations: "lineman.revoked"},
		Namespaces: map[string]Namespace{"default": DefaultNamespace()},
		Redis:      Redis{Prefix: "lineman", Partitions: 1, Answer: time.Second},
		Log:        Log{Format: "text", Level: "info"},
		Limits: Limits{
			Message: 64 << 10, Publish: 1 << 20, Body: 2 << 20, Pending: 1 << 20, Memory: 256 << 20,
			Login: 10 * time.Second, Places: 128, Waiting: 10_000, WaitingPerIP: 200, ConnectionsPerIP: 2000,
			ConnectionsPerUID: 100, HandshakesPerIP: 50, LoginsPerUID: 10, MessagesPerConnection: 50,
		},
	}
}

// DefaultNamespace is what holds in a namespace where nothing is said.
func DefaultNamespace() Namespace { return Namespace{Subscribe: "token"} }

// HasKey reports whether there is something to check a credential by.
func (t *Token) HasKey() bool {
	return len(t.Secrets)+len(t.SecretFiles)+len(t.PublicKeys) > 0 || t.JWKS != ""
}
