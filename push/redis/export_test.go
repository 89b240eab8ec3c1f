package redis

import (
	"time"

	"github.com/lineman-go/lineman/push"
)

// MaxWaiting is for this package's own tests.
const MaxWaiting = maxWaiting

// Hurry has both sides of a handover wait for progress as long as that.
func (o *Options) Hurry(patience time.Duration) { o.patience = patience }

// Waiting is how many messages of a channel have come and wait for the loop. Others may come at any time: what nodes
// tell all.
func Waiting(of push.Link, channel string) (n int) {
	in := &of.(*link).inbox
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, a := range in.items {
		if a.channel == channel {
			n++
		}
	}
	return n
}
