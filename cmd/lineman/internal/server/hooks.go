package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push/command"
	"github.com/lineman-go/lineman/push/events"
	"github.com/lineman-go/lineman/push/hook"
)

// teller tells a hook of events.
type teller struct {
	name   string
	hook   config.Hook
	web    *webhook // nil: it is told of all pages
	client *hook.Client
	sender *hook.Sender
}

// wants are the kinds of events that the hook is told, and of what.
func (t *teller) wants() (kinds []events.Kind, of []string) {
	if t.web != nil {
		return t.web.kinds(), t.web.of()
	}
	for _, k := range t.hook.Events {
		kinds = append(kinds, events.Kind(k))
	}
	return kinds, t.hook.Of
}

// lastPosts is how long hooks may take to answer what is under way when the server ends.
const lastPosts = time.Second

// openTellers makes those that the settings want. Nothing can fail after it: then their goroutines would go on.
func (s *Server) openTellers() error {
	files := make(map[string]*hook.DeadLetters)
	for _, name := range slices.Sorted(maps.Keys(s.config.Hooks)) {
		h := s.config.Hooks[name]
		if len(h.Events) == 0 {
			continue
		}
		e := hook.Endpoint{
			Name: name, URL: h.URL, Secrets: h.Secrets, Private: h.Private, Timeout: h.Timeout, Conns: h.Parallel,
		}
		web := s.webhook(h)
		if web != nil {
			e.Header = web.header
		}
		client, err := hook.NewClient(e)
		if err != nil {
			return fmt.Errorf("server: %w", err)
		}
		post := client.Post
		if web != nil {
			web.post, post = post, web.Post
		}
		if files[h.DeadLetters] == nil {
			files[h.DeadLetters] = hook.NewDeadLetters(h.DeadLetters)
		}
		s.tellers = append(s.tellers, &teller{name, h, web, client, hook.NewSender(hook.SenderOptions{
			Name: name, Group: command.HookGroups + name, Post: post, Do: s.loop.Do, Retry: h.GiveUp,
			Parallel: h.Parallel, Batch: h.Batch, DeadLetters: files[h.DeadLetters], Log: s.log,
		})})
	}
	for _, t := range s.tellers {
		kinds, of := t.wants()
		if err := t.sender.Listen(s.hearing.dispatcher, kinds, of); err != nil {
			return fmt.Errorf("server: the hook %q: %w", t.name, err)
		}
	}
	return nil
}

// closeTellers has hooks take what is left, for a moment: the rest is written to the dead letters.
func (s *Server) closeTellers() {
	ctx, cancel := context.WithTimeout(context.Background(), lastPosts)
	defer cancel()
	for _, t := range s.tellers {
		t.sender.Stop(ctx)
		t.client.Close()
	}
}
