package config

import (
	"runtime"
	"strings"
	"testing"
)

// TestRedis changes one thing of a good configuration of several nodes: nothing is said, or what is wrong with the
// setting.
func TestRedis(t *testing.T) {
	at := func(addresses ...string) func(*Config) { return func(c *Config) { c.Redis.Addresses = addresses } }
	prefix := func(p string) func(*Config) { return func(c *Config) { c.Redis.Prefix = p } }
	for _, c := range []struct {
		name   string
		change func(*Config)
		says   []string
	}{
		{"one server", func(*Config) {}, nil},
		{"IPv6", at("[::1]:6379"), nil},
		{"no port", at("localhost"), []string{`config: redis.addresses: "localhost": want host:port`}},
		{"no host", at(":6379"), []string{`redis.addresses: ":6379": want the host and the port of a server`}},
		{"any port", at("localhost:0"), []string{"want the host and the port of a server"}},
		{"a URL", at("redis://localhost:6379/1"),
			[]string{"config: redis.addresses: want host:port, such as 10.0.0.1:6379, and no URL"}},
		{"several", at("a:1", "b:1"),
			[]string{"redis.addresses: several are those of a Redis Cluster or of sentinels: say redis.cluster or " +
				"redis.master"}},
		{"a Cluster", func(c *Config) { at("a:1", "b:1")(c); c.Redis.Cluster, c.Redis.Partitions = true, 16 }, nil},
		{"sentinels",
			func(c *Config) { at("a:1", "b:1")(c); c.Redis.Master, c.Redis.SentinelPassword = "main", "x" }, nil},
		{"both", func(c *Config) { c.Redis.Master, c.Redis.Cluster = "main", true },
			[]string{"redis.master: a Redis Cluster has no sentinels"}},
		{"a database", func(c *Config) { c.Redis.Database = 3 }, nil},
		{"a database of a Cluster", func(c *Config) { c.Redis.Database, c.Redis.Cluster = 3, true },
			[]string{"redis.database: 3: a Redis Cluster has 0 only"}},
		{"a negative database", func(c *Config) { c.Redis.Database = -1 },
			[]string{"redis.database: -1: want 0 or more"}},
		{"for sentinels", func(c *Config) { c.Redis.SentinelUser, c.Redis.SentinelPassword = "a", "x" },
			[]string{"redis.sentinel_user: means nothing without redis.master: set that, or leave this out",
				"redis.sentinel_password: means"}},
		{"for sentinels, in a file",
			func(c *Config) { c.Redis.SentinelPassword, c.Redis.SentinelPasswordFile = "x", "f" },
			[]string{"redis.sentinel_password_file: means"}},

		{"TLS", func(c *Config) {
			c.Redis = Redis{
				Addresses: c.Redis.Addresses, TLS: true, CA: "a", Cert: "c", Key: "k", ServerName: "redis.example.com",
				Prefix: "a", Partitions: 1, Answer: 1,
			}
		}, nil},
		{"no TLS", func(c *Config) { c.Redis.CA, c.Redis.ServerName = "a", "b" },
			[]string{"redis.ca: means nothing without redis.tls: set that", "redis.server_name: means"}},
		{"a certificate alone", func(c *Config) { c.Redis.TLS, c.Redis.Cert = true, "c" },
			[]string{"redis.cert: redis.cert and redis.key belong together: give both"}},
		{"its key alone", func(c *Config) { c.Redis.TLS, c.Redis.Key = true, "k" },
			[]string{"redis.key: redis.cert and redis.key belong together"}},
		{"a wrong name", func(c *Config) { c.Redis.TLS, c.Redis.ServerName = true, "a:1" },
			[]string{`redis.server_name: "a:1": want the name of a host alone`}},

		{"a prefix", prefix("Shop_1-a"), nil},
		{"a long prefix", prefix(strings.Repeat("a", 64)), nil},
		{"a longer prefix", prefix(strings.Repeat("a", 65)), []string{"want 1 to 64 letters, digits, - and _"}},
		{"no prefix", prefix(""), []string{`config: redis.prefix: "": want 1 to 64`}},
		{"braces", prefix("{a}"), []string{"want 1 to 64"}},
		{"a line's end", prefix("a\n"), []string{"want 1 to 64"}},
		{"no partition", func(c *Config) { c.Redis.Partitions = 0 }, []string{"redis.partitions: 0: want more than 0"}},
		{"many partitions", func(c *Config) { c.Redis.Partitions = 1025 },
			[]string{"redis.partitions: 1025: want at most 1024"}},
		{"no time", func(c *Config) { c.Redis.Answer = 0 }, []string{"redis.answer: 0s: want more than 0"}},
		{"no server", func(c *Config) {
			c.Redis = Redis{Cluster: true, Password: "x", Prefix: "a", Partitions: 1, Answer: Default().Redis.Answer}
		},
			[]string{"redis.cluster: means nothing without redis.addresses: set that, or leave this out",
				"redis.password: means", "redis.prefix: means"}},
		{"revocations", func(c *Config) { c.Token.Revocations = "f" },
			[]string{`token.revocations: "f": revocations are kept in Redis, where all nodes see them: leave it out`}},
	} {
		config := Default()
		config.Dev, config.Token.Revocations, config.Redis.Addresses = true, "", []string{"localhost:6379"}
		c.change(&config)
		says(t, c.name, config.Check(), c.says...)
	}
}

