package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// TestNames has no name stand for two things, whatever apps, nodes and targets are called.
func TestNames(t *testing.T) {
	hostile := []string{
		"x", "*", "u:7", "}:all", ":all", "all", ".x", "{0}", "}.x", "a.{0}.x", "a-b", "a.{0}:node:x", "nodes",
		"revoked", "\r\n",
	}
	what := map[string]string{}
	note := func(name, of string) {
		if other := what[name]; other != "" && other != of {
			t.Errorf("%q is %s and %s", name, other, of)
		}
		what[name] = of
	}
	for _, prefix := range []string{"a", "a-b", "a_", "A", "0", "lineman"} {
		for _, partitions := range []int{1, 3, 11} {
			n := names{prefix: prefix, partitions: partitions}
			for p := range partitions {
				note(n.all(p), prefix+": all")
				for _, id := range hostile {
					note(n.node(p, id), prefix+": node "+id)
				}
			}
			note(n.nodes(), prefix+": nodes")
			note(n.revoked(), prefix+": revoked")
			for _, group := range hostile {
				note(n.claims(group), prefix+": claims "+group)
			}
			for _, topic := range hostile {
				name := n.topic(push.Target(topic))
				note(name, prefix+": topic "+topic)
				if got, ok := n.topicOf(name); !ok || string(got) != topic {
					t.Errorf("%q is of topic %q, %v; want %q", name, got, ok, topic)
				}
			}
		}
	}
	for name := range what {
		if tag := name[strings.Index(name, "{")+1 : strings.Index(name, "}")]; strings.Trim(tag, "0123456789") != "" {
			t.Errorf("a Cluster takes the slot of %q from %q", name, tag)
		}
	}
	if topic, ok := (names{prefix: "a", partitions: 1}).topicOf("a.{0}:all"); ok {
		t.Errorf("the channel of all nodes is of topic %q", topic)
	}
}

// TestPartition holds what all nodes of all versions have to agree on.
func TestPartition(t *testing.T) {
	n := names{prefix: "a", partitions: 8}
	for name, want := range map[string]int{"": 5, "a": 4, "u:7": 3, "*": 5, "ユーザー": 6} {
		if got := n.partition(name); got != want {
			t.Errorf("%q is in partition %d, want %d", name, got, want)
		}
	}
	count := make([]int, n.partitions)
	for i := range 8000 {
		count[n.partition(string(push.UID(strings.Repeat("x", i%7)+string(rune('a'+i%26))+string(rune(i)))))]++
	}
	for p, c := range count {
		if c < 800 || c > 1200 {
			t.Errorf("partition %d has %d of 8000", p, c)
		}
	}
}

func TestOptions(t *testing.T) {
	good := Options{Addresses: []string{"localhost:6379"}}
	if b, err := New(good); err != nil {
		t.Error(err)
	} else if o := b.options; o.Prefix != "lineman" || o.Partitions != 1 || o.Answer != time.Second {
		t.Errorf("the defaults are %+v", o)
	}
	for name, change := range map[string]func(o *Options){
		"no address":                 func(o *Options) { o.Addresses = nil },
		"sentinels know no Cluster":  func(o *Options) { o.Master, o.Cluster = "main", true },
		"several addresses":          func(o *Options) { o.Addresses = []string{"a:1", "b:1"} },
		"database 0 only":            func(o *Options) { o.Cluster, o.Database = true, 1 },
		"no database is called -1":   func(o *Options) { o.Database = -1 },
		`the prefix "a.b"`:           func(o *Options) { o.Prefix = "a.b" },
		`the prefix "a}b"`:           func(o *Options) { o.Prefix = "a}b" },
		`the prefix "a\n"`:           func(o *Options) { o.Prefix = "a\n" },
		"the prefix":                 func(o *Options) { o.Prefix = strings.Repeat("a", 65) },
		"-1 partitions":              func(o *Options) { o.Partitions = -1 },
		"1025 partitions":            func(o *Options) { o.Partitions = 1025 },
		"nodes cannot answer within": func(o *Options) { o.Answer = -1 },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "redis: ") ||
			!strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", strings.Repeat("n", push.MaxName+1)} {
		if _, err := b.Join(push.Node{ID: id}); err == nil {
			t.Errorf("a node with an id of %d bytes joins", len(id))
		}
	}
}
