package pusher

import (
	"slices"
	"strconv"

	"github.com/lineman-go/lineman/push"
)

// counts are how many are there, by the names of channels.
type counts map[string]count

type count struct{ users, subscriptions int }

// count tells of channels what a request wants to know.
func (s *Service[C]) count(a *App, names []string, what info, done func(counts, error)) {
	all := make(counts, len(names))
	present := []string(nil)
	if what&userCount != 0 {
		present = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !KindOf(name).has(Presence) })
	}
	subscribed := names
	if what&subscriptionCount == 0 {
		subscribed = nil
	}
	s.countUsers(a, present, all, func(err error) {
		if err != nil {
			done(nil, err)
			return
		}
		s.countSubscriptions(a, subscribed, all, func(err error) { done(all, err) })
	})
}

// countUsers counts the users of presence channels, some at a time.
func (s *Service[C]) countUsers(a *App, names []string, all counts, done func(error)) {
	if len(names) == 0 {
		done(nil)
		return
	}
	some := names[:min(len(names), push.MaxTargets)]
	err := s.hub.CountPresent(targets(a, some), func(n []int, err error) {
		if err != nil {
			done(err)
			return
		}
		for i, name := range some {
			all[name] = count{users: n[i]}
		}
		s.countUsers(a, names[len(some):], all, done)
	})
	if err != nil {
		done(err)
	}
}

// countSubscriptions counts the connections of channels, some at a time.
func (s *Service[C]) countSubscriptions(a *App, names []string, all counts, done func(error)) {
	if len(names) == 0 {
		done(nil)
		return
	}
	some := names[:min(len(names), push.MaxTargets)]
	err := s.hub.Ask(push.Question{Verb: push.Count, To: targets(a, some)}, func(told push.Answer, err error) {
		if err != nil {
			done(err)
			return
		}
		for i, name := range some {
			c := all[name]
			c.subscriptions = told.Counts[i]
			all[name] = c
		}
		s.countSubscriptions(a, names[len(some):], all, done)
	})
	if err != nil {
		done(err)
	}
}

// targets are what the Hub calls channels.
func targets(a *App, names []string) []push.Target {
	all := make([]push.Target, len(names))
	for i, name := range names {
		all[i] = a.Channel(name)
	}
	return all
}

// appendAll appends an object that has what is to be told of each channel.
func (all counts) appendAll(dst []byte, names []string, what info) []byte {
	dst = append(dst, '{')
	for _, name := range names {
		dst = append(appendString(dst, name), ':')
		dst = append(all.appendOne(dst, name, what), ',')
	}
	return append(trimComma(dst), '}')
}

// appendOne appends what is to be told of a channel.
func (all counts) appendOne(dst []byte, name string, what info) []byte {
	dst = all.appendFields(append(dst, '{'), name, what)
	return append(trimComma(dst), '}')
}

// appendFields appends it without the braces, with a comma behind each field.
func (all counts) appendFields(dst []byte, name string, what info) []byte {
	if what&userCount != 0 && KindOf(name).has(Presence) {
		dst = appendNumber(dst, "user_count", all[name].users)
	}
	if what&subscriptionCount != 0 {
		dst = appendNumber(dst, "subscription_count", all[name].subscriptions)
	}
	return dst
}

func appendNumber(dst []byte, name string, n int) []byte {
	dst = append(append(append(dst, '"'), name...), `":`...)
	return append(strconv.AppendInt(dst, int64(n), 10), ',')
}

// trimComma removes a comma at the end.
func trimComma(dst []byte) []byte {
	if dst[len(dst)-1] == ',' {
		return dst[:len(dst)-1]
	}
	return dst
}
