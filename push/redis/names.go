package redis

import (
	"strconv"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// names are those of the channels and keys of an app:
//
//	PREFIX.{PARTITION}.TOPIC     channel of what is published for a topic
//	PREFIX.{PARTITION}:all       channel of all nodes
//	PREFIX.{PARTITION}:node:ID   channel of what is answered to a node
//	PREFIX.{0}:nodes             key of the registry
//	PREFIX.{0}:revoked           key of the revocations
//	PREFIX.{PARTITION}:claims:G  key of the names of a group that were claimed
//	PREFIX.{PARTITION}:history   key of the state of its history
//	PREFIX.{PARTITION}:terms     key of the terms of that which have ended
//	PREFIX.{PARTITION}:top:T     key of the offset of a target
//	PREFIX.{PARTITION}:kept:T    key of the messages that are kept of it
//	PREFIX.{PARTITION}:presence  key of how many are present, and of how often that has changed
//	PREFIX.{PARTITION}:who:T     key of the uids that are present in a channel
//	PREFIX.{PARTITION}:seats:N   key of what a node has said of that, since it has connected
//	PREFIX.{PARTITION}:seated    key of the nodes that have said something
//
// A prefix has neither dots nor braces, so no name is also one of another app, and what follows "}" tells topics, which
// may have anything in them, from the rest. The braces have a Cluster keep all of a partition in one slot.
type names struct {
	prefix     string
	partitions int
}

// partition is where a name belongs. It must never change, as all nodes have to agree on it: FNV-1a.
func (n names) partition(name string) int {
	if n.partitions == 1 {
		return 0
	}
	hash := uint32(2166136261)
	for i := range len(name) {
		hash = (hash ^ uint32(name[i])) * 16777619
	}
	return int(hash % uint32(n.partitions))
}

func (n names) head(partition int) string { return n.prefix + ".{" + strconv.Itoa(partition) + "}" }

func (n names) topic(t push.Target) string { return n.head(n.partition(string(t))) + "." + string(t) }

func (n names) all(partition int) string { return n.head(partition) + ":all" }

func (n names) node(partition int, id string) string { return n.head(partition) + ":node:" + id }

func (n names) nodes() string { return n.head(0) + ":nodes" }

func (n names) revoked() string { return n.head(0) + ":revoked" }

func (n names) claims(group string) string { return n.head(n.partition(group)) + ":claims:" + group }

func (n names) state(partition int) string { return n.head(partition) + ":history" }

func (n names) terms(partition int) string { return n.head(partition) + ":terms" }

func (n names) top(t push.Target) string { return n.head(n.partition(string(t))) + ":top:" + string(t) }

func (n names) kept(t push.Target) string {
	return n.head(n.partition(string(t))) + ":kept:" + string(t)
}

func (n names) presence(partition int) string { return n.head(partition) + ":presence" }

func (n names) who(t push.Target) string { return n.head(n.partition(string(t))) + ":who:" + string(t) }

func (n names) seats(partition int, term string) string { return n.head(partition) + ":seats:" + term }

func (n names) seated(partition int) string { return n.head(partition) + ":seated" }

// topicOf is the topic whose channel this is.
func (n names) topicOf(channel string) (t push.Target, ok bool) {
	_, rest, ok := strings.Cut(channel, "}")
	if !ok {
		return "", false
	}
	topic, ok := strings.CutPrefix(rest, ".")
	return push.Target(topic), ok
}
