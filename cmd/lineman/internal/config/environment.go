package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
)

const (
	prefix       = "LINEMAN_"
	fileVariable = prefix + "CONFIG"
)

// isForeign reports whether a variable with our prefix is no setting, and no mistake: it says where the file is, is for
// another command or for package lineman, or is what Kubernetes tells every container of a service.
func isForeign(name string) bool {
	rest := strings.TrimPrefix(name, prefix)
	return slices.Contains([]string{"CONFIG", "KEY", "TOKEN_KEY", "WORKER", "DAEMON", "MASTER", "POLLER"}, rest) ||
		service.MatchString(rest)
}

// service is what ends names by which Kubernetes tells of a service: LINEMAN_PORT of lineman,
// LINEMAN_REDIS_PORT_6379_TCP of lineman-redis.
var service = regexp.MustCompile(`(^|_)(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_[0-9]+_(TCP|UDP|SCTP).*)?)$`)

// lookup is the value of a variable, or "".
func lookup(environ []string, name string) (value string) {
	for _, entry := range environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// environment reads the layer of the environment.
func (l *loader) environment(environ []string) {
	all := leaves(l.settings)
	err := l.tree.Load(env.Provider(".", env.Opt{
		Prefix:      prefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, text string) (key string, value any) {
			i := slices.IndexFunc(all, func(s setting) bool { return s.variable() == name })
			if i >= 0 {
				return l.variable(&all[i], text)
			}
			if !isForeign(name) {
				l.errs = append(l.errs, &Error{Where: quoteKey(name), Err: unknown(name, variables(all))})
			}
			return "", nil
		},
	}), nil)
	if err != nil {
		l.errs = append(l.errs, err)
	}
}

// variable reads the variable of a setting. Without a key there is nothing to load.
func (l *loader) variable(s *setting, text string) (key string, value any) {
	d := &document{name: s.variable()}
	ok := true
	if s.composed() {
		n := d.parse([]byte(text))
		if ok = n != nil; ok {
			value, ok = d.value(n, s.key, s)
		}
	} else if v, err := s.parse(text); err != nil {
		d.fail(0, "", err)
	} else {
		value = v
	}
	l.errs = append(l.errs, d.errs...)
	if !ok || len(d.errs) > 0 {
		return "", nil
	}
	l.loaded.sources[s.key] = source{"environment", s.variable()}
	return s.key, value
}

func variables(all []setting) (list []string) {
	for _, s := range all {
		list = append(list, s.variable())
	}
	return list
}
