package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// samples have a value for each setting that is not its default, as a text, and what else it needs.
var samples = map[string]struct {
	text  string
	needs []string
}{
	"listen": {text: "localhost:0"}, "dev": {text: "true"}, "origins": {text: "https://a.example,null"},
	"cookie":       {text: "session"},
	"subprotocols": {text: "chat.v1, mqtt"},
	"proxies":      {text: "10.0.0.0/8"}, "single_login": {text: "true"}, "drain": {text: "3s"},
	"tls.cert": {"c.pem", []string{"LINEMAN_TLS_KEY=k.pem"}}, "tls.key": {"k.pem", []string{"LINEMAN_TLS_CERT=c.pem"}},
	"tls.auto": {text: "push.example.com"}, "tls.cache": {text: "kept"}, "tls.email": {text: "me@example.com"},
	"ping": {text: "1m"}, "tls.directory": {text: "https://ca.example.com/directory"}, "text.listen": {text: "[::1]:7"},
	"text.auth": {"true", []string{aKey}}, "api.listen": {text: ""}, "api.hosts": {text: "api.example.com"},
	"api.keys": {text: "[{name: a, key: 0123456789abcdef}]"}, "text.connections": {text: "11"},
	"text.connections_per_ip": {text: "12"}, "api.connections": {text: "13"}, "api.connections_per_ip": {text: "14"},
	"admin.connections": {text: "15"}, "admin.connections_per_ip": {text: "16"}, "admin.listen": {text: "127.0.0.1:9"},
	"admin.password": {text: aHash}, "admin.password_file": {text: "HASH"},
	"admin.readonly": {text: aHash}, "admin.readonly_file": {text: "HASH"},
	"token.secrets": {text: "0123456789abcdef,ghijklmnopqrstuv"}, "token.secret_files": {text: "SECRET"},
	"token.public_keys": {text: "a.pem, b.pem"}, "token.jwks": {text: "https://example.com/jwks"},
	"token.algorithms": {text: "EdDSA"}, "token.audience": {text: "pages"}, "token.issuer": {text: "shop"},
	"token.claim": {text: "user"}, "token.skew": {text: "1s"}, "token.fail_open": {text: "true"},
	"token.revocations": {text: ""}, "namespaces": {text: "{chat: {subscribe: all, max_message: 2KiB}}"},
	"history.memory":  {text: "1GiB"},
	"history.journal": {text: "/var/lib/lineman/journal"}, "history.journal_sync": {text: "always"},
	"history.uids.size": {text: "100"}, "history.uids.ttl": {"1h", []string{"LINEMAN_HISTORY_UIDS_SIZE=1"}},
	"history.uids.bytes": {"1MiB", []string{"LINEMAN_HISTORY_UIDS_SIZE=1"}}, "history.uids.class": {text: "latest"},
	"history.groups.size": {text: "100"}, "history.groups.ttl": {"1h", []string{"LINEMAN_HISTORY_GROUPS_SIZE=1"}},
	"history.groups.bytes": {"1MiB", []string{"LINEMAN_HISTORY_GROUPS_SIZE=1"}},
	"history.groups.class": {text: "latest"},
	"events.messages":      {text: "back end"}, "events.waiting": {text: "1000"}, "events.bytes": {text: "1MiB"},
	"events.keep": {text: "5m"}, "events.debounce": {text: "0s"}, "events.rpc": {text: "3s"},
	"hooks":       {text: "{app: {url: \"https://app.example.com/hook\", events: [message], secret_files: [SECRET]}}"},
	"pusher.apps": {text: "[{id: shop, key: shop-key, secret_file: SECRET, max_members: 7}]"},
	"relay":       {text: "1h"},
	"loops":       {text: "4"}, "count": {"3", []string{aServer}}, "redis.addresses": {text: "10.0.0.1:6379"},
	"redis.master": {"main", []string{aServer}}, "redis.cluster": {"true", []string{aServer}},
	"redis.database": {"7", []string{aServer}}, "redis.user": {"push", []string{aServer}},
	"redis.password": {"a password", []string{aServer}}, "redis.password_file": {"SECRET", []string{aServer}},
	"redis.sentinel_user":          {"push", []string{aServer, aMaster}},
	"redis.sentinel_password":      {"a password", []string{aServer, aMaster}},
	"redis.sentinel_password_file": {"SECRET", []string{aServer, aMaster}}, "redis.tls": {"true", []string{aServer}},
	"redis.ca":          {"ca.pem", []string{aServer, withTLS}},
	"redis.cert":        {"c.pem", []string{aServer, withTLS, "LINEMAN_REDIS_KEY=k.pem"}},
	"redis.key":         {"k.pem", []string{aServer, withTLS, "LINEMAN_REDIS_CERT=c.pem"}},
	"redis.server_name": {"redis.example.com", []string{aServer, withTLS}}, "redis.prefix": {"shop", []string{aServer}},
	"redis.gap":        {"30s", []string{aServer}},
	"redis.partitions": {"16", []string{aServer}}, "redis.answer": {"300ms", []string{aServer}},
	"limits.dry_run": {text: "true"}, "limits.message": {text: "128KiB"}, "limits.publish": {text: "512KiB"},
	"limits.body": {text: "4096"}, "limits.pending": {text: "2MiB"}, "limits.memory": {text: "1GiB"},
	"limits.login": {text: "1m30s"}, "limits.places": {text: "7"}, "limits.connections": {text: "10_000"},
	"limits.connections_per_ip": {text: "1"}, "limits.connections_per_uid": {text: "2"}, "limits.waiting": {text: "3"},
	"limits.waiting_per_ip": {text: "4"}, "limits.handshakes_per_ip": {text: "0.5"},
	"limits.logins_per_uid": {text: "6"}, "limits.messages_per_connection": {text: "7.25"},
	"limits.commands_per_key": {text: "8"}, "log.format": {text: "json"}, "log.level": {text: "debug"},
}

