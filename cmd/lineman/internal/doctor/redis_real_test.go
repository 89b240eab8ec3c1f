package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// realRedis runs a real server with some lines of configuration, in which %s is its port, and returns its address.
func realRedis(t *testing.T, lines ...string) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("LINEMAN_E2E_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip("no redis-server: apt-get install redis-server")
	}
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close()
		if startRedis(t, program, addr, lines) {
			return addr
		}
	}
}

// startRedis reports whether the server came up; somebody may have taken the port.
func startRedis(t *testing.T, program, addr string, lines []string) bool {
	t.Helper()
	_, port, _ := net.SplitHostPort(addr)
	file := filepath.Join(t.TempDir(), "redis.conf")
	text := strings.ReplaceAll(strings.Join(lines, "\n"), "%s", port) + "\ndir " + filepath.Dir(file) + "\n"
	if !strings.Contains(text, "port "+port) {
		text += "port " + port + "\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{file}
	if strings.Contains(text, "sentinel monitor") {
		args = append(args, "--sentinel")
	}
	c := exec.Command(program, args...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	log := bufio.NewScanner(out)
	for log.Scan() {
		said.WriteString(log.Text() + "\n")
		if strings.Contains(log.Text(), "Ready to accept connections") ||
			strings.Contains(log.Text(), "+monitor master") {
			drained := make(chan struct{})
			go func() { defer close(drained); _, _ = io.Copy(io.Discard, out) }()
			t.Cleanup(func() {
				_ = c.Process.Kill()
				<-drained
				_ = c.Wait()
			})
			return true
		}
	}
	_ = c.Wait()
	if !strings.Contains(said.String(), "in use") {
		t.Fatalf("redis-server has ended:\n%s", said.String())
	}
	return false
}

// freePort is one that nobody has, for now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// client asks a server that a test runs.
func client(t *testing.T, addr string) func(words ...string) (number int64) {
	t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{addr}, ForceSingleClient: true, DisableCache: true, PipelineMultiplex: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return func(words ...string) (number int64) {
		t.Helper()
		r := c.Do(context.Background(), c.B().Arbitrary(words...).Build())
		if err := r.Error(); err != nil {
			t.Fatalf("%q: %v", words, err)
		}
		number, _ = r.AsInt64() // where it is one
		return number
	}
}

// at has the checks visit a server, with some settings more.
func at(addr string, change func(*Redis)) func(*Machine, *Options) {
	return func(_ *Machine, o *Options) {
		o.Redis = Redis{Addresses: []string{addr}, Prefix: "lineman"}
		if change != nil {
			change(&o.Redis)
		}
	}
}

// product is what the server that tests run is: redis, or valkey under its name.
func product(t *testing.T) string {
	t.Helper()
	about, err := exec.Command("redis-server", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(string(about), " ")
	return strings.ToLower(name)
}

// TestRealRedis judges a server that is good, and then one setting after the other that is not.
func TestRealRedis(t *testing.T) {
	addr := realRedis(t)
	_, port, _ := net.SplitHostPort(addr)
	cli := "redis-cli -h 127.0.0.1 -p " + port
	ask := client(t, addr)
	try(t, redis,
		trial{name: "good", change: at(addr, nil), verdict: OK, found: "redis " + addr + ": " + product(t) + " "},
		trial{name: "rights", change: at(addr, nil), verdict: OK,
			found: "redis rights " + addr + ": all that are needed"},
		trial{name: "latency", change: at(addr, nil), verdict: OK, found: "ms, median of 20"},
		trial{name: "memory", change: at(addr, nil), verdict: OK, found: "used, maxmemory 0"},
		trial{name: "on loopback", change: at(addr, nil), verdict: OK,
			found: "none, and only this machine can reach it"},
		trial{name: "no Cluster", change: at(addr, func(r *Redis) { r.Cluster = true }), verdict: Fail,
			found: "is part of no Redis Cluster", fix: "leave redis.cluster out"},
		trial{name: "an unknown password", change: at(addr, func(r *Redis) { r.User, r.Password = "push", "wrong" }),
			verdict: Fail, found: "does not know the user push by this password", fix: "LINEMAN_REDIS_PASSWORD"},
		trial{name: "no database", change: at(addr, func(r *Redis) { r.Database = 99 }), verdict: Fail,
			found: "DB index is out of range"},
	)
	for _, c := range []struct {
		key, bad, good, found, fix string
	}{
		{"maxmemory-policy", "allkeys-lru", "noeviction", "allkeys-lru, want noeviction",
			cli + " CONFIG SET maxmemory-policy 'noeviction' && " + cli + " CONFIG REWRITE"},
		{"client-output-buffer-limit", "pubsub 1mb 0 0", "pubsub 32mb 8mb 60",
			"pubsub 1048576 0 0, want pubsub 33554432 8388608 60",
			"CONFIG SET client-output-buffer-limit 'pubsub 33554432 8388608 60'"},
		{"client-output-buffer-limit", "pubsub 0 8mb 10", "pubsub 0 0 0", "pubsub 0 8388608 10",
			"CONFIG SET client-output-buffer-limit"},
		{"tcp-keepalive", "0", "60", "redis tcp-keepalive " + addr + ": 0", "CONFIG SET tcp-keepalive '300'"},
		{"maxmemory", "1100kb", "1gb", "maxmemory 1 MiB: when it is full", "CONFIG SET maxmemory"},
	} {
		ask("CONFIG", "SET", c.key, c.bad)
		try(t, redis, trial{name: c.key, change: at(addr, nil), verdict: Warn, found: c.found, fix: c.fix})
		ask("CONFIG", "SET", c.key, c.good)
	}
	try(t, redis, trial{name: "good again", change: at(addr, nil), verdict: OK, found: "maxmemory 1.0 GiB"})
}

// TestRealRights has a user that may all that is needed, and nothing more.
func TestRealRights(t *testing.T) {
	addr := realRedis(t)
	ask := client(t, addr)
	user := func(rights string) {
		t.Helper()
		ask(append(strings.Fields("ACL SETUSER push reset on >secret"), strings.Fields(rights)...)...)
	}
	as := at(addr, func(r *Redis) { r.User, r.Password = "push", "secret" })
	const needed = "&lineman.* ~lineman.* +subscribe +unsubscribe +publish +eval +ping +time +hget +hset +hdel " +
		"+hgetall +hscan +pexpire"
	const all = needed + " +client|info +client|kill +pubsub|numsub"
	user(all)
	try(t, redis,
		trial{name: "all that is needed", change: as, verdict: OK, found: "rights " + addr + ": all"},
		trial{name: "no CONFIG", change: as, verdict: OK,
			found: "redis settings " + addr + ": not known, as it does not tell: NOPERM"},
		trial{name: "no INFO", change: as, verdict: OK, found: "redis memory " + addr + ": not known"},
		trial{name: "a password", change: as, verdict: OK, found: "there is one"},
	)
	user(needed)
	try(t, redis, trial{
		name: "less is told", change: as, verdict: Warn,
		found: "lacks +client|info +client|kill +pubsub|numsub: it is told late",
		fix:   "ACL SETUSER push '+client|info' '+client|kill' '+pubsub|numsub'",
	})
	for _, c := range []struct{ without, lacks string }{
		{"+publish", "+publish"}, {"+subscribe", "+subscribe +unsubscribe"}, {"+hset", "+hset"},
		{"+hgetall", "+hgetall"}, {"+eval", "+eval"}, {"&lineman.*", "&lineman.*"}, {"~lineman.*", "~lineman.*"},
		{"+time", "+time"}, {"+pexpire", "+pexpire"},
	} {
		user(strings.Replace(all+" ", c.without+" ", "", 1))
		try(t, redis, trial{
			name: "without " + c.without, change: as, verdict: Fail, found: "the user push lacks " + c.lacks,
			fix: "ACL SETUSER push '" + strings.ReplaceAll(c.lacks, " ", "' '") + "'",
		})
	}
	for name, c := range map[string]struct {
		more   string
		change func(*Redis)
	}{
		"history": {
			" +evalsha +script|load +get +set +del +hmget +hincrby +rpush +lpop +ltrim +lrange +lindex +llen " +
				"+persist +pttl ", func(r *Redis) { r.History = true },
		},
		"presence": {
			" +evalsha +script|load +hmget +hincrby +hlen +exists +sadd +srem +smembers +srandmember ",
			func(r *Redis) { r.Presence = true },
		},
	} {
		change := at(addr, func(r *Redis) {
			r.User, r.Password = "push", "secret"
			c.change(r)
		})
		user(all + c.more)
		try(t, redis, trial{name: name, change: change, verdict: OK, found: "rights " + addr + ": all"})
		for _, right := range strings.Fields(c.more) {
			user(strings.Replace(all+c.more, " "+right+" ", " ", 1))
			try(t, redis,
				trial{name: name + " without " + right, change: change, verdict: Fail, found: "lacks " + right},
				trial{name: "no " + name + " without " + right, change: as, verdict: OK,
					found: "rights " + addr + ": all"})
		}
	}
	if left := ask("EXISTS", "lineman.{0}:doctor"); left != 0 {
		t.Error("the trial leaves a key behind")
	}
	user("-@all")
	m, _ := good()
	o := wanted()
	as(m, &o)
	f := redis(m, &o)[1]
	if f.Check != "redis rights" ||
		!strings.Contains(f.Found,
			"lacks +ping +time +eval +hget +hset +hdel +hgetall +hscan +pexpire +publish +subscribe +unsubscribe") {
		t.Errorf("without any: %+v", f)
	}
}

// TestRealExposure is of a server without a password that does not protect itself.
func TestRealExposure(t *testing.T) {
	addr := realRedis(t, "bind 0.0.0.0", "protected-mode no")
	try(t, redis, trial{
		name: "open to all", change: at(addr, nil), verdict: Warn, found: "whoever does can push to every page",
		fix: "docs/scaling.md",
	})
	addr = realRedis(t, "requirepass secret")
	try(t, redis,
		trial{name: "none", change: at(addr, nil), verdict: Fail, found: addr + " wants a password",
			fix: "redis.password_file"},
		trial{name: "a wrong one", change: at(addr, func(r *Redis) { r.Password = "wrong" }), verdict: Fail,
			found: "does not know the user default by this password"},
		trial{name: "the right one", change: at(addr, func(r *Redis) { r.Password = "secret" }), verdict: OK,
			found: "there is one"},
	)
}

// TestRealCluster is of one server that has all slots, and first of one that has none.
func TestRealCluster(t *testing.T) {
	addr := realRedis(t, "cluster-enabled yes", "cluster-port "+freePort(t))
	cluster := at(addr, func(r *Redis) { r.Cluster = true })
	try(t, redis, trial{
		name: "not said", change: at(addr, nil), verdict: Fail, found: "is part of a Redis Cluster",
		fix: "set redis.cluster: true",
	})
	m, _ := good()
	o := wanted()
	cluster(m, &o)
	all := redis(m, &o)
	if i := slices.IndexFunc(all, func(f Finding) bool { return f.Check == "redis cluster" }); i < 0 ||
		all[i].Verdict != Fail || !strings.Contains(all[i].Found, "16384 of 16384 slots are with nobody") {
		t.Errorf("no slots: %+v", all)
	}
	client(t, addr)("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	try(t, redis, trial{name: "all slots", change: cluster, verdict: OK, found: "redis cluster 1 masters, all slots"})
}

// TestRealSentinel has a sentinel lead to the master.
func TestRealSentinel(t *testing.T) {
	master := realRedis(t)
	_, port, _ := net.SplitHostPort(master)
	sentinel := realRedis(t, "sentinel monitor main 127.0.0.1 "+port+" 1")
	replica := realRedis(t, "replicaof 127.0.0.1 "+port)
	named := func(name string) func(*Machine, *Options) { return at(sentinel, func(r *Redis) { r.Master = name }) }
	try(t, redis,
		trial{name: "known", change: named("main"), verdict: OK,
			found: "redis sentinel " + sentinel + " has main at " + master},
		trial{name: "looked at", change: named("main"), verdict: OK, found: "redis rights " + master},
		trial{name: "unknown", change: named("other"), verdict: Fail, found: sentinel + ` does not know "other"`,
			fix: "SENTINEL MASTERS"},
		trial{name: "not said", change: at(sentinel, nil), verdict: Fail, found: "is a sentinel",
			fix: "name the master that it watches by redis.master"},
		trial{name: "none", change: at(master, func(r *Redis) { r.Master = "main" }), verdict: Fail,
			found: master + ` does not know "main"`},
		trial{name: "a replica", change: at(replica, nil), verdict: Fail, found: "is a replica, and takes nothing",
			fix: "ROLE tells its master"},
	)
}

// TestRealTLS has each mistake with certificates be told apart.
func TestRealTLS(t *testing.T) {
	folder := t.TempDir()
	made := certificateFiles(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	for name, text := range made {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := []string{
		"tls-cert-file " + filepath.Join(folder, "cert.pem"), "tls-key-file " + filepath.Join(folder, "key.pem"),
		"tls-ca-cert-file " + filepath.Join(folder, "cert.pem"),
	}
	addr := realRedis(t, append(files, "tls-port %s", "port 0", "tls-auth-clients no")...)
	with := func(c *tls.Config) func(r *Redis) {
		return func(r *Redis) { r.TLS = func() (*tls.Config, error) { return c, nil } }
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(made["cert.pem"]))
	strict := realRedis(t, append(files, "tls-port %s", "port 0")...)
	try(t, redis,
		trial{name: "good", change: at(addr, with(&tls.Config{RootCAs: roots, ServerName: "example.com"})), verdict: OK,
			found: "rights " + addr},
		trial{name: "an unknown authority", change: at(addr, with(&tls.Config{ServerName: "example.com"})),
			verdict: Fail, found: "unknown authority", fix: "redis.ca"},
		trial{name: "another name", change: at(addr, with(&tls.Config{RootCAs: roots, ServerName: "other.example"})),
			verdict: Fail, found: "other.example", fix: "redis.server_name"},
		trial{name: "not said", change: at(addr, nil), verdict: Fail, found: "it may speak TLS",
			fix: "set redis.tls: true"},
		trial{name: "no client certificate",
			change: at(strict, with(&tls.Config{RootCAs: roots, ServerName: "example.com"})), verdict: Fail,
			found: "it may want a certificate", fix: "set redis.cert and redis.key"},
		trial{name: "not spoken", change: at(realRedis(t), with(&tls.Config{})), verdict: Fail,
			found: "does not speak TLS there", fix: "leave redis.tls out"},
		trial{name: "files that are missing",
			change:  at(addr, func(r *Redis) { r.TLS = func() (*tls.Config, error) { return nil, os.ErrNotExist } }),
			verdict: Fail, found: "file does not exist", fix: "redis.ca"},
	)
}
