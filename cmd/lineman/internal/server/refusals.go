package server

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
)

// refusals are the newest of each reason, so that a flood of one hides no other. Guarded by the guard's lock.
type refusals map[string]*[refusalsOfReason]notedRefusal

// refusalsOfReason is how many are kept of each reason.
const refusalsOfReason = 4

// notedRefusal is one as it was logged. args are those of the log.
type notedRefusal struct {
	at   time.Time
	what string
	args []any
}

func (r refusals) note(now time.Time, why, what string, args []any) {
	of := r[why]
	if of == nil {
		of = &[refusalsOfReason]notedRefusal{}
		r[why] = of
	}
	copy(of[1:], of[:]) // the newest comes first
	of[0] = notedRefusal{now, what, args}
}

// newestRefusals tells of them, the newest first.
func (g *guard) newestRefusals() []figures.Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := []figures.Refusal{}
	for why, of := range g.newest {
		for _, one := range of {
			if !one.at.IsZero() {
				all = append(all, one.tell(why))
			}
		}
	}
	slices.SortFunc(all, func(a, b figures.Refusal) int {
		return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}

// maxDetail is how long the rest of what is known of a refusal may be.
const maxDetail = 200

func (r *notedRefusal) tell(why string) figures.Refusal {
	to := figures.Refusal{At: r.at.UnixMilli(), Reason: why, What: r.what, Advice: advice[why]}
	var details []string
	for i := 0; i+1 < len(r.args); i += 2 {
		switch value := fmt.Sprint(r.args[i+1]); r.args[i] {
		case "remote":
			to.Remote = value
		case "uid":
			to.UID = value
		default:
			details = append(details, fmt.Sprintf("%v=%s", r.args[i], value))
		}
	}
	to.Detail = fmt.Sprintf("%.*s", maxDetail, strings.Join(details, " "))
	return to
}

// advice is what to do about a refusal, by its reason.
var advice = map[string]string{
	"origin":      "a page of another site: add the site to origins if it is yours",
	"handshake":   "no WebSocket was asked for, or wrongly: the detail says how; health checks go to /health",
	"connections": "all places are taken: raise limits.connections and the descriptors (ulimit -n), or add a node",
	"waiting":     "too many have not said who they are: an attack, or pages that are slow to log in: limits.waiting",
	"connections_per_ip": "too many of one address: an attack, or many users behind one; raise " +
		"limits.connections_per_ip, and name your proxy in proxies",
	"waiting_per_ip":    "as connections_per_ip, of those that have not said who they are: limits.waiting_per_ip",
	"handshakes_per_ip": "an address comes too often: clients that come back at once; limits.handshakes_per_ip",
	"late":              "no credential came in time: the page must send it first; limits.login is how long it has",
	"credential":        "its credential is not good, and the error says why: have the page fetch a new one",
	"hook":              "your application has refused it, or has not answered: look at the hook",
	"channel":           "it may not have the channel: put it in the token, or allow it in namespaces",
	"places":            "it is in too many groups and channels: limits.places",
	"connections_per_uid": "one uid has too many connections: tabs that are left open, or a shared uid; " +
		"limits.connections_per_uid",
	"logins_per_uid":          "one uid logs in too often: a page that comes back at once after each refusal",
	"messages_per_connection": "a page says too much: limits.messages_per_connection",
	"publish_rate":            "a page publishes too often: publish_rate of the namespace",
	"slow":                    "it did not read what it was sent: a slow network, or too much for it; limits.pending",
	"memory":                  "too much waited for all pages together: send less, raise limits.memory, or add a node",
	"malformed":               "what it said is no request of level 1: the page speaks another protocol, or an old one",
	"app": "a page of the Pusher protocol: a wrong key or signature, an old library, or too many; or a request of a " +
		"back end that is not signed as it should be",
	"key":                     "no key, or none that may do this: api.keys",
	"page":                    "a page, or a host that is not in api.hosts, asked a port that is not for pages",
	"stray":                   "something that speaks no JSON came to the port for lines: a wrong port, or a scanner",
	"commands_per_key":        "a back end asks too often: publish in batches, or raise limits.commands_per_key",
	"keyless":                 "too many back ends had not said a key: an attack, or connections that are not used",
	"keyless_per_ip":          "as keyless, of one address",
	"text.connections":        "too many back ends: keep a connection for many lines, or raise text.connections",
	"text.connections_per_ip": "too many of one address: keep a connection for many lines; text.connections_per_ip",
	"api.connections":         "too many back ends: let connections be kept alive, or raise api.connections",
	"api.connections_per_ip":  "too many of one address: let connections be kept alive; api.connections_per_ip",
	"admin.connections":       "too many operators' connections: scrape less often; admin.connections",
	"admin.connections_per_ip": "too many operators' connections of one address: scrape less often; " +
		"admin.connections_per_ip",
}