// TestSettings says each setting by the file, by the environment and by its flag: it arrives, and its source is told.
func TestSettings(t *testing.T) {
	secret, hash := write(t, "a secret of a file\n"), write(t, aHash+"\n")
	for _, s := range leaves(settings()) {
		sample, ok := samples[s.key]
		if !ok {
			t.Errorf("%s has no sample", s.key)
			continue
		}
		text := strings.NewReplacer("SECRET", secret, "HASH", hash).Replace(sample.text)
		inYAML := text
		if s.kind() == "list" && !s.composed() {
			inYAML = "[" + text + "]"
		} else if s.kind() == "text" {
			inYAML = fmt.Sprintf("%q", text)
		}
		file := ""
		for depth, name := range strings.Split(s.key, ".") {
			file += strings.Repeat("  ", depth) + name + ":\n"
		}
		file = strings.TrimSuffix(file, "\n") + " " + inYAML
		file = write(t, file)

		fromFile, err := Load(nil, append(sample.needs, "LINEMAN_CONFIG="+file))
		says(t, s.key+" in a file", err)
		fromVariable, err := Load(nil, append(sample.needs, s.variable()+"="+text))
		says(t, s.key+" in the environment", err)
		if fromFile == nil || fromVariable == nil {
			continue
		}
		all := map[string]*Loaded{
			"file " + file + ":" + fmt.Sprint(1+strings.Count(s.key, ".")): fromFile,
			"environment " + s.variable():                                  fromVariable,
		}
		if s.hasFlag() {
			fromFlag, err := Load(parsed(t, "--"+s.flag()+"="+text), sample.needs)
			says(t, s.key+" as a flag", err)
			if fromFlag != nil {
				all["flag --"+s.flag()] = fromFlag
			}
		}
		def := Default()
		for source, l := range all {
			if got := l.sources[s.key].String(); got != source {
				t.Errorf("%s comes from %q, want %q", s.key, got, source)
			}
			if reflect.DeepEqual(l.value(&s).Interface(), def.value(&s).Interface()) && s.key != "dev" {
				t.Errorf("%s from %s is the default", s.key, source)
			}
			if !reflect.DeepEqual(l.value(&s).Interface(), fromFile.value(&s).Interface()) {
				t.Errorf("%s from %s is %v, and from the file %v", s.key, source, l.value(&s), fromFile.value(&s))
			}
		}
	}
}

// What settings of redis need.
const (
	aServer = "LINEMAN_REDIS_ADDRESSES=localhost:6379"
	aMaster = "LINEMAN_REDIS_MASTER=main"
	withTLS = "LINEMAN_REDIS_TLS=true"
)

