package redis

import "time"

// MaxWaiting is for this package's own tests.
const MaxWaiting = maxWaiting

// Hurry has both sides of a handover wait for progress as long as that.
func (o *Options) Hurry(patience time.Duration) { o.patience = patience }
