package main

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"sort"
	"strconv"
)

// world is how many connections there are, and where.
type world struct {
	nodes, connections int     // nodes, and connections of each
	devices            int     // connections of one uid, each on a node of its own choice
	channels, follows  int     // channels, and how many of them a connection has
	zipf               float64 // the n-th channel is chosen 1/n^zipf as often as the first
	groups, joins      int     // groups, all alike, and how many of them a connection is in
	partitions         int
	seed               uint64
}

// nodeSet are nodes.
type nodeSet []uint64

func (s nodeSet) add(node int) { s[node/64] |= 1 << (node % 64) }

func (s nodeSet) len() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// topics are channels, or groups, and the nodes that have somebody in each.
type topics struct {
	words int
	nodes []uint64
	pages []int
}

func newTopics(n, nodes int) *topics {
	words := (nodes + 63) / 64
	return &topics{words: words, nodes: make([]uint64, n*words), pages: make([]int, n)}
}

func (t *topics) at(i int) nodeSet { return t.nodes[i*t.words : (i+1)*t.words] }

func (t *topics) join(i, node int) {
	t.at(i).add(node)
	t.pages[i]++
}

// reach is what a publication of a kind comes to on average.
type reach struct {
	takers float64 // nodes that have somebody
	pages  float64 // connections that get it
}

// placed is a world in which every connection has its place.
type placed struct {
	uid, channel, group, all reach
	subscriptions            int // of all nodes together, to what they have somebody for
	// share of the busiest partition in what is published for channels, as Redis sends it out
	hottest float64
}

// place puts connections on their nodes and into channels and groups, by the seed alone.
func (w *world) place() *placed {
	p := &placed{all: reach{float64(w.nodes), float64(w.nodes * w.connections)}}
	random := rand.New(rand.NewPCG(w.seed, 0))
	subscribed := w.placeUIDs(random)
	uids := w.nodes * w.connections / w.devices
	p.uid = reach{float64(subscribed) / float64(uids), float64(w.devices)}

	weights := zipf(w.channels, w.zipf)
	channels, groups := newTopics(w.channels, w.nodes), newTopics(w.groups, w.nodes)
	for node := range w.nodes {
		for range w.connections {
			for range w.follows {
				channels.join(sort.SearchFloat64s(weights, random.Float64()), node)
			}
			for range w.joins {
				groups.join(random.IntN(w.groups), node)
			}
		}
	}
	shares := make([]float64, w.partitions)
	for i := range w.channels {
		popularity := weights[i]
		if i > 0 {
			popularity -= weights[i-1]
		}
		takers := float64(channels.at(i).len())
		subscribed += int(takers)
		p.channel.takers += popularity * takers
		p.channel.pages += popularity * float64(channels.pages[i])
		shares[partition(i, w.partitions)] += popularity * takers
	}
	for _, s := range shares {
		p.hottest = max(p.hottest, s/p.channel.takers)
	}
	for i := range w.groups {
		takers := groups.at(i).len()
		subscribed += takers
		p.group.takers += float64(takers) / float64(w.groups)
		p.group.pages += float64(groups.pages[i]) / float64(w.groups)
	}
	p.subscriptions = subscribed
	return p
}

// placeUIDs puts the connections of each uid on nodes, and counts the nodes of each.
func (w *world) placeUIDs(random *rand.Rand) (subscribed int) {
	if w.devices == 1 {
		return w.nodes * w.connections
	}
	at := make(nodeSet, (w.nodes+63)/64)
	for range w.nodes * w.connections / w.devices {
		clear(at)
		for range w.devices {
			at.add(random.IntN(w.nodes))
		}
		subscribed += at.len()
	}
	return subscribed
}

// zipf are the shares of n things, the n-th 1/n^s times the first, each with those before it: the last is 1.
func zipf(n int, s float64) []float64 {
	all := make([]float64, n)
	sum := 0.0
	for i := range all {
		sum += math.Pow(float64(i+1), -s)
		all[i] = sum
	}
	for i := range all {
		all[i] /= sum
	}
	all[n-1] = 1
	return all
}

// partition is that of a channel, as package push/redis has it: by FNV-1a.
func partition(channel, partitions int) int {
	hash := uint32(2166136261)
	for _, c := range []byte("channel:" + strconv.Itoa(channel)) {
		hash = (hash ^ uint32(c)) * 16777619
	}
	return int(hash % uint32(partitions))
}
