package redis_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
	"github.com/lineman-go/lineman/push/redis"
)

// startCluster starts a Cluster of three servers, each behind a proxy.
func startCluster(t testing.TB) (servers []*server, proxies []*proxy) {
	t.Helper()
	for range 3 {
		s, p := startOfCluster(t)
		servers, proxies = append(servers, s), append(proxies, p)
	}
	const slots = 16384
	for i, s := range servers {
		do(t, s.address(), "CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(i*slots/3), fmt.Sprint((i+1)*slots/3-1))
		do(t, s.address(), "CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1))
	}
	for _, other := range servers[1:] {
		do(t, servers[0].address(), "CLUSTER", "MEET", other.host, other.port, other.busPort())
	}
	for _, s := range servers {
		s.knows(t, 3)
	}
	return servers, proxies
}

// knows waits until a server of a Cluster knows so many, and who has which slots.
func (s *server) knows(t testing.TB, servers int) {
	t.Helper()
	linemantest.Until(t, "the Cluster is not whole", func() bool {
		m := do(t, s.address(), "CLUSTER", "INFO")
		info, _ := m.ToString()
		return strings.Contains(info, "cluster_state:ok") &&
			strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", servers))
	})
}

// startOfCluster starts a server that is to be of a Cluster, behind a proxy.
func startOfCluster(t testing.TB) (*server, *proxy) {
	t.Helper()
	p := listenProxy(t)
	_, port, _ := net.SplitHostPort(p.address())
	s := startServer(t, "--cluster-enabled", "yes", "--cluster-port", freePort(t), "--cluster-announce-port", port)
	p.serve(s.address())
	do(t, s.address(), rights(t, true)...)
	return s, p
}

// ownerOf is the server that has a partition when a Cluster is new, and its slot.
func ownerOf(t *testing.T, servers []*server, partition int) (owner, slot int) {
	t.Helper()
	m := do(t, servers[0].address(), "CLUSTER", "KEYSLOT", fmt.Sprintf("{%d}", partition))
	n, _ := m.ToInt64()
	return int(n) * len(servers) / 16384, int(n)
}

// idOf is what others of its Cluster know a server by.
func idOf(t *testing.T, s *server) string {
	t.Helper()
	m := do(t, s.address(), "CLUSTER", "MYID")
	id, _ := m.ToString()
	return id
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

// TestCluster runs the conformance suite over a Cluster, with all in one partition, and with more than it has servers,
// as a user who has what the documentation lists.
func TestCluster(t *testing.T) {
	t.Parallel()
	for name, partitions := range map[string]int{"undivided": 1, "partitions": 8} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers, proxies := startCluster(t)
			each := func(f func(p *proxy)) func() {
				return func() {
					for _, p := range proxies {
						f(p)
					}
				}
			}
			o := redis.Options{Cluster: true, Partitions: partitions, Username: "lineman", Password: "SECRET"}
			for _, p := range proxies {
				o.Addresses = append(o.Addresses, p.address())
			}
			pushtest.TestBroker(t, func(t *testing.T) pushtest.Cluster {
				for _, s := range servers {
					do(t, s.address(), "FLUSHALL")
				}
				broker := func() push.Broker { return newBroker(t, o) }
				return pushtest.Cluster{
					Broker: broker, Successor: broker, Cut: each((*proxy).Cut), Mend: each((*proxy).Mend),
					Divided: partitions > 1, History: true, Presence: true,
				}
			})
		})
	}
}

// TestSlotMoves has a partition go to another server: links break, and are up again there.
func TestSlotMoves(t *testing.T) {
	t.Parallel()
	servers, proxies := startCluster(t)
	o := redis.Options{
		Addresses: []string{proxies[0].address()}, Cluster: true, Username: "lineman", Password: "SECRET",
	}
	a, b := join(t, "a", o), join(t, "b", o)
	b.subscribe("x")
	a.reaches(1, "x")
	owner, slot := ownerOf(t, servers, 0)
	from, to := servers[owner], servers[(owner+1)%3]
	move := []string{"CLUSTER", "SETSLOT", fmt.Sprint(slot), "NODE", idOf(t, to)}
	do(t, to.address(), move...)
	linemantest.Until(t, "the slot does not move", func() bool { // it must be empty
		_, _ = try(t, rueidis.ClientOption{InitAddress: []string{from.address()}}, "DEL", registryKey)
		_, err := try(t, rueidis.ClientOption{InitAddress: []string{from.address()}}, move...)
		return err == nil
	})
	for _, n := range []*node{a, b} {
		n.until("the link breaks, and is up again", func() bool { return n.downs > 0 && n.ups == n.downs+1 })
	}
	a.reaches(1, "x")
}

// TestReplicaTakesOver has a server of a Cluster die: its replica takes its slots over, and links are up again there.
func TestReplicaTakesOver(t *testing.T) {
	t.Parallel()
	servers, proxies := startCluster(t)
	replica, p := startOfCluster(t)
	all, at := append(servers, replica), append(proxies, p)
	owner, _ := ownerOf(t, servers, 0)
	do(t, servers[owner].address(), "CONFIG", "SET", "repl-diskless-sync-delay", "0")
	do(t, replica.address(), "CLUSTER", "MEET", servers[0].host, servers[0].port, servers[0].busPort())
	linemantest.Until(t, "the replica does not know its master", func() bool {
		_, err := try(t, rueidis.ClientOption{InitAddress: []string{replica.address()}}, "CLUSTER", "REPLICATE",
			idOf(t, servers[owner]))
		return err == nil
	})
	for _, s := range all {
		s.knows(t, len(all))
	}
	linemantest.Until(t, "it does not follow", func() bool {
		m := do(t, replica.address(), "INFO", "replication")
		info, _ := m.ToString()
		return strings.Contains(info, "master_link_status:up")
	})
	o := redis.Options{Cluster: true, Username: "lineman", Password: "SECRET"}
	for i, s := range all {
		do(t, s.address(), "CONFIG", "SET", "cluster-node-timeout", "500")
		o.Addresses = append(o.Addresses, at[i].address())
	}
	a, b := join(t, "a", o), join(t, "b", o)
	b.subscribe("x")
	a.reaches(1, "x")
	servers[owner].kill()
	for _, n := range []*node{a, b} {
		n.until("the link breaks, and is up again", func() bool { return n.downs > 0 && n.ups == n.downs+1 })
	}
	a.reaches(1, "x")
}