// TestLayers has the later of defaults, file, environment and flags win, setting by setting.
func TestLayers(t *testing.T) {
	file := write(t, "drain: 1s\ntext:\n  listen: 127.0.0.1:1\nlimits: {places: 1, waiting: 1}\nproxies: []\n"+
		"namespaces: {chat: {max_subscribers: 3}}\n")
	environ := []string{
		"LINEMAN_CONFIG=/no/such/file", "LINEMAN_DRAIN=2s", "LINEMAN_LIMITS_PLACES=2",
		"LINEMAN_ORIGINS=https://a.example, https://b.example", "PATH=x",
	}
	l, err := Load(parsed(t, "--config", file, "--drain", "3s", "--origins", "null", "--origins=*,https://c.example",
		"--dev"), environ)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Dev, want.Drain, want.Text.Listen, want.Limits.Places, want.Limits.Waiting = true, 3e9, "127.0.0.1:1", 2, 1
	want.Origins, want.Proxies = []string{"null", "*", "https://c.example"}, []string{}
	chat := DefaultNamespace()
	chat.MaxSubscribers = 3
	want.Namespaces["chat"], want.Namespaces["dev"] = chat, DevSpace()
	if !reflect.DeepEqual(l.Config, want) {
		t.Errorf("loaded\n%+v, want\n%+v", l.Config, want)
	}
	if l.File != file {
		t.Errorf("the file is %q", l.File)
	}
	for key, source := range map[string]string{
		"drain": "flag --drain", "origins": "flag --origins", "limits.places": "environment LINEMAN_LIMITS_PLACES",
		"limits.waiting": "file " + file + ":4", "text.listen": "file " + file + ":3", "api.listen": "default",
	} {
		if got := l.sources[key].String(); got != source {
			t.Errorf("%s is from %q, want %q", key, got, source)
		}
	}
}

// TestDefaults has nothing said: what the seed serves, in dev mode.
func TestDefaults(t *testing.T) {
	l, err := Load(nil, []string{"LINEMAN_CONFIG="})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Dev, want.Namespaces["dev"] = true, DevSpace()
	if !reflect.DeepEqual(l.Config, want) || l.File != "" || l.Warnings != nil {
		t.Errorf("loaded %+v", l)
	}
}

// TestDev has dev be the default where nobody else can come, and nothing can be checked.
func TestDev(t *testing.T) {
	for _, c := range []struct {
		environ []string
		dev     bool
		err     []string
	}{
		{nil, true, nil},
		{[]string{"LINEMAN_TOKEN_SECRETS=0123456789abcdef"}, false, nil},
		{[]string{"LINEMAN_TOKEN_JWKS=https://example.com/jwks"}, false, nil},
		{[]string{"LINEMAN_TOKEN_PUBLIC_KEYS=a.pem"}, false, nil},
		{[]string{"LINEMAN_DEV=true", "LINEMAN_TOKEN_SECRETS=0123456789abcdef"}, true, nil},
		{[]string{"LINEMAN_DEV=true", "LINEMAN_LISTEN=:80"}, true, nil},
		{[]string{"LINEMAN_LISTEN=:80", "LINEMAN_TOKEN_SECRETS=0123456789abcdef"}, false, nil},
		{[]string{"LINEMAN_LISTEN=:80"}, false,
			[]string{"config: LINEMAN_LISTEN: :80: anybody who reaches the port could be any user: set " +
				"token.secrets, secret_files, public_keys or jwks, have a hook decide connect, listen on a loopback " +
				"address, such as 127.0.0.1:1234, or say --dev"}},
		{[]string{"LINEMAN_DEV=false"}, false, []string{"config: LINEMAN_DEV: is false, and no token key is there"}},
	} {
		l, err := Load(nil, c.environ)
		says(t, fmt.Sprint(c.environ), err, c.err...)
		if err == nil && l.Dev != c.dev {
			t.Errorf("%q: dev is %v", c.environ, l.Dev)
		}
	}
	if _, err := Load(nil, []string{"LINEMAN_LISTEN=:80"}); !errors.Is(err, ErrExposed) {
		t.Errorf("%v is no ErrExposed", err)
	}
}

