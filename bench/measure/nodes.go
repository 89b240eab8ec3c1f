//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// redisServer is the installed one, without files.
func redisServer(*builder) (*program, error) {
	bin, err := installed("redis-server")
	if err != nil {
		return nil, err
	}
	return &program{command: func(_ string, ports []string) ([]string, error) {
		return []string{
			bin, "--bind", "127.0.0.1", "--port", ports[0], "--save", "", "--appendonly", "no", "--loglevel", "warning",
		}, nil
	}}, nil
}

// nodes are push servers that meet in a Redis of their own, all on the servers' core.
type nodes struct {
	redis *running
	all   []*running
}

func (m *measurement) nodes(n int) (*nodes, error) {
	server, err := m.program("redis")
	if err != nil {
		return nil, err
	}
	lineman, err := m.program("lineman")
	if err != nil {
		return nil, err
	}
	redis, err := server.start("redis")
	if err != nil {
		return nil, err
	}
	c := &nodes{redis: redis}
	program := *lineman
	program.env = append(slices.Clone(program.env), "LINEMAN_REDIS_ADDRESSES="+redis.addrs[0])
	for range n {
		r, err := program.start("pages,lines")
		if err != nil {
			c.stop()
			return nil, err
		}
		c.all = append(c.all, r)
	}
	return c, nil
}

func (c *nodes) stop() {
	for _, r := range c.all {
		r.stop()
	}
	c.redis.stop()
}

// cpu is what all nodes have used so far.
func (c *nodes) cpu() (sum cpu, err error) {
	for _, r := range c.all {
		one, err := r.cpu()
		if err != nil {
			return cpu{}, err
		}
		sum.total += one.total
		sum.user += one.user
	}
	return sum, nil
}

// overNodes are what it costs to be several.
func (m *measurement) overNodes() []testCase {
	fanout := []row{
		{what: ", one node", unit: "us/delivery"}, {what: ", three nodes and Redis", unit: "us/delivery"},
		{what: ", ratio", aims: []aim{{"push server", "", 1.2}}},
	}
	lines := []row{
		{what: ", both nodes", unit: "us/op"}, {what: ", Redis", unit: "us/op"},
		{what: ", when a core of Redis is full", unit: "op/s"},
	}
	memory := []row{{what: ", a node", unit: "bytes"}, {what: ", Redis", unit: "bytes"}}
	return []testCase{
		{name: "push: nodes: memory of an idle connection with its uid and a group", contenders: pushServer,
			rows: memory, rounds: 1, needs: "redis", once: m.memoryOfNodes,
			takes: 2*m.quiet() + m.arrival(2*m.many)},
		{name: fmt.Sprintf("push: nodes: 128 B to %d of a channel", m.third()*3), contenders: pushServer,
			rows: fanout, rounds: m.rounds, needs: "redis", once: m.channelOfNodes,
			takes: 3*m.length + m.arrival(2*m.many)},
		{name: "push: nodes: lines to 1000 uids of another node", contenders: pushServer,
			rows: lines, rounds: m.rounds, needs: "redis", once: m.linesToOthers,
			takes: 2*m.length + m.arrival(m.many)},
	}
}

// third is how many pages each of three nodes has: with as many on one node, they are nearly all that 20,000
// descriptors allow.
func (m *measurement) third() int { return m.many * 3 / 10 }

// channelOfNodes is a publication on a channel whose subscribers are on three nodes, beside one whose are all on r.
func (m *measurement) channelOfNodes(r *running) ([]float64, error) {
	one, err := subscribers([]*running{r}, m.third()*3)
	if err != nil {
		return nil, err
	}
	defer one.close()
	c, err := m.nodes(3)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	three, err := subscribers(c.all, m.third())
	if err != nil {
		return nil, err
	}
	defer three.close()
	alone, err := m.perOperation(r, one.publish)
	if err != nil {
		return nil, err
	}
	onNodes, onRedis, err := m.shares(c, three.publish)
	return []float64{alone[0], onNodes + onRedis, (onNodes + onRedis) / alone[0]}, err
}

