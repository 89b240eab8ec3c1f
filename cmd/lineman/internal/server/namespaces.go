package server

import (
	"cmp"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push"
)

// namespace is that of a channel.
func (s *Server) namespace(channel string) config.Namespace {
	_, n := s.namespaceOf(channel)
	return n
}

// namespaceOf is that of a channel, with its name.
func (s *Server) namespaceOf(channel string) (string, config.Namespace) {
	key, n := s.spaces.Find(channel)
	return cmp.Or(key, "default"), n
}

// namespaces are those of the configuration as the Hub knows them.
func (s *Server) namespaces() map[string]push.Namespace {
	to := make(map[string]push.Namespace)
	for name, n := range s.channelsOf {
		if name == "default" {
			name = ""
		}
		to[name] = push.Namespace{
			MaxSubscribers: n.MaxSubscribers, MaxMessage: n.MaxMessage, History: retention(n.History),
			Presence: presenceModes[n.Presence], MaxPresent: n.MaxPresent,
			TellSubscribers: s.apps.tellSubscribers(name),
		}
	}
	return to
}

// retention is that of the configuration as the Hub knows it.
func retention(r config.Retention) push.Retention {
	class := push.Stream
	if r.Class == "latest" {
		class = push.Latest
	}
	return push.Retention{Size: r.Size, TTL: r.TTL, Bytes: r.Bytes, Class: class}
}
