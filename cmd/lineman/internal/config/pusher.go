package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Pusher are the applications whose pages and back ends speak the Pusher protocol.
type Pusher struct {
	Apps []App `koanf:"apps"`
}

// App is an application of the Pusher protocol.
type App struct {
	ID         string `koanf:"id"`
	Key        string `koanf:"key"`
	Secret     string `koanf:"secret" is:"secret"` // after Load that of SecretFile, too
	SecretFile string `koanf:"secret_file"`

	Origins      []string `koanf:"origins"`
	Connections  int      `koanf:"connections"`
	ClientEvents bool     `koanf:"client_events"`
	ClientRate   int      `koanf:"client_rate" is:"positive"`
	MaxData      int      `koanf:"max_data" is:"size,positive"`
	MaxMembers   int      `koanf:"max_members" is:"positive"`

	SubscriptionCount bool `koanf:"subscription_count"`
}

// DefaultApp is what holds for an app where nothing is said.
func DefaultApp() App { return App{ClientRate: 10, MaxData: 10 << 10, MaxMembers: 100} }

// DevApp is the one that dev mode has, where no other is named. Its id is a number: Pusher's library for Python takes
// nothing else.
func DevApp() App {
	a := DefaultApp()
	a.ID, a.Key, a.Secret, a.ClientEvents = "1001", "lineman-key", "lineman-secret", true
	return a
}

// PusherApps are those that are served.
func (c *Config) PusherApps() []App {
	if len(c.Pusher.Apps) == 0 && c.Dev {
		return []App{DevApp()}
	}
	return c.Pusher.Apps
}

// maxAppID is how long the id of an app may be: so that it and the longest name of its channels are one of a channel.
const maxAppID = 54

var goodApp = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// app checks an app by itself.
func (p *problems) app(at string, a *App) {
	switch {
	case !goodApp.MatchString(a.ID) || len(a.ID) > maxAppID:
		p.addf(at+".id", "%s: want 1 to %d letters, digits, - and _", quote(a.ID), maxAppID)
	case len(a.ID) == 1 && strings.Contains("ugc", a.ID) || a.ID == "default":
		p.addf(at+".id", "%s: its channels begin with it, and a colon: these are others' already", quote(a.ID))
	}
	if !goodApp.MatchString(a.Key) {
		p.addf(at+".key", "%s: want letters, digits, - and _", quote(a.Key))
	}
	switch {
	case a.Secret == "" && a.SecretFile == "":
		p.addf(at+".secret", "is empty: want secret, or secret_file")
	case a.Secret != "": // that of SecretFile may not have been read
		p.add(at+".secret", checkSecret(a.Secret))
	}
	p.each(at+".origins", a.Origins, checkOrigin)
}

// apps wants each app to be told from the others, and what is published to fit what may wait for a page.
func (c *Config) apps(p *problems) {
	ids, keys := map[string]int{}, map[string]int{}
	for i, a := range c.Pusher.Apps {
		at := element("pusher.apps", i)
		if first, taken := ids[a.ID]; taken {
			p.addf(at+".id", "%s is that of %s", quote(a.ID), element("pusher.apps", first))
		}
		if first, taken := keys[a.Key]; taken {
			p.addf(at+".key", "%s is that of %s", quote(a.Key), element("pusher.apps", first))
		}
		ids[a.ID], keys[a.Key] = i, i
		if a.MaxData > c.Limits.Publish {
			p.add(at+".max_data", fmt.Errorf("%v is more than limits.publish, %v: want at most that",
				sizeText(int64(a.MaxData)), sizeText(int64(c.Limits.Publish))))
		}
	}
	for name, h := range c.Hooks {
		if h.App == "" {
			continue
		}
		at := quoteKey(join("hooks", name))
		i, known := ids[h.App]
		switch {
		case !known:
			p.addf(at+".app", "%s: no app of pusher.apps has this id", quote(h.App))
		case slices.Contains(h.Events, "subscription_count") && !c.Pusher.Apps[i].SubscriptionCount:
			p.addf(at+".events", "subscription_count: %s counts nothing: want subscription_count: true there",
				element("pusher.apps", i))
		}
	}
}
