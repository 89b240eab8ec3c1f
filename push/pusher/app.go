package pusher

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/lineman-go/lineman/push"
)

// App is one application: who has its key may connect, and who has its secret may publish. ID, Key and Secret are
// required, and it must not be changed once it is in Apps.
type App struct {
	ID     string // what its channels begin with in the Hub: letters, digits, "-" and "_"
	Key    string // public
	Secret string // what requests, channels and users are signed with

	ClientEvents bool // pages may send events of their own in private and presence channels
	ClientRate   int  // of these a second, for each connection; 0 means 10

	SubscriptionCount bool // pages are told how many connections their channels have, but those of presence channels

	MaxData    int // bytes of the data of an event; 0 means 10 KiB
	MaxMembers int // users of a presence channel: one more is refused; 0 means 100
}

// What an App has where nothing is said.
const (
	defaultClientRate = 10
	defaultData       = 10 << 10
	defaultMembers    = 100
)

func (a *App) clientRate() int { return cmp.Or(a.ClientRate, defaultClientRate) }
func (a *App) maxData() int    { return cmp.Or(a.MaxData, defaultData) }
func (a *App) maxMembers() int { return cmp.Or(a.MaxMembers, defaultMembers) }

// Channel is what the Hub calls a channel of the App.
func (a *App) Channel(name string) push.Target { return push.Channel(a.ID + ":" + name) }

// Name is what the App calls a channel of the Hub, if it is one of its own.
func (a *App) Name(t push.Target) (name string, ok bool) {
	rest, ok := strings.CutPrefix(string(t), a.ID)
	if !ok || !strings.HasPrefix(rest, ":") {
		return "", false
	}
	return rest[1:], true
}

// cacheTTL is how long a cache channel keeps its last event.
const cacheTTL = 30 * time.Minute

// Namespaces are what a Hub's Options need for the channels of the App: presence where a channel has members, and the
// last event of a cache channel. base is what all of them have beside that. There is a key for each kind of channels
// that others than pages of the App may not get as they get the public ones.
func (a *App) Namespaces(base push.Namespace) map[string]push.Namespace {
	presence := base
	presence.Presence = push.PresenceEvents
	presence.MaxPresent = max(base.MaxPresent, a.maxMembers(), defaultPresent)
	all := map[string]push.Namespace{
		a.ID:                              base,
		a.ID + ":" + privatePrefix + "*":  base,
		a.ID + ":" + presencePrefix + "*": presence,
		a.ID + ":#*":                      base,
		a.ID + ":" + onlinePrefix + "*":   {Presence: push.PresenceEvents},
	}
	for _, kind := range []string{"", privatePrefix, encryptedPrefix, presencePrefix} {
		n := base
		if kind == presencePrefix {
			n = presence
		}
		n.History = push.Retention{Class: push.Latest, TTL: cacheTTL}
		all[a.ID+":"+kind+cachePrefix+"*"] = n
	}
	for key, n := range all {
		_, name, _ := strings.Cut(key, ":")
		n.TellSubscribers = a.Counts(name)
		all[key] = n
	}
	return all
}

// Counts reports whether pages of a channel, or of those whose names begin so, are told how many connections it has.
func (a *App) Counts(channel string) bool {
	return a.SubscriptionCount && !KindOf(channel).has(Presence) && !strings.HasPrefix(channel, "#")
}

// defaultPresent is up to how many members a presence channel tells who they are to who asks by the HTTP API.
const defaultPresent = 10_000

// Apps are those of a server.
type Apps struct {
	byID, byKey map[string]*App
}

// NewApps checks some Apps and gathers them. No two have the same ID or Key.
func NewApps(apps ...*App) (*Apps, error) {
	all := &Apps{byID: make(map[string]*App), byKey: make(map[string]*App)}
	for _, a := range apps {
		if err := a.check(); err != nil {
			return nil, err
		}
		switch {
		case all.byID[a.ID] != nil:
			return nil, fmt.Errorf("pusher: two apps have the id %q", a.ID)
		case all.byKey[a.Key] != nil:
			return nil, fmt.Errorf("pusher: the apps %q and %q have the same key", all.byKey[a.Key].ID, a.ID)
		}
		all.byID[a.ID], all.byKey[a.Key] = a, a
	}
	return all, nil
}

// maxID is how long the ID of an App may be, in bytes: its longest channel is one of the Hub.
const maxID = push.MaxName - len(":") - MaxChannel

// check tells what is wrong with an App.
func (a *App) check() error {
	switch kind, _ := push.Target(a.ID + ":").Split(); {
	case a.ID == "" || len(a.ID) > maxID || !isWord(a.ID):
		return fmt.Errorf("pusher: the id of an app has 1 to %d letters, digits, - and _: not %q", maxID, a.ID)
	case a.Key == "" || !isWord(a.Key):
		return fmt.Errorf("pusher: the key of the app %q is made of letters, digits, - and _", a.ID)
	case a.Secret == "":
		return fmt.Errorf("pusher: the app %q needs a secret", a.ID)
	case kind != push.ToChannel:
		return fmt.Errorf("pusher: an app cannot have the id %q: its channels would be targets of another kind", a.ID)
	}
	return nil
}

// isWord reports whether a text has letters, digits, "-" and "_" alone.
func isWord(text string) bool {
	for i := range len(text) {
		if c := text[i]; !isAlphanumeric(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// ByID is the App of an ID; nil if there is none.
func (all *Apps) ByID(id string) *App { return all.byID[id] }

// ByKey is the App of a key; nil if there is none.
func (all *Apps) ByKey(key string) *App { return all.byKey[key] }

// Have reports whether a channel of the Hub is one of an App.
func (all *Apps) Have(t push.Target) bool { return all.name(t) != "" }

// name is what the App of a channel of the Hub calls it; empty if it is none of an App.
func (all *Apps) name(t push.Target) string {
	id, name, _ := strings.Cut(string(t), ":")
	if all.byID[id] == nil {
		return ""
	}
	return name
}
