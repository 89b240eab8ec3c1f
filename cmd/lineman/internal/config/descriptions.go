package config

// descriptions say in words what each setting is, by the struct that has it and its name there. The help of flags, the
// sample and the documentation have them.
var descriptions = map[string]map[string]string{
	"Config": {
		"listen": "host:port for browsers; 0.0.0.0 is all addresses of IPv4, no host, as in :1234, " +
			"those of IPv6 too",
		"dev": "a page may choose any uid; true is the default where listen is on loopback, and " +
			"neither a token key, nor a hook that decides connect, nor an app of pusher.apps is there",
		"origins": "origins of pages that may connect, beside those of the same host, and with cookie of the " +
			"same port: https://example.com, https://*.example.com, null, *",
		"cookie":       "the cookie that may carry the credential; empty means none does",
		"proxies":      "in front of listen, addresses and prefixes, that are believed about who the client is",
		"subprotocols": "of WebSocket, that pages may offer: one that a page offers is agreed on; bearer always is",
		"ping": "a page that says nothing for so long is asked whether it is there, and closed if it does " +
			"not answer; 0 means never",
		"single_login": "a new connection of a uid replaces the others",
		"drain": "over which connections are told to come back later when the server stops; " +
			"0 means at once",
		"relay": "for how long a process that a reload has replaced relays connections under TLS; 0 means until they " +
			"end",
		"loops": "event loops of a process, among which pages are shared out; 0 means one for each processor, " +
			"at most 8, and 1 where processes meet by redis.addresses",
		"count": "processes that serve; those above 1 meet by redis.addresses",
		"tls":   "of the port for browsers: by cert and key, or by auto",
		"text":  "the port for lines of back ends",
		"api":   "the HTTP API",
		"admin": "the port for who runs the server: the dashboard, metrics and profiles",
		"token": "which credentials are good",
		"namespaces": "what channels allow, by the part of their names before the first colon, or by how they begin, " +
			"as chat:room-*; the longest that fits holds, and default for the others",
		"history": "what is kept of what is published for uids and groups, in memory, or by Redis; namespaces say it " +
			"of channels",
		"events": "what back ends and hooks hear of pages",
		"hooks": "URLs of the application that are told events, or asked to decide, each with a name of letters, " +
			"digits, - and _",
		"pusher": "applications whose pages and back ends speak the Pusher protocol",
		"redis":  "by which nodes meet, that is the processes of this machine and of others: the same for all of them",
		"limits": "bound what others can take. Rates are counts per second; a burst of five seconds' worth may come " +
			"at once. 0 means no limit where nothing else is said",
		"log": "how the server logs",
	},
	"TLS": {
		"cert":      "file of a certificate, read again when it changes",
		"key":       "file of its key",
		"auto":      "host names to get certificates for by ACME; listen has to be reachable as port 443 of them",
		"cache":     "folder that keeps what auto got",
		"email":     "whom the authority may write to",
		"directory": "URL of the authority's ACME directory; empty means Let's Encrypt",
	},
	"Text": {
		"listen": "host:port for lines of back ends; empty means none",
		"auth":   "a key has to be said first, on loopback too",
		"connections": "connections of back ends; 0 means a sixteenth of the limit of open files, " +
			"and at most 10,000",
		"connections_per_ip": "connections of one IP; 0 means half of them; loopback is excepted",
	},
	"API": {
		"listen": "host:port of the HTTP API; empty means none",
		"hosts":  "names that it may be asked by, beside addresses and localhost",
		"connections": "connections; 0 means a sixteenth of the limit of open files, " +
			"and at most 10,000",
		"connections_per_ip": "connections of one IP; 0 means half of them; " +
			"loopback is excepted",
		"keys": "let back ends in; without one, those of this machine may do everything, and others nothing",
	},
	"Key": {
		"name":     "in logs and metrics",
		"key":      "at least 16 characters",
		"key_file": "file that has it, in place of key",
		"scopes":   "what it may do; empty means the first three",
		"targets":  "that it is about: u:7, g:room, chat:*, *; empty means all",
	},
	"Admin": {
		"listen": "host:port for the dashboard, metrics and profiles; empty means none. It is that of the first " +
			"process: each of the others has the port after that of the one before it",
		"password": "hash of the password of the dashboard, as lineman password prints it; in dev mode on loopback " +
			"none is asked for, and a key with the scope admin is as good",
		"password_file":      "file that has it, in place of password",
		"readonly":           "hash of another one, by which everything is seen and nothing changed",
		"readonly_file":      "file that has it, in place of readonly",
		"connections":        "connections; 0 means a sixteenth of the limit of open files, and at most 100",
		"connections_per_ip": "connections of one IP; 0 means half of them; loopback is excepted",
	},
	"Token": {
		"secrets": "for HS256 and tickets, each of at least 16 characters; the first makes new ones, the others " +
			"are still good",
		"secret_files": "files that have secrets for tokens, in addition to secrets",
		"public_keys":  "PEM files of keys for RS, PS, ES and EdDSA",
		"jwks":         "URL where a key set is served",
		"algorithms":   "that a token may be signed by; empty means those that the keys can do",
		"audience":     "audience that a token must have; empty means any",
		"issuer":       "issuer that a token must have; empty means any",
		"claim":        "claim of a token that has the uid",
		"skew":         "by which the clock of who makes tokens may differ",
		"revocations": "file that keeps whose tokens were revoked; empty means that a restart forgets. With " +
			"redis.addresses they are kept there, and this has to be empty, which is the default then",
		"fail_open": "with redis.addresses: let pages in though what was revoked has not been read there since the " +
			"start, so that a token that was revoked is good then",
	},
	"Namespace": {
		"subscribe":       "who may: all pages, those whose token allows it, or none of them",
		"max_subscribers": "connections on one channel; 0 means any number",
		"max_message":     "largest publication, at most limits.pending; 0 means limits.publish",
		"publish":         "which pages may: none of them, those whose token allows it in its claim publish, or all",
		"publish_rate": "publications of one page per second; a burst of five seconds' worth may come at once; " +
			"0 means any number",
		"history": "what is kept of what is published on a channel",
		"presence": "who is in a channel: none: nobody is counted; list: who asks is told; events: pages of level 1 " +
			"are also told who comes and goes",
		"max_present": "uids of one channel up to which they are told; of more, only how many there are",
	},
	"History": {
		"memory": "that the history of all targets takes in a process, at most; what is oldest goes first. " +
			"Not with redis.addresses",
		"uids":   "what is kept of what is published for a uid",
		"groups": "what is kept of what is published for a group",
		"journal": "folder that keeps the history when the server ends, made as soon as any history is kept; none " +
			"means memory alone. Not with redis.addresses",
		"journal_sync": "a duration: when what is published outlives a power cut, at the latest; always: before it " +
			"is answered; never: when the system likes. What was answered outlives the end of the server anyway",
	},
	"Retention": {
		"size":  "messages of one target; 0 means that none are kept, and with class latest one",
		"ttl":   "how long a message is kept; 0 means as long as there is room. With redis.addresses it has to be said",
		"bytes": "of the messages of one target; 0 means any number within history.memory",
		"class": "stream: each message counts; latest: only the last one does, as with prices and states",
	},
	"Events": {
		"messages": "back end: what pages of level 0 say after their credential is an event; none: it is ignored",
		"waiting":  "events that wait for one group of listeners, or for one hook; beyond it they are dropped",
		"bytes":    "of those events",
		"keep": "how long events wait for a group that has no listener; then they are dropped, and the group is " +
			"forgotten",
		"debounce": "how long after its last connection a uid has left, and a channel is vacated; 0 means at once",
		"rpc":      "how long a page waits for the answer of a back end",
	},
	"Hook": {
		"url": "that is posted to: https, or with private http",
		"app": "id of one of pusher.apps: the hook is a webhook of that, in Pusher's form, signed by its secret; " +
			"empty means that it is told of all pages",
		"events":  "that it is told; empty means none. Those with a _ are of an app",
		"of":      "uids, groups and channels that it is told about: u:7, g:room, chat:*, *; empty means all",
		"decides": "what it is asked; one hook at most is asked each",
		"away": "what happens when it does not decide in time: refuse, or allow. A page that connects then needs " +
			"a good token",
		"secrets": "that requests are signed by, each of at least 16 characters; two while one replaces the other; " +
			"empty with private only",
		"secret_files": "files that have secrets, in addition to secrets",
		"timeout":      "in which it has to answer",
		"batch":        "events of one request, at most; up to 10000",
		"parallel":     "requests with events under way, at most; up to 64",
		"give_up":      "how long a request is tried again; then its events go to dead_letters",
		"private": "it may be on this machine or in a private network, and be asked by http; otherwise such " +
			"addresses are refused",
		"dead_letters": "file that keeps events which the hook did not take, a line each, up to 256MiB",
	},
	"Pusher": {
		"apps": "the applications; in dev mode there is one if none is named, with the id 1001, the key " +
			"lineman-key and the secret lineman-secret",
	},
	"App": {
		"id": "begins the names of its channels for all others, with a colon: its channel orders is " +
			"shop:orders",
		"key":         "public: its pages connect to /app/KEY",
		"secret":      "signs requests, private channels and users; at least 16 characters",
		"secret_file": "file that has it, in place of secret",
		"origins": "of pages that may connect, beside those of origins; empty means any, as a browser sends nothing " +
			"by itself that lets a page in",
		"connections":   "of its pages to one process; one more is closed with 4004. 0 means any number",
		"client_events": "its pages may send events of their own in private and presence channels",
		"client_rate":   "such events of one page per second; beyond it they are refused with 4301",
		"max_data":      "largest data of an event",
		"max_members":   "users of a presence channel; one more is refused",
		"subscription_count": "pages are told how many connections their channels have, but those of presence " +
			"channels",
	},
	"Redis": {
		"addresses": "host:port of a server of Redis or Valkey, or of some of a Redis Cluster, or of " +
			"sentinels; empty means that this process is alone",
		"master":                 "name that sentinels know the master by; the addresses are theirs then",
		"cluster":                "the servers are a Redis Cluster",
		"database":               "number of the database; a Redis Cluster has 0 only",
		"user":                   "whom the server knows this one by; empty means default",
		"password":               "the password of user; empty means that none is asked for",
		"password_file":          "file that has it, in place of password",
		"sentinel_user":          "whom the sentinels know this one by; empty means default",
		"sentinel_password":      "the password of sentinel_user; empty means that none is asked for",
		"sentinel_password_file": "file that has it, in place of sentinel_password",
		"tls":                    "connections are encrypted",
		"ca": "PEM file of the authorities that certificates of the servers may come from; empty " +
			"means those of the system",
		"cert":        "file of a certificate that this one shows; empty means none",
		"key":         "file of its key",
		"server_name": "name that the certificates have to be for; empty means the host of the address",
		"prefix": "begins the name of everything there, with letters, digits, - and _: nodes with other " +
			"prefixes are other applications, and never hear of these",
		"partitions": "parts that targets are divided into, each with a server of the Redis Cluster; at most 1024; " +
			"above 1 is of use with cluster only",
		"answer": "time in which other nodes have to answer",
		"gap": "over which pages that were connected while other nodes could not be reached are closed with 4201 " +
			"afterwards, as they may have missed something; 0 means that they stay, and are not told",
	},
	"Limits": {
		"dry_run": "refuse nothing for a rate: count and log what would be",
		"message": "largest message of a page, which says its credential and no more",
		"publish": "largest publication and plain line; at most limits.pending, which is the default if it is less",
		"body":    "largest body of a request",
		"pending": "what may wait for one connection; it is cut with 4102 then",
		"memory":  "what may wait for all of them; those with the most are cut then",
		"login":   "time in which a page has to say who it is",
		"places":  "groups and channels of one connection",
		"connections": "connections of pages; 0 means as many as the limit of open files leaves beside those of " +
			"the other ports",
		"connections_per_ip": "connections of one IP; loopback is excepted, as in all " +
			"that is per IP",
		"connections_per_uid": "connections of one " +
			"uid",
		"waiting": "connections of pages that have not said who they are, from the connecting on; without " +
			"limits.connections, no more than half of all",
		"waiting_per_ip": "those of one IP, and no more than half of those",
		"handshakes_per_ip": "connections and handshakes of one IP per second, with TLS or without; refused with " +
			"429, and reset beyond that",
		"logins_per_uid": "logins of one uid per second; closed with 4103",
		"messages_per_connection": "messages of one page per second, and requests of a connection that is none; " +
			"closed with 4103, refused with 429",
		"commands_per_key": "commands of one key per second; refused with 429, or an error",
	},
	"Log": {
		"format": "how lines of the log are written",
		"level":  "lines of a lower level are left out",
	},
}

// lists are those words that a setting may be, by the name that its tag gives in their place.
var lists = map[string]string{
	"events": "connect,message,close,join,leave,occupied,vacated," +
		"channel_occupied,channel_vacated,member_added,member_removed,client_event,cache_miss,subscription_count",
	"algorithms": "ticket,HS256,HS384,HS512,RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA",
}