// TestCount has several processes need Redis, and ports of their own for operators.
func TestCount(t *testing.T) {
	together := func(c *Config) { c.Redis.Addresses, c.Token.Revocations = []string{"localhost:6379"}, "" }
	for _, c := range []struct {
		name   string
		change func(*Config)
		says   []string
	}{
		{"alone", func(*Config) {},
			[]string{"config: count: 3: a page is known only to the process that holds it: set redis.addresses, by " +
				"which processes reach the pages of others, or count: 1"}},
		{"none", func(c *Config) { c.Count = 0 }, []string{"config: count: 0: want more than 0"}},
		{"together", together, nil},
		{"on the last port", func(c *Config) { together(c); c.API.Listen = "127.0.0.1:6783" },
			[]string{"config: admin.listen: 127.0.0.1:6783 is that of api.listen: want 3 ports in a row, one for " +
				"each process"}},
		{"after the last port", func(c *Config) { together(c); c.API.Listen = "127.0.0.1:6784" }, nil},
		{"of another address", func(c *Config) { together(c); c.API.Listen = "127.0.0.2:6783" }, nil},
		{"of all addresses", func(c *Config) { together(c); c.Listen = ":6782" },
			[]string{"admin.listen: 127.0.0.1:6782 is that of listen"}},
		{"too high", func(c *Config) { together(c); c.Admin.Listen = "127.0.0.1:65534" },
			[]string{"admin.listen: 127.0.0.1:65534: the last of 3 ports would be above 65535"}},
		{"just high enough", func(c *Config) { together(c); c.Admin.Listen = "127.0.0.1:65533" }, nil},
		{"any port", func(c *Config) { together(c); c.Admin.Listen = "127.0.0.1:0" }, nil},
		{"no port", func(c *Config) { together(c); c.Admin.Listen = "" }, nil},
	} {
		config := Default()
		config.Dev, config.Count = true, 3
		c.change(&config)
		says(t, c.name, config.Check(), c.says...)
	}
}

// TestEventLoops has a process that is alone use all processors, up to a bound, and one among others a single one.
func TestEventLoops(t *testing.T) {
	processors := min(runtime.GOMAXPROCS(0), 8)
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   int
	}{
		{"alone", func(*Config) {}, processors},
		{"as set", func(c *Config) { c.Loops = 3 }, 3},
		{"over Redis", func(c *Config) { c.Redis.Addresses = []string{"localhost:6379"} }, 1},
		{"several processes", func(c *Config) { c.Count = 2 }, 1},
	} {
		config := Default()
		c.change(&config)
		if got := config.EventLoops(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	config := Default()
	config.Dev, config.Loops = true, 65
	says(t, "too many", config.Check(), "config: loops: 65: want 0 to 64; 0 means one for each processor")
	config.Loops, config.Redis.Addresses, config.Token.Revocations = 2, []string{"localhost:6379"}, ""
	says(t, "over Redis", config.Check(), "config: loops: 2: what meets by redis.addresses are processes: set count")
}

func TestAdminAt(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:6781": "127.0.0.1:6783", ":80": ":82", "[::1]:80": "[::1]:82", "localhost:0": "localhost:0", "": "",
	} {
		if got := (Admin{Listen: listen}).At(2); got != want {
			t.Errorf("the third after %q is %q, want %q", listen, got, want)
		}
	}
}
