package command

import (
	"fmt"
	"slices"

	"github.com/lineman-go/lineman/push"
)

// Scope is a kind of command.
type Scope string

// The scopes.
const (
	Publish Scope = "publish" // pub, and plain lines
	Manage  Scope = "manage"  // what changes who gets what: join, kick, revoke …; and forget
	Read    Scope = "read"    // what only tells: online, count, list, history …
	Watch   Scope = "watch"   // watch: what is published is read by who has it
	Listen  Scope = "listen"  // listen: what pages say, who comes and who goes; ack and reply
	Admin   Scope = "admin"   // nothing here: metrics and profiles
)

// Permit says what somebody may do. Immutable. nil allows everything.
type Permit struct {
	Name    string   // of the key; what is the same Request.ID for one is another for others
	Scopes  []Scope  // none means none
	Targets []string // patterns as push.Match has them; none means all
}

// check tells whether a command may be run about some targets.
func (p *Permit) check(s Scope, about []push.Target) error {
	if p == nil {
		return nil
	}
	if !slices.Contains(p.Scopes, s) {
		return &Error{Code: Denied, Text: fmt.Sprintf("the key %q does not have the scope %s", p.Name, s)}
	}
	if len(p.Targets) == 0 {
		return nil
	}
	for _, t := range about {
		if !push.Match(p.Targets, string(t)) {
			return &Error{Code: Denied, Text: fmt.Sprintf("the key %q is not for %q", p.Name, t)}
		}
	}
	return nil
}

// name is the scope of ids of the idempotency cache.
func (p *Permit) name() string {
	if p == nil {
		return ""
	}
	return p.Name
}
