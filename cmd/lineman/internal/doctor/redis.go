package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/internal/resp"
)

// Redis is that by which nodes meet: as the settings of that name say. Without addresses there is none.
type Redis struct {
	Addresses                                      []string
	Master                                         string
	Cluster                                        bool
	Database                                       int
	User, Password, SentinelUser, SentinelPassword string
	TLS                                            func() (*tls.Config, error) // nil means none
	Prefix                                         string
	History, Presence                              bool // it keeps some, and knows who is in channels
}

// redisTime is how long a server of Redis may take for a connection, and for an answer.
const redisTime = 5 * time.Second

// redis can be reached at each address, and what it is and how it is set suits the server.
func redis(m *Machine, o *Options) (all []Finding) {
	r := &o.Redis
	if len(r.Addresses) == 0 {
		return nil
	}
	to, err := r.option()
	if err != nil {
		return fail("redis", err.Error(),
			"see redis.ca, redis.cert and redis.key, and run this as the user of the server")
	}
	addresses := r.Addresses
	if r.Master != "" {
		if addresses, all = sentinels(m, r, to); len(addresses) == 0 {
			return all
		}
	}
	known := false
	for i := 0; i < len(addresses); i++ { // they become more
		s, found := visit(m, r, addresses[i], to)
		if s != nil {
			found = append(found, s.examine()...)
			if s.about["mode"] == "cluster" && r.Cluster && !known {
				var masters []string
				masters, found = s.cluster(found)
				addresses, known = union(addresses, masters), len(masters) > 0
			}
			s.client.Close()
		}
		all = append(all, found...)
	}
	return all
}

// option is how rueidis connects.
func (r *Redis) option() (o rueidis.ClientOption, err error) {
	o = rueidis.ClientOption{
		Username: r.User, Password: r.Password, SelectDB: r.Database,
		// one connection, and its errors as they are
		ForceSingleClient: true, DisableCache: true, DisableRetry: true, PipelineMultiplex: -1,
		Dialer: net.Dialer{Timeout: redisTime}, DialCtxFn: dialRedis, ConnWriteTimeout: redisTime,
	}
	if r.TLS != nil {
		o.TLSConfig, err = r.TLS()
	}
	return o, err
}

// dialRedis guards a connection: the client would not bear everything that a server can say.
func dialRedis(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (c net.Conn, err error) {
	if t != nil {
		c, err = (&tls.Dialer{NetDialer: d, Config: t}).DialContext(ctx, "tcp", addr)
	} else {
		c, err = d.DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, err
	}
	return resp.New(c, 0), nil
}

// union has each address once.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, addr := range b {
		if !slices.Contains(all, addr) {
			all = append(all, addr)
		}
	}
	return all
}

// sentinels are asked for the address of the master.
func sentinels(m *Machine, r *Redis, to rueidis.ClientOption) (masters []string, all []Finding) {
	const name = "redis sentinel"
	to.Username, to.Password, to.SelectDB = r.SentinelUser, r.SentinelPassword, 0
	for _, addr := range r.Addresses {
		c, err := connect(m, addr, to)
		if err != nil {
			all = append(all, unreachable(name, addr, r, err)...)
			continue
		}
		at, err := do(c, c.B().SentinelGetMasterAddrByName().Master(r.Master).Build()).AsStrSlice()
		c.Close()
		if err != nil || len(at) < 2 {
			found := fmt.Sprintf("%s does not know %q", addr, r.Master)
			if err != nil && !rueidis.IsRedisNil(err) {
				found += ": " + err.Error()
			}
			all = append(all,
				fail(name, found,
					redisCLI(addr, r)+" SENTINEL MASTERS lists those that it knows: name one by redis.master")...)
			continue
		}
		master := net.JoinHostPort(at[0], at[1])
		if len(masters) > 0 && master != masters[0] {
			all = append(all,
				warn(name, fmt.Sprintf("%s has %s at %s, and another one at %s", addr, r.Master, master, masters[0]),
					"wait until a change of masters has ended; then "+redisCLI(addr, r)+" SENTINEL RESET "+r.Master)...)
			continue
		}
		masters = []string{master}
		all = append(all, ok(name, fmt.Sprintf("%s has %s at %s", addr, r.Master, master))...)
	}
	return masters, all
}

// slots are those that a Redis Cluster has.
const slots = 16384

// cluster asks a server of a Redis Cluster for the masters, and adds what it finds.
func (s *server) cluster(found []Finding) (masters []string, all []Finding) {
	const name = "redis cluster"
	ranges, err := s.do(s.client.B().ClusterSlots().Build()).ToArray()
	if err != nil {
		return nil, append(found, fail(name, s.addr+": "+err.Error(), s.permit("+cluster|slots"))...)
	}
	host, _, _ := net.SplitHostPort(s.addr)
	covered := 0
	for _, r := range ranges {
		fields, _ := r.ToArray() // first slot, last slot, master, replicas
		if len(fields) < 3 {
			continue
		}
		first, _ := fields[0].AsInt64()
		last, _ := fields[1].AsInt64()
		covered += int(last - first + 1)
		master, _ := fields[2].ToArray() // address, port, ID
		if len(master) < 2 {
			continue
		}
		at, _ := master[0].ToString()
		port, _ := master[1].AsInt64()
		if at == "" { // that of this connection
			at = host
		}
		masters = union(masters, []string{net.JoinHostPort(at, strconv.FormatInt(port, 10))})
	}
	if covered < slots {
		return masters, append(found,
			fail(name, fmt.Sprintf("%s: %d of %d slots are with nobody", s.addr, slots-covered, slots),
				redisCLI(s.addr, s.settings)+" --cluster fix "+s.addr)...)
	}
	return masters, append(found, ok(name, fmt.Sprintf("%d masters, all slots", len(masters)))...)
}
