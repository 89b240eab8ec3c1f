package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	heartbeatEvery = 2 * time.Second // how often a node says that it lives
	deadAfter      = 6 * time.Second // how long one is taken to live that does not say so
	keptFor        = time.Minute     // how long the registry is kept when no node lives
)

// heartbeatScript notes that a node lives, removes those that do not, and returns [settings of another node that
// differ, or empty; number of those that live; whether this one was noted before; connections of each that was removed;
// name of each other one that is up, and how many ms ago it said so; names of those that are not up yet]. A node whose
// settings differ is not noted. All times are the server's.
//
//	key: the registry, a hash of "BEAT SETTINGS CONNECTIONS" by node, with the beat in ms; connections are "-" until
//	it has been up
//	arguments: node, settings, connections, after how many ms a node is dead, how many the registry is kept
const heartbeatScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local all = redis.call('HGETALL', KEYS[1])
local live, known, dead, up, waiting = 0, 0, {}, {}, {}
for i = 1, #all, 2 do
	local at, settings, connections = string.match(all[i + 1], '^(%d+) (%S+) (.*)$')
	if not at or now - tonumber(at) > tonumber(ARGV[4]) then
		redis.call('HDEL', KEYS[1], all[i])
		dead[#dead + 1] = connections or ''
	elseif all[i] == ARGV[1] then
		known = 1
	else
		live = live + 1
		if connections ~= '-' then
			up[#up + 1] = all[i]
			up[#up + 1] = now - tonumber(at)
		else
			waiting[#waiting + 1] = all[i]
		end
		if settings ~= ARGV[2] then return {all[i] .. ' ' .. settings, live} end
	end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {'', live + 1, known, dead, up, waiting}`

// registry is the failure detector: by heartbeats it has a node known to the others for as long as it lives, and it
// ends what is left of those that no longer do: a machine that dies says nothing, so the server goes on to count its
// subscriptions. Whether a link is up does not depend on it, but for a server that has become a replica: what is
// published there does not reach everybody.
type registry struct {
	link    *link
	changed chan struct{} // has one when the others should know at once
	gone    chan struct{} // closed when the others know that this node leaves, as far as they can
	once    sync.Once     // of leave

	doomed map[string]time.Time // who has said something and no longer lives, and since when; owned by run

	cannot, cannotCount sync.Once // of what the log is told

	mu          sync.Mutex // guards the following
	connections map[*shard]endpoint
	wasUp       bool             // the link has been up
	round       int              // how often connections were made
	noted       int              // the round in which this node was noted last
	stale       map[endpoint]int // that are to be ended, and how often that was tried
}

func newRegistry(l *link) *registry {
	return &registry{
		link: l, changed: make(chan struct{}, 1), gone: make(chan struct{}), connections: make(map[*shard]endpoint),
		stale: make(map[endpoint]int),
	}
}

// use notes how the server knows the connection of a shard.
func (r *registry) use(s *shard, e endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.round++
	if e == (endpoint{}) {
		delete(r.connections, s)
		return
	}
	r.connections[s] = e
	r.hurry()
}

// endSoon notes a connection that is of no use any more, and is to be ended.
func (r *registry) endSoon(stale ...endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range stale {
		r.stale[e] = 0
	}
}

// endStale ends those connections. What cannot be done is tried again at the next heartbeats, and then left to the
// server's keep-alive.
func (r *registry) endStale() {
	r.mu.Lock()
	stale := maps.Clone(r.stale)
	r.mu.Unlock()
	const tries = 3
	for e := range stale {
		ended := r.end(e)
		r.mu.Lock()
		if r.stale[e]++; ended || r.stale[e] == tries {
			delete(r.stale, e)
		}
		r.mu.Unlock()
	}
}

// up notes that the link is up: from now on others miss the node when it is not there.
func (r *registry) up() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wasUp = true
	r.hurry()
}

// hurry has the others know at once.
func (r *registry) hurry() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// join notes that the node lives. It tries until that is done, or returns false if the link was closed.
func (r *registry) join() bool {
	for {
		err := r.heartbeat()
		if err == nil {
			return true
		}
		r.link.outage.began(err)
		if !r.link.wait(heartbeatEvery / 4) {
			return false
		}
	}
}

// run is the heartbeat: it notes again and again that the node lives, until the link is closed.
func (r *registry) run() {
	ticker := time.NewTicker(heartbeatEvery)
	defer ticker.Stop()
	well := true
	for {
		select {
		case <-r.link.leaving:
			return
		case <-ticker.C:
		case <-r.changed:
		}
		if r.link.handedOver.Load() {
			continue // the successor says that it lives
		}
		err := r.heartbeat()
		if err != nil && well && r.link.ctx.Err() == nil && !r.link.outage.lasts() {
			r.link.outage.log.Warn("redis: the registry of nodes does not know this one", "error", err)
		}
		well = err == nil
	}
}

// own is what is noted of the connections of this node, in which round, and whether it should be there already.
func (r *registry) own() (connections string, round int, noted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.wasUp {
		return "-", 0, false
	}
	own := make([]endpoint, 0, len(r.connections))
	for _, e := range r.connections {
		own = append(own, e)
	}
	text, _ := json.Marshal(own) // it can always be written
	return string(text), r.round, r.noted == r.round
}

// note remembers that this node was noted.
func (r *registry) note(round int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noted = round
}

// heartbeat notes that this node lives, and ends the connections of those that do not.
func (r *registry) heartbeat() error {
	l := r.link
	connections, round, noted := r.own()
	began := time.Now()
	found, err := r.eval(heartbeatScript, l.names.nodes(), l.node.ID, l.settings(), connections,
		millis(deadAfter),
		millis(keptFor)).ToArray()
	if err != nil {
		if strings.Contains(err.Error(), "READONLY") { // it has become a replica, and kept its connections
			l.dialer.reset()
		}
		return fmt.Errorf("redis: registry: %w", err)
	}
	l.counters.timed(began)
	all, err := parseHeartbeat(found)
	switch {
	case err != nil:
		return err
	case all.differs != "":
		return fmt.Errorf("redis: node %s, but this one has %s: all nodes of a prefix need the same", all.differs,
			l.settings())
	case noted && !all.known: // what else it has lost is put back when the link is up again
		l.outage.log.Warn("redis: the server does not know this node any more, as if it had come back empty: " +
			"connecting anew")
		l.dialer.reset()
	}
	r.note(round)
	l.counters.nodes.Store(all.live)
	for node, ago := range all.up {
		l.membership.heard(node, began.Add(-ago))
	}
	if connections != "-" {
		l.membership.heard(l.node.ID, began)
	}
	r.endSoon(all.dead...)
	r.endStale()
	if l.knowsPresence() && connections != "-" {
		r.sweep(&all)
	}
	return nil
}

// heartbeats are what the script answers.
type heartbeats struct {
	differs string
	live    int64
	known   bool
	dead    []endpoint
	up      map[string]time.Duration // how long ago other nodes said that they live
	waiting []string                 // other nodes that live and were not up yet
}

// parseHeartbeat reads what the script answers.
func parseHeartbeat(found []rueidis.RedisMessage) (all heartbeats, err error) {
	if len(found) < 2 {
		return all, errors.New("redis: the registry's answer has no numbers")
	}
	if all.differs, err = found[0].ToString(); err != nil {
		return all, err
	}
	if all.live, err = found[1].AsInt64(); err != nil || len(found) < 5 {
		return all, err
	}
	known, err := found[2].AsInt64()
	if err != nil {
		return all, err
	}
	all.known = known != 0
	dead, _ := found[3].AsStrSlice() // none
	for _, text := range dead {
		var of []endpoint
		if json.Unmarshal([]byte(text), &of) == nil {
			all.dead = append(all.dead, of...)
		}
	}
	up, _ := found[4].ToArray() // none
	all.up = make(map[string]time.Duration, len(up)/2)
	for i := 0; i+1 < len(up); i += 2 {
		node, _ := up[i].ToString()
		ago, err := up[i+1].AsInt64()
		if err == nil && node != "" {
			all.up[node] = time.Duration(ago) * time.Millisecond
		}
	}
	if len(found) > 5 {
		all.waiting, _ = found[5].AsStrSlice() // none
	}
	return all, nil
}

// end has the servers end a connection that is of no use, and reports whether they were asked.
func (r *registry) end(e endpoint) (asked bool) {
	asked = true
	for _, server := range r.link.client.Nodes() {
		ctx, cancel := context.WithTimeout(r.link.ctx, giveUpAfter)
		kill := server.B().Arbitrary("CLIENT", "KILL", "ID", fmt.Sprint(e.ID), "ADDR", e.Address).Build()
		n, err := server.Do(ctx, kill).AsInt64()
		cancel()
		_, refused := rueidis.IsRedisErr(err)
		if refused {
			r.unable(err)
		}
		r.link.counters.stale.Add(uint64(max(n, 0)))
		asked = asked && (err == nil || refused)
	}
	return asked
}

// unable writes to the log, once, that connections cannot be ended.
func (r *registry) unable(err error) {
	r.cannot.Do(func() {
		r.link.outage.log.Warn("redis: connections of nodes whose machine died cannot be ended: allow client|info "+
			"and client|kill", "error", err)
	})
}

// blind writes to the log, once, that nobody can know whether a node is missing.
func (r *registry) blind(err error) {
	r.cannotCount.Do(func() {
		const text = "redis: answers cannot tell that a node is missing: allow pubsub|numsub, and in a Cluster " +
			"pubsub|shardnumsub"
		r.link.outage.log.Warn(text, "error", err)
	})
}

// leave removes the node, so that the others know at once.
func (r *registry) leave() {
	r.once.Do(func() {
		defer close(r.gone)
		l := r.link
		if l.handedOver.Load() {
			return
		}
		// else it is removed as one that died
		_ = r.do(l.client.B().Hdel().Key(l.names.nodes()).Field(l.node.ID).Build()).Error()
	})
}

func (r *registry) eval(script, key string, arguments ...string) rueidis.RedisResult {
	return r.do(r.link.client.B().Eval().Script(script).Numkeys(1).Key(key).Arg(arguments...).Build())
}

func (r *registry) do(cmd rueidis.Completed) rueidis.RedisResult {
	ctx, cancel := context.WithTimeout(r.link.ctx, giveUpAfter)
	defer cancel()
	return r.link.client.Do(ctx, cmd)
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
