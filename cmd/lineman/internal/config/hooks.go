package config

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// Events are what back ends and hooks hear of pages.
type Events struct {
	Messages string        `koanf:"messages" of:"none,back end"`
	Waiting  int           `koanf:"waiting" is:"positive"`
	Bytes    int           `koanf:"bytes" is:"size,positive"`
	Keep     time.Duration `koanf:"keep" is:"positive"`
	Debounce time.Duration `koanf:"debounce"`
	RPC      time.Duration `koanf:"rpc" is:"positive"`
}

// Hook is a URL of the application that is told events, or asked to decide.
type Hook struct {
	URL     string   `koanf:"url"`
	App     string   `koanf:"app"`
	Events  []string `koanf:"events" of:"events"`
	Of      []string `koanf:"of"`
	Decides []string `koanf:"decides" of:"connect,subscribe,publish,rpc"`
	Away    string   `koanf:"away" of:"refuse,allow"`

	// after Load those of SecretFiles follow
	Secrets     []string `koanf:"secrets" is:"secret"`
	SecretFiles []string `koanf:"secret_files"`
	Private     bool     `koanf:"private"`

	Timeout     time.Duration `koanf:"timeout" is:"positive"`
	Batch       int           `koanf:"batch" is:"positive"`
	Parallel    int           `koanf:"parallel" is:"positive"`
	GiveUp      time.Duration `koanf:"give_up" is:"positive"`
	DeadLetters string        `koanf:"dead_letters"`
}

// ToBackEnd is Events.Messages where messages of level 0 are events.
const ToBackEnd = "back end"

func defaultEvents() Events {
	return Events{
		Messages: "none", Waiting: 100_000, Bytes: 64 << 20, Keep: time.Minute, Debounce: 5 * time.Second,
		RPC: 10 * time.Second,
	}
}

// DefaultHook is what holds for a hook where nothing is said.
func DefaultHook() Hook {
	return Hook{
		Away: "refuse", Timeout: 5 * time.Second, Batch: 100, Parallel: 4, GiveUp: 10 * time.Minute,
		DeadLetters: "lineman.dead",
	}
}

const (
	maxBatch    = 10_000 // events of one request
	maxParallel = 64     // requests of one hook under way
)

// MostAsked is how many questions to a hook that decides may be under way; others wait.
const MostAsked = 64

// Files is how many descriptors a hook needs: its connections and its file.
func (h *Hook) Files() (n int) {
	if len(h.Events) > 0 {
		n += h.Parallel + 1
	}
	if len(h.Decides) > 0 {
		n += MostAsked
	}
	return n
}

// pageEvents are the words of Hook.Events, and appEvents those where Hook.App is said.
var (
	pageEvents = []string{"connect", "message", "close", "join", "leave", "occupied", "vacated"}
	appEvents  = []string{
		"channel_occupied", "channel_vacated", "member_added", "member_removed", "client_event", "cache_miss",
		"subscription_count",
	}
)

var goodHook = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// hook checks a hook by itself.
func (p *problems) hook(name string, h *Hook) {
	at := quoteKey(join("hooks", name))
	if !goodHook.MatchString(name) {
		p.addf(at, "want a name of 1 to 64 letters, digits, - and _")
	}
	if len(h.Events)+len(h.Decides) == 0 {
		p.addf(at, "is told nothing and asked nothing: say events, or decides")
	}
	p.add(at+".url", checkHookURL(h.URL, h.Private))
	p.each(at+".of", h.Of, checkTarget)
	p.each(at+".secrets", h.Secrets, checkSecret)
	if h.App != "" {
		p.appHook(at, h)
		return
	}
	p.each(at+".events", h.Events, unless(appEvents, "is an event of an app: say app, too"))
	if len(h.Secrets)+len(h.SecretFiles) == 0 && !h.Private {
		p.addf(at+".secrets", "are none: whoever finds the URL could make up events: want one, or private: true")
	}
	p.posts(at, h)
}

// appHook checks one that is told of an app, as Pusher tells it: the app signs what it is told.
func (p *problems) appHook(at string, h *Hook) {
	p.each(at+".events", h.Events, unless(pageEvents, "is no event of an app: leave it out, or app"))
	if len(h.Decides) > 0 {
		p.addf(at+".decides", "an app decides nothing by a hook: leave it out, or app")
	}
	if len(h.Secrets)+len(h.SecretFiles)+len(h.Of) > 0 {
		p.addf(at+".app", "the app signs what the hook is told, and it is told of all its channels: leave secrets and "+
			"of out")
	}
	p.posts(at, h)
}

// unless tells that an event is none of those that a hook of another kind is told.
func unless(others []string, why string) func(string) error {
	return func(event string) error {
		if slices.Contains(others, event) {
			return fmt.Errorf("%s: %s", event, why)
		}
		return nil
	}
}

// posts checks how a hook is posted to.
func (p *problems) posts(at string, h *Hook) {
	if h.Batch > maxBatch {
		p.addf(at+".batch", "%d: want at most %d", h.Batch, maxBatch)
	}
	if h.Parallel > maxParallel {
		p.addf(at+".parallel", "%d: want at most %d", h.Parallel, maxParallel)
	}
	if h.DeadLetters == "" && len(h.Events) > 0 {
		p.addf(at+".dead_letters", "is empty: want the file that keeps what the hook did not take")
	}
}

// checkHookURL wants what nobody in between can read. Its errors do not have the URL, in which a secret may stand.
func checkHookURL(text string, private bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.Fragment != "":
		return errors.New("want a URL, such as https://app.example.com/hook")
	case u.User != nil:
		return errors.New("a URL with a password is shown where it should not be: want one without: the signature " +
			"tells who asks")
	case private:
		return nil
	case u.Scheme == "http":
		return errors.New("who is on the way could read what goes by http: want https, or private: true where the " +
			"application is in the same network")
	case isPrivateHost(u.Hostname()):
		return errors.New("is on this machine or in a private network: say private: true, or want another one")
	}
	return nil
}

// isPrivateHost reports whether the host of a URL is an address that no other network has. What names stand for is
// known when they are looked up.
func isPrivateHost(host string) bool {
	addr, err := netip.ParseAddr(host)
	return isLoopbackHost(host) || err == nil && (addr.Unmap().IsPrivate() || addr.Unmap().IsLinkLocalUnicast())
}

// hooks wants each decision to be that of one hook.
func (c *Config) hooks(p *problems) {
	decider := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Hooks)) {
		for _, what := range c.Hooks[name].Decides {
			if first := decider[what]; first != "" {
				p.addf(quoteKey(join("hooks", name))+".decides", "%s: the hook %s decides it: want one of them", what,
					quote(first))
				continue
			}
			decider[what] = name
		}
	}
}

// Decider is the hook that decides connect, subscribe, publish or rpc; ok is false if there is none.
func (c *Config) Decider(what string) (name string, h Hook, ok bool) {
	for name, h := range c.Hooks {
		if slices.Contains(h.Decides, what) {
			return name, h, true
		}
	}
	return "", Hook{}, false
}

// AsksWho reports whether a hook tells who a page is.
func (c *Config) AsksWho() bool {
	_, _, asks := c.Decider("connect")
	return asks
}

// PassesCookies reports whether that hook is told the cookies of pages: not where any page may connect. A page of any
// site would come with what its visitor's browser keeps for the application, and be taken for the visitor.
func (c *Config) PassesCookies() bool {
	return c.AsksWho() && !slices.Contains(c.Origins, "*") && !slices.Contains(c.Origins, "null")
}
