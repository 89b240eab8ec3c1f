package config

import "testing"

// TestApps changes one thing of a good app: nothing is said, or what is wrong with it.
func TestApps(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config, *App)
		says   []string
	}{
		{"nothing", func(*Config, *App) {}, nil},
		{"no id", func(_ *Config, a *App) { a.ID = "" }, []string{`config: pusher.apps[0].id: "": want 1 to 54`}},
		{"a colon", func(_ *Config, a *App) { a.ID = "a:b" }, []string{"pusher.apps[0].id"}},
		{"another kind", func(_ *Config, a *App) { a.ID = "u" }, []string{"pusher.apps[0].id"}},
		{"no key", func(_ *Config, a *App) { a.Key = "" }, []string{"pusher.apps[0].key"}},
		{"a path", func(_ *Config, a *App) { a.Key = "a/b" }, []string{"pusher.apps[0].key"}},
		{"no secret", func(_ *Config, a *App) { a.Secret = "" }, []string{"pusher.apps[0].secret: is empty"}},
		{"a short secret", func(_ *Config, a *App) { a.Secret = "short" }, []string{"a secret of 5 characters"}},
		{"an origin", func(_ *Config, a *App) { a.Origins = []string{"https://example.com", "*"} }, nil},
		{"no origin", func(_ *Config, a *App) { a.Origins = []string{"example.com"} },
			[]string{"pusher.apps[0].origins"}},
		{"too much", func(c *Config, a *App) { a.MaxData = c.Limits.Publish + 1 },
			[]string{"pusher.apps[0].max_data"}},
		{"zeros", func(_ *Config, a *App) { a.ClientRate, a.MaxData, a.MaxMembers = 0, 0, 0 },
			[]string{"client_rate: 0", "max_data: 0", "max_members: 0"}},
		{"a twin", func(c *Config, a *App) { c.Pusher.Apps = append(c.Pusher.Apps, *a) },
			[]string{"pusher.apps[1].id: \"shop\" is that of pusher.apps[0]", "pusher.apps[1].key"}},
		{"back ends of other machines", func(c *Config, _ *App) { c.API.Listen = ":1" }, nil},
		{"lines of other machines", func(c *Config, _ *App) { c.API.Listen, c.Text.Listen = ":1", ":2" },
			[]string{"text.listen: :2: back ends of other machines need a key"}},
		{"a hook", func(c *Config, _ *App) { c.Hooks = hookOf("shop", "channel_occupied", "cache_miss") }, nil},
		{"a hook of nobody", func(c *Config, _ *App) { c.Hooks = hookOf("other", "channel_occupied") },
			[]string{`config: hooks.web.app: "other": no app`}},
		{"a number", func(c *Config, a *App) {
			a.SubscriptionCount, c.Hooks = true, hookOf("shop", "subscription_count")
		}, nil},
		{"a number that nobody counts", func(c *Config, _ *App) { c.Hooks = hookOf("shop", "subscription_count") },
			[]string{"hooks.web.events: subscription_count: pusher.apps[0] counts nothing"}},
		{"an event of pages", func(c *Config, _ *App) { c.Hooks = hookOf("shop", "connect") },
			[]string{"hooks.web.events: connect: is no event of an app"}},
		{"an event of apps", func(c *Config, _ *App) { c.Hooks = hookOf("", "cache_miss") },
			[]string{"hooks.web.events: cache_miss: is an event of an app"}},
	} {
		config, app := Default(), DefaultApp()
		config.Dev = true
		app.ID, app.Key, app.Secret = "shop", "shop-key", goodKey
		config.Pusher.Apps = []App{app}
		c.change(&config, &app)
		if len(config.Pusher.Apps) == 1 {
			config.Pusher.Apps[0] = app
		}
		says(t, c.name, config.Check(), c.says...)
	}
}

// hookOf is a hook of an app on this machine.
func hookOf(app string, events ...string) map[string]Hook {
	h := DefaultHook()
	h.URL, h.Private, h.App, h.Events = "http://127.0.0.1:8080/hook", true, app, events
	return map[string]Hook{"web": h}
}

// TestAppSecret reads the secret of an app from a file, as others are.
func TestAppSecret(t *testing.T) {
	name := write(t, goodKey+"\n")
	l, err := loadFile(t, "pusher: {apps: [{id: shop, key: shop-key, secret_file: "+name+"}]}")
	if err != nil {
		t.Fatal(err)
	}
	if a := l.Pusher.Apps[0]; a.Secret != goodKey || a.MaxData != 10<<10 || a.ClientEvents {
		t.Errorf("the app is %+v", a)
	}
}

// TestDevApp has dev mode alone have an app that nobody has named.
func TestDevApp(t *testing.T) {
	c := Default()
	if apps := c.PusherApps(); len(apps) != 0 {
		t.Errorf("%d apps that nobody has named", len(apps))
	}
	c.Dev = true
	if apps := c.PusherApps(); len(apps) != 1 || apps[0].ID != "1001" || apps[0].Key != "lineman-key" {
		t.Errorf("dev mode has %+v", apps)
	}
	c.Pusher.Apps = []App{{ID: "shop"}}
	if apps := c.PusherApps(); len(apps) != 1 || apps[0].ID != "shop" {
		t.Errorf("dev mode has %+v beside what is named", apps)
	}
}

// TestAppAlone has a server be public for pages of an app alone, and not be in dev mode then.
func TestAppAlone(t *testing.T) {
	const app = "pusher: {apps: [{id: shop, key: shop-key, secret: " + goodKey + "}]}\n"
	for _, listen := range []string{"127.0.0.1:1234", "0.0.0.0:1234"} {
		l, err := loadFile(t, app+"listen: "+listen)
		if err != nil || l.Dev {
			t.Errorf("%s: %v, dev %t", listen, err, err == nil && l.Dev)
		}
	}
}

// TestNamespaceKeys has namespaces be named by how channels begin.
func TestNamespaceKeys(t *testing.T) {
	if _, err := loadFile(t, `namespaces: {"shop:presence-*": {presence: events}, "a:b:*": {}}`); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"a:b", "a:*", ":a*", "a:b*c*", "c", "u:a*"} {
		_, err := loadFile(t, `namespaces: {"`+key+`": {}}`)
		says(t, key, err, "namespaces."+key)
	}
}