// TestDevNamespace has dev mode have a namespace to try things in, unless the settings have it, and nothing written to
// disk for it.
func TestDevNamespace(t *testing.T) {
	for text, want := range map[string]struct {
		size     int // of its history; -1: there is none
		journals bool
	}{
		"drain: 1s": {50, false}, "dev: false\ntoken: {secrets: [0123456789abcdef]}": {-1, false},
		"namespaces: {dev: {history: {size: 7}}}": {7, true}, "namespaces: {chat: {history: {size: 7}}}": {50, true},
		"history: {journal: here}":          {50, false},
		"redis: {addresses: [localhost:1]}": {-1, false},
	} {
		l, err := loadFile(t, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		dev, there := l.Namespaces[DevNamespace]
		if there != (want.size >= 0) || there && dev.History.Size != want.size || l.KeepsJournal() != want.journals {
			t.Errorf("%s: it is there: %t, keeps %d; there is a journal: %t", text, there, dev.History.Size,
				l.KeepsJournal())
		}
	}
}

// TestFiles refuses what can be no configuration.
func TestFiles(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	_, err := Load(nil, []string{"LINEMAN_CONFIG=" + missing})
	says(t, "missing", err, "config: "+missing+": ")
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	_, err = Load(parsed(t, "--config", t.TempDir()), nil)
	says(t, "folder", err, "is no regular file")
	for what, c := range map[string]struct{ text, want string }{
		"empty":   {" \n", "is empty: lineman config init writes one"},
		"large":   {strings.Repeat("# ten bytes\n", 1<<20), "is larger than 1 MiB"},
		"binary":  {"listen: \xff\xfe\x00", "is not UTF-8"},
		"control": {"listen: \x01", "no YAML: control characters are not allowed"},
	} {
		_, err := loadFile(t, c.text)
		says(t, what, err, c.want)
	}
	_, err = loadFile(t, strings.Repeat("- a\n", 60))
	says(t, "a list", err, "found a list")
	_, err = loadFile(t, strings.Repeat("{}: a\n", 60))
	if lines := strings.Split(fmt.Sprint(err), "\n"); len(lines) != maxErrors+1 ||
		lines[maxErrors] != "config: and 10 more" {
		t.Errorf("%d errors are\n%v", len(lines), err)
	}
	if runtime.GOOS != "windows" && os.Geteuid() != 0 {
		name := write(t, "drain: 1s\n")
		if err := os.Chmod(name, 0); err != nil {
			t.Fatal(err)
		}
		_, err := Load(nil, []string{"LINEMAN_CONFIG=" + name})
		says(t, "unreadable", err, "permission denied")
	}
	if _, err := loadFile(t, "# nothing yet\n"); err != nil {
		t.Errorf("comments alone: %v", err)
	}
}

// TestDefaultFile has lineman.yaml of the working directory be read.
func TestDefaultFile(t *testing.T) {
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chdir(filepath.Dir(write(t, "drain: 7s\n"))); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.Chdir(before); err != nil {
			t.Fatal(err)
		}
	}()
	l, err := Load(parsed(t), nil)
	if err != nil || l.Drain != 7e9 || l.sources["drain"].String() != "file lineman.yaml:1" {
		t.Errorf("%+v, %v", l, err)
	}
}