// shares is the CPU time in microseconds that an operation costs nodes, and Redis.
func (m *measurement) shares(c *nodes,
	do func(time.Duration) (ops int, err error)) (onNodes, onRedis float64, err error) {
	if _, err := do(m.length / 10); err != nil {
		return 0, 0, err
	}
	var used [2]cpu
	before, err := c.redis.cpu()
	if err != nil {
		return 0, 0, err
	}
	if used[0], err = c.cpu(); err != nil {
		return 0, 0, err
	}
	ops, err := do(m.length)
	if err != nil {
		return 0, 0, err
	}
	if used[1], err = c.cpu(); err != nil {
		return 0, 0, err
	}
	after, err := c.redis.cpu()
	each := float64(ops) * float64(time.Microsecond)
	return float64(used[1].total-used[0].total) / each, float64(after.total-before.total) / each, err
}

// subscription are the pages of some nodes, all of which get what is published on a channel.
type subscription struct {
	*load
	pages int
}

func subscribers(nodes []*running, each int) (*subscription, error) {
	l, err := connect(nodes[0].addrs[0], each, page)
	if err != nil {
		return nil, err
	}
	for _, r := range nodes[1:] {
		for range each {
			if err := l.add(r.addrs[0], page); err != nil {
				return nil, err
			}
		}
	}
	if err := l.add(nodes[0].addrs[1], plain); err != nil {
		return nil, err
	}
	s := &subscription{l, each * len(nodes)}
	if err := nodes[0].known(s.pages); err != nil {
		return nil, err
	}
	_, err = nodes[0].ask(`{"cmd":"subscribe","to":"*","channel":"news"}`)
	return s, err
}

// publish publishes to all, one message after the other.
func (s *subscription) publish(d time.Duration) (deliveries int, err error) {
	line := []byte(`{"cmd":"pub","to":"news","text":"` + strings.Repeat("x", 128) + "\"}\n")
	return s.fanoutBy(func() error { return s.send(s.pages, line) }, s.pages, always(128+4), 1, d)
}

// linesToOthers is plain lines to pages of another node than that which is asked, by 16 back ends with 500 lines under
// way each.
func (m *measurement) linesToOthers(*running) ([]float64, error) {
	const uids, backEnds = 1000, 16
	c, err := m.nodes(2)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	l, err := connect(c.all[1].addrs[0], uids, page)
	if err != nil {
		return nil, err
	}
	defer l.close()
	for range backEnds {
		if err := l.add(c.all[0].addrs[1], plain); err != nil {
			return nil, err
		}
	}
	if err := c.all[0].known(uids); err != nil {
		return nil, err
	}
	onNodes, onRedis, err := m.shares(c, func(d time.Duration) (int, error) { return l.lines(uids, 500, d) })
	return []float64{onNodes, onRedis, 1e6 / onRedis}, err
}

// redisMemory is what Redis says that it uses, in bytes: what it has from the system is more, and grows in leaps.
func (c *nodes) redisMemory() (float64, error) {
	conn, err := net.Dial("tcp", c.redis.addrs[0])
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("INFO memory\r\nQUIT\r\n")); err != nil {
		return 0, err
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "\nused_memory:")
	number, _, _ := strings.Cut(rest, "\r")
	return strconv.ParseFloat(number, 64)
}

// memoryOfNodes is the slope of what a page takes in a node, and in Redis.
func (m *measurement) memoryOfNodes(*running) ([]float64, error) {
	c, err := m.nodes(1)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	few, more := m.many*9/10, m.many
	var at [2][2]float64
	for i, n := range []int{few, more} {
		l, err := connect(c.all[0].addrs[0], n, page)
		if err != nil {
			return nil, err
		}
		defer l.close()
		if err := m.joined(c.all[0], l); err != nil {
			return nil, err
		}
		time.Sleep(m.quiet())
		if at[i][0], err = c.all[0].memory(); err != nil {
			return nil, err
		}
		if at[i][1], err = c.redisMemory(); err != nil {
			return nil, err
		}
	}
	return []float64{(at[1][0] - at[0][0]) / float64(more), (at[1][1] - at[0][1]) / float64(more)}, nil
}
