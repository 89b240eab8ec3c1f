package client

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// EndError is why the server has ended a connection, as docs/pages.md lists it.
type EndError struct {
	Code  int           // 40xx is final, after 41xx a client comes back later, after 42xx at once
	Retry time.Duration // when to come back; 0: not said
	Why   string
}

func (e *EndError) Error() string {
	text := fmt.Sprintf("client: the server has ended the connection with %d", e.Code)
	if e.Why != "" {
		text += ": " + e.Why
	}
	return text
}

// isFinal reports whether another try would end the same way.
func (e *EndError) isFinal() bool { return e.Code >= 4000 && e.Code < 4100 }

// Between two tries, unless the server says otherwise: longer each time, with chance in it, so that clients do not come
// all at once.
const (
	firstWait = time.Second
	longest   = 30 * time.Second
	steady    = 10 * time.Second // a connection that has lasted so long begins the waits anew
)

// backoff is how long to wait before the next try.
type backoff struct{ tries int }

// next is the wait after a connection that lasted for some time and ended with err.
func (b *backoff) next(err error, lasted time.Duration) time.Duration {
	if lasted > steady {
		b.tries = 0
	}
	tries := b.tries
	b.tries++
	var end *EndError
	if errors.As(err, &end) {
		switch {
		case end.Retry > 0:
			return end.Retry
		case end.Code >= 4200 && end.Code < 4300 && tries == 0:
			return 0
		}
	}
	most := min(longest, firstWait<<min(tries, 10))
	return rand.N(most)
}
