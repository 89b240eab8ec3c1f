package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/redis/rueidis"
)

// server is one of Redis, or of what speaks like it.
type server struct {
	settings *Redis
	addr     string
	client   rueidis.Client
	about    map[string]string // what it answers to HELLO
}

// connect gives a client whose errors are told, and no other.
func connect(m *Machine, addr string, to rueidis.ClientOption) (rueidis.Client, error) {
	to.InitAddress = []string{addr}
	c, err := m.Connect(to)
	if err != nil && c != nil {
		c.Close()
	}
	return c, err
}

// visit connects, and tells what is there. It returns nil if nothing more can be asked.
func visit(m *Machine, r *Redis, addr string, to rueidis.ClientOption) (*server, []Finding) {
	const name = "redis"
	c, err := connect(m, addr, to)
	if err != nil {
		return nil, unreachable(name, addr, r, err)
	}
	s := &server{settings: r, addr: addr, client: c}
	hello, err := s.do(c.B().Hello().Protover(3).Build()).AsMap()
	if err != nil {
		c.Close()
		return nil, unreachable(name, addr, r, err)
	}
	s.about = make(map[string]string, len(hello))
	for key, value := range hello {
		s.about[key], _ = value.ToString() // numbers and lists are of no interest
	}
	return s, s.judge(s.product())
}

func (s *server) do(command rueidis.Completed) rueidis.RedisResult { return do(s.client, command) }

// do gives a command as long as an answer may take.
func do(by rueidis.CoreClient, command rueidis.Completed) rueidis.RedisResult {
	ctx, cancel := context.WithTimeout(context.Background(), redisTime)
	defer cancel()
	return by.Do(ctx, command)
}

// info is a section of INFO by its keys; an error if it may not be asked for.
func (s *server) info(section string) (map[string]string, error) {
	text, err := s.do(s.client.B().Info().Section(section).Build()).ToString()
	all := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		if key, value, is := strings.Cut(strings.TrimSpace(line), ":"); is {
			all[key] = value
		}
	}
	return all, err
}

// judge says whether the server is one that will do.
func (s *server) judge(product, version string) []Finding {
	const name = "redis"
	found := fmt.Sprintf("%s: %s %s", s.addr, product, version)
	var major, minor int
	n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor)
	old := func(m, n int) bool { return major < m || major == m && minor < n }
	mode, isCluster := s.about["mode"], s.about["mode"] == "cluster"
	switch {
	case mode == "sentinel":
		return fail(name, found+" is a sentinel", "name the master that it watches by redis.master")
	case isCluster && !s.settings.Cluster:
		return fail(name, found+" is part of a Redis Cluster", "set redis.cluster: true")
	case !isCluster && s.settings.Cluster:
		return fail(name, found+" is part of no Redis Cluster",
			"leave redis.cluster out, or name servers of a Cluster by redis.addresses")
	case s.about["role"] == "replica" && !isCluster:
		return fail(name, found+" is a replica, and takes nothing",
			redisCLI(s.addr, s.settings)+" ROLE tells its master: name that one by redis.addresses")
	case product == "valkey": // which began after all that is wanted
	case n == 2 && old(6, 2):
		return fail(name, found+": want 6.2 or later", "install a later Redis, or Valkey")
	case n == 2 && s.settings.Cluster && old(7, 0):
		return fail(name, found+": a Cluster wants 7.0 or later, for sharded pub/sub",
			"install a later Redis, or Valkey")
	}
	return ok(name, found)
}

// product is what the server says that it is. Valkey may call itself Redis where programs ask.
func (s *server) product() (name, version string) {
	name, version = cmp.Or(s.about["server"], "redis"), s.about["version"]
	if all, err := s.info("server"); err == nil && all["valkey_version"] != "" {
		return "valkey", all["valkey_version"]
	}
	return name, version
}

// latency is how long an answer takes.
func (s *server) latency() []Finding {
	const name, pings, most = "redis latency", 20, 5 * time.Millisecond
	var took []time.Duration
	for range pings {
		began := time.Now()
		if err := s.do(s.client.B().Ping().Build()).Error(); err != nil {
			return fail(name, s.addr+": "+err.Error(), s.permit("+ping"))
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	median := took[len(took)/2]
	found := fmt.Sprintf("%s: %.2f ms, median of %d", s.addr, float64(median)/float64(time.Millisecond), pings)
	if median > most {
		return warn(name, found+": each publication for other nodes takes as long",
			"run Redis in the same network as the nodes, and see what holds it up: "+redisCLI(s.addr, s.settings)+
				" --latency; SLOWLOG GET")
	}
	return ok(name, found)
}

// unreachable says why a server does not answer, or does not let this one in.
func unreachable(name, addr string, r *Redis, err error) []Finding {
	text := err.Error()
	begins := func(with ...string) bool {
		return slices.ContainsFunc(with, func(w string) bool { return strings.HasPrefix(text, w) })
	}
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		record    tls.RecordHeaderError
	)
	hasClosed := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
	credentials, user := "redis.user and redis.password_file, or LINEMAN_REDIS_PASSWORD", cmp.Or(r.User, "default")
	if name == "redis sentinel" {
		credentials, user = "redis.sentinel_user and redis.sentinel_password_file", cmp.Or(r.SentinelUser, "default")
	}
	found, fix := addr+": "+text, redisCLI(addr, r)+
		" PING tells whether it runs; it has to listen on that address (bind), and no firewall be between"
	if call := (*os.SyscallError)(nil); errors.As(err, &call) {
		found = addr + ": " + call.Err.Error() // the address once
	}
	switch {
	case begins("NOAUTH"):
		found, fix = addr+" wants a password", "set "+credentials
	case begins("WRONGPASS", "ERR invalid password"):
		found, fix = fmt.Sprintf("%s does not know the user %s by this password", addr, user), "set "+credentials
	case begins("ERR AUTH"):
		found, fix = addr+" has no password, and was told one",
			"leave the password out, or set one there: "+redisCLI(addr, r)+" CONFIG SET requirepass PASSWORD"
	case begins("DENIED"):
		found, fix = addr+" is in protected mode: it lets nobody in from other machines", "set a password there: "+
			"requirepass in its configuration; or list the addresses that it is to listen on by bind"
	case begins("NOPERM"):
		fix = redisCLI(addr, r) + " ACL GETUSER " + user + " tells what it may"
	case errors.As(err, &authority):
		fix = "name the authority's certificate by redis.ca"
	case errors.As(err, &hostname):
		fix = "set redis.server_name to a name that the certificate has"
	case strings.Contains(text, "certificate required") || hasClosed && r.TLS != nil:
		found, fix = addr+" closes the connection: it may want a certificate",
			"set redis.cert and redis.key, or there tls-auth-clients no"
	case hasClosed:
		found, fix = addr+" closes the connection at once: it may speak TLS", "set redis.tls: true"
	case errors.As(err, &record) ||
		errors.Is(err, context.DeadlineExceeded) && r.TLS != nil && !strings.HasPrefix(text, "dial"):
		found, fix = addr+" does not speak TLS there",
			"leave redis.tls out, or name its port for TLS: tls-port in its configuration"
	}
	return fail(name, found, fix)
}

// redisCLI is a command that asks a server.
func redisCLI(addr string, r *Redis) string {
	host, port, _ := net.SplitHostPort(addr)
	command := fmt.Sprintf("redis-cli -h %s -p %s", host, port)
	if r.TLS != nil {
		command += " --tls"
	}
	return command
}
