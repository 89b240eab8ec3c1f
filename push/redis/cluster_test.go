package redis_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
	"github.com/lineman-go/lineman/push/redis"
)

// startCluster starts a Cluster of three servers, each behind a proxy.
func startCluster(t testing.TB) (servers []*server, proxies []*proxy) {
	t.Helper()
	for range 3 {
		p := listenProxy(t)
		_, port, _ := net.SplitHostPort(p.address())
		s := startServer(t, "--cluster-enabled", "yes", "--cluster-port", freePort(t), "--cluster-announce-port", port)
		p.serve(s.address())
		servers, proxies = append(servers, s), append(proxies, p)
	}
	const slots = 16384
	for i, s := range servers {
		do(t, s.address(), rights(t)...)
		do(t, s.address(), "CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(i*slots/3), fmt.Sprint((i+1)*slots/3-1))
		do(t, s.address(), "CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1))
	}
	for _, other := range servers[1:] {
		do(t, servers[0].address(), "CLUSTER", "MEET", other.host, other.port, other.busPort())
	}
	for _, s := range servers {
		until(t, "the Cluster is whole", func() bool {
			m := do(t, s.address(), "CLUSTER", "INFO")
			info, _ := m.ToString()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return servers, proxies
}

// busPort is the port at which the others of its Cluster reach a server.
func (s *server) busPort() string {
	for i, a := range s.arguments {
		if a == "--cluster-port" {
			return s.arguments[i+1]
		}
	}
	return ""
}

// TestCluster runs the conformance suite over a Cluster, with all in one partition, and with more than it has servers, as a
// user who has what the documentation lists.
func TestCluster(t *testing.T) {
	servers, proxies := startCluster(t)
	each := func(f func(p *proxy)) func() {
		return func() {
			for _, p := range proxies {
				f(p)
			}
		}
	}
	var addresses []string
	for _, p := range proxies {
		addresses = append(addresses, p.address())
	}
	for name, partitions := range map[string]int{"undivided": 1, "partitions": 8} {
		t.Run(name, func(t *testing.T) {
			pushtest.TestBroker(t, func(t *testing.T) pushtest.Cluster {
				for _, s := range servers {
					do(t, s.address(), "FLUSHALL")
				}
				return pushtest.Cluster{
					Broker: func() push.Broker {
						return newBroker(t, redis.Options{
							Addresses: addresses, Cluster: true, Partitions: partitions, Username: "lineman", Password: "SECRET",
						})
					},
					Cut: each((*proxy).Cut), Mend: each((*proxy).Mend),
					Divided: partitions > 1,
				}
			})
		})
	}
}
