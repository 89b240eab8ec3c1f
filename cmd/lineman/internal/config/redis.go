package config

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// maxPartitions bounds the partitions: more are of no use to the largest Cluster, and each costs every node something.
const maxPartitions = 1024

var goodPrefix = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

func checkPrefix(prefix string) error {
	if !goodPrefix.MatchString(prefix) {
		return fmt.Errorf("%s: want 1 to 64 letters, digits, - and _", quote(prefix))
	}
	return nil
}

// checkServer wants an address that can be connected to. Its errors do not have a URL, in which a password may stand.
func checkServer(addr string) error {
	if strings.ContainsAny(addr, "@/") {
		return errors.New("want host:port, such as 10.0.0.1:6379, and no URL: redis.user, password, database and tls " +
			"have what it says")
	}
	if err := checkAddress(addr); err != nil {
		return err
	}
	if host, port, _ := net.SplitHostPort(addr); host == "" || strings.Trim(port, "0") == "" {
		return fmt.Errorf("%s: want the host and the port of a server, such as 10.0.0.1:6379", quote(addr))
	}
	return nil
}

// maxLoops is how many loops may meet in a process.
const maxLoops = 64

// EventLoops is how many loops a process runs.
func (c *Config) EventLoops() int {
	switch {
	case c.Loops > 0:
		return c.Loops
	case c.Count > 1 || len(c.Redis.Addresses) > 0:
		return 1
	}
	return min(runtime.GOMAXPROCS(0), 8)
}

// processes want something that joins them.
func (c *Config) processes(p *problems) {
	if c.Count > 1 && len(c.Redis.Addresses) == 0 {
		p.addf("count",
			"%d: a page is known only to the process that holds it: set redis.addresses, by which processes reach "+
				"the pages of others, or count: 1", c.Count)
	}
	switch {
	case c.Loops < 0 || c.Loops > maxLoops:
		p.addf("loops", "%d: want 0 to %d; 0 means one for each processor", c.Loops, maxLoops)
	case c.Loops > 1 && len(c.Redis.Addresses) > 0:
		p.addf("loops", "%d: what meets by redis.addresses are processes: set count", c.Loops)
	}
	if len(c.Redis.Addresses) > 0 && c.Token.Revocations != "" {
		p.addf("token.revocations", "%s: revocations are kept in Redis, where all nodes see them: leave it out",
			quote(c.Token.Revocations))
	}
}

// redis wants each of its settings to mean something beside the others.
func (c *Config) redis(p *problems) {
	r := &c.Redis
	if len(r.Addresses) == 0 {
		c.idle(p, "redis.addresses", "redis.")
		return
	}
	if r.Master == "" {
		c.idle(p, "redis.master", "redis.sentinel_")
	}
	if !r.TLS {
		c.idle(p, "redis.tls", "redis.ca", "redis.cert", "redis.key", "redis.server_name")
	}
	switch {
	case r.Cluster && r.Master != "":
		p.addf("redis.master", "a Redis Cluster has no sentinels: want redis.master or redis.cluster")
	case !r.Cluster && r.Master == "" && len(r.Addresses) > 1:
		p.addf("redis.addresses",
			"several are those of a Redis Cluster or of sentinels: say redis.cluster or redis.master, or "+
				"want one address")
	}
	if r.Cluster && r.Database > 0 {
		p.addf("redis.database", "%d: a Redis Cluster has 0 only", r.Database)
	}
	if (r.Cert == "") != (r.Key == "") {
		one := "redis.cert"
		if r.Cert == "" {
			one = "redis.key"
		}
		p.addf(one, "redis.cert and redis.key belong together: give both")
	}
}

// idle tells of settings whose keys begin so that they mean nothing, as another one is missing. What is as by default
// is not told.
func (c *Config) idle(p *problems, missing string, beginnings ...string) {
	def, all := Default(), leaves(settings())
	isSet := func(s *setting) bool { return !reflect.DeepEqual(c.value(s).Interface(), def.value(s).Interface()) }
	for _, s := range all {
		begins := func(with string) bool { return strings.HasPrefix(s.key, with) }
		if s.key == missing || !slices.ContainsFunc(beginnings, begins) || !isSet(&s) {
			continue
		}
		if twin := s.twin(all); twin != nil && isSet(twin) {
			continue // the secret was read from the file that it names
		}
		p.addf(s.key, "means nothing without %s: set that, or leave this out", missing)
	}
}