// TestSecretFiles has secrets read from files, and tells of those that everybody can read.
func TestSecretFiles(t *testing.T) {
	one, two := write(t, "the first of secrets\n"), write(t, "the second of secrets\r\n")
	open := write(t, "an open secret of all")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := loadFile(t,
		fmt.Sprintf("token: {secrets: [written in the file], secret_files: [%q, %q]}\n"+
			"api: {keys: [{name: a, key_file: %q}]}\n", one, two, open))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{
		"written in the file", "the first of secrets", "the second of secrets",
	}; !reflect.DeepEqual(l.Token.Secrets, want) {
		t.Errorf("secrets are %q", l.Token.Secrets)
	}
	if l.API.Keys[0].Key != "an open secret of all" {
		t.Errorf("the key is %q", l.API.Keys[0].Key)
	}
	if runtime.GOOS != "windows" && (len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0], "chmod o-r "+open)) {
		t.Errorf("warnings are %q", l.Warnings)
	}
	if err := os.Chmod(l.File, 0o644); err != nil {
		t.Fatal(err)
	}
	if l, err := Load(nil, []string{"LINEMAN_CONFIG=" + l.File}); err != nil ||
		runtime.GOOS != "windows" && len(l.Warnings) != 2 {
		t.Errorf("a file with a secret that everybody can read: %v", err)
	}

	for what, c := range map[string]struct{ text, want string }{
		"empty":   {"", "is empty"},
		"short":   {"hush-hush\n", "a secret of 9 characters can be guessed"},
		"several": {"hush-hush, it is a\nsecret in two lines", "has several lines"},
	} {
		_, err := Load(nil, []string{"LINEMAN_TOKEN_SECRET_FILES=" + write(t, c.text)})
		says(t, what, err, c.want)
		_, err = Load(nil, []string{fmt.Sprintf("LINEMAN_API_KEYS=[{name: a, key_file: %q}]", write(t, c.text))})
		says(t, what, err, c.want)
		if strings.Contains(fmt.Sprint(err), "hush") {
			t.Errorf("%s: the secret is in %v", what, err)
		}
	}
	_, err = Load(nil, []string{fmt.Sprintf("LINEMAN_API_KEYS=[{name: a, key: 0123456789abcdef, key_file: %q}]", one)})
	says(t, "both", err, "api.keys[0].key: is there, and key_file too: want one of them")
}

// TestRedisSecrets has the passwords of servers and sentinels read from files.
func TestRedisSecrets(t *testing.T) {
	one, two := write(t, "pass\n"), write(t, "word\n")
	if err := os.Chmod(two, 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := Load(nil,
		[]string{aServer, aMaster, "LINEMAN_REDIS_PASSWORD_FILE=" + one, "LINEMAN_REDIS_SENTINEL_PASSWORD_FILE=" + two})
	if err != nil || l.Redis.Password != "pass" || l.Redis.SentinelPassword != "word" {
		t.Fatalf("%+v, %v", l, err)
	}
	if runtime.GOOS != "windows" && (len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0], "chmod o-r "+two)) {
		t.Errorf("warnings are %q", l.Warnings)
	}
	_, err = Load(nil, []string{aServer, "LINEMAN_REDIS_PASSWORD=hush", "LINEMAN_REDIS_PASSWORD_FILE=" + one})
	says(t, "both", err, "config: LINEMAN_REDIS_PASSWORD: is there, and password_file too: want one of them")
	_, err = Load(nil, []string{"LINEMAN_REDIS_PASSWORD_FILE=" + one})
	says(t, "no server", err, "config: LINEMAN_REDIS_PASSWORD_FILE: means nothing without redis.addresses")
	open, err := loadFile(t, "redis: {addresses: [h:1], password: hush}")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open.File, 0o644); err != nil {
		t.Fatal(err)
	}
	if l, err := Load(nil, []string{"LINEMAN_CONFIG=" + open.File}); err != nil ||
		runtime.GOOS != "windows" && len(l.Warnings) != 1 {
		t.Errorf("a password that everybody can read: %+v, %v", l, err)
	}
}

// TestRevocations has them be kept in a file, or in Redis, never in both.
func TestRevocations(t *testing.T) {
	for _, c := range []struct {
		environ []string
		want    string
		err     []string
	}{
		{nil, "lineman.revoked", nil},
		{[]string{"LINEMAN_TOKEN_REVOCATIONS=kept"}, "kept", nil},
		{[]string{aServer}, "", nil},
		{[]string{aServer, "LINEMAN_TOKEN_REVOCATIONS="}, "", nil},
		{[]string{aServer, "LINEMAN_TOKEN_REVOCATIONS=kept"}, "",
			[]string{`config: LINEMAN_TOKEN_REVOCATIONS: "kept": revocations are kept in Redis, where all nodes see ` +
				`them: leave it out`}},
		{[]string{aServer, "LINEMAN_TOKEN_REVOCATIONS=lineman.revoked"}, "",
			[]string{"config: LINEMAN_TOKEN_REVOCATIONS"}},
	} {
		l, err := Load(nil, c.environ)
		says(t, fmt.Sprint(c.environ), err, c.err...)
		if err == nil && l.Token.Revocations != c.want {
			t.Errorf("%q: %q", c.environ, l.Token.Revocations)
		}
	}
}
