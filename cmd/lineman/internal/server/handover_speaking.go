package server

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// What a page has that speaks, as bytes.

const (
	upstreamPublish = iota + 1
	upstreamRate
	upstreamCall
	upstreamLastCall
	upstreamSaying
)

// appendState appends what a page has that speaks. What its name says is left out.
func (up *upstream) appendState(f *saved, now time.Time) {
	f.texts(upstreamPublish, up.publish)
	for _, rate := range up.rates {
		f.nested(upstreamRate, rate.appendState)
	}
	for _, n := range slices.Sorted(maps.Keys(up.calls)) {
		f.nested(upstreamCall, func(f *saved) { up.calls[n].appendState(f, n, now) })
	}
	f.integer(upstreamLastCall, int64(up.lastCall))
	for _, id := range up.saying {
		f.integer(upstreamSaying, id)
	}
}

// restoreState makes of it what a page has. Its calls have no timers yet.
func (up *upstream) restoreState(state []byte, now time.Time) error {
	err := readFields(state, func(f *field) {
		switch f.number {
		case upstreamPublish:
			up.publish = append(up.publish, f.text())
		case upstreamRate:
			var rate channelRate
			f.take(rate.restoreState(f.bytes()))
			up.rates = append(up.rates, rate)
		case upstreamCall:
			n, c, err := parseCall(f.bytes(), now)
			f.take(err)
			if up.calls == nil {
				up.calls = make(map[uint64]call)
			}
			up.calls[n] = c
		case upstreamLastCall:
			up.lastCall = uint64(f.integer())
		case upstreamSaying:
			up.saying = append(up.saying, f.integer())
		}
	})
	up.unanswered = len(up.calls) + len(up.saying)
	return err
}

const (
	rateName = iota + 1
	rateSpent
)

func (r channelRate) appendState(f *saved) {
	f.text(rateName, r.namespace)
	f.bucket(rateSpent, r.spent)
}

func (r *channelRate) restoreState(state []byte) error {
	return readFields(state, func(f *field) {
		switch f.number {
		case rateName:
			r.namespace = f.text()
		case rateSpent:
			r.spent = f.bucket()
		}
	})
}

const (
	callNumber = iota + 1
	callID
	callLeft // milliseconds
)

func (c call) appendState(f *saved, n uint64, now time.Time) {
	f.integer(callNumber, int64(n))
	f.integer(callID, c.id)
	f.integer(callLeft, max(1, c.until.Sub(now).Milliseconds()))
}

func parseCall(state []byte, now time.Time) (n uint64, c call, err error) {
	err = readFields(state, func(f *field) {
		switch f.number {
		case callNumber:
			n = uint64(f.integer())
		case callID:
			c.id = f.integer()
		case callLeft:
			c.until = now.Add(time.Duration(f.integer()) * time.Millisecond)
		}
	})
	return n, c, err
}

// Why a page that speaks stays with the predecessor.
var (
	errDeciding = errors.New("a hook is asked about what it says")
	errOpen     = errors.New("what it publishes is not answered")
)

// mayCross tells why a page that speaks has to stay. answers says that a hook answers its calls.
func (up *upstream) mayCross(answers bool) error {
	switch {
	case len(up.deciding) > 0 || answers && len(up.calls) > 0:
		return errDeciding
	case up.published.len() > 0:
		return errOpen
	}
	return nil
}
