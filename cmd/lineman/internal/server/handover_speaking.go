package server

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// What a page has that speaks, as bytes.

const (
	upstreamPublish = iota + 1
	upstreamRate
	upstreamCall
	upstreamLastCall
	upstreamSaying
	upstreamPublished  // an answer that waits for those before it
	upstreamPublishing // in its place: what is not decided yet
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
	deciding := up.deciding
	for _, text := range up.published.texts[up.published.sent:] {
		if text != nil {
			f.add(upstreamPublished, text)
			continue
		}
		f.nested(upstreamPublishing, deciding[0].appendState)
		deciding = deciding[1:]
	}
}

// restoreState makes of it what a page has. Its calls have no timers yet.
func (up *upstream) restoreState(state []byte, now time.Time) error {
	err := readFields(state, upstreamPublishing, func(f *field) {
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
		case upstreamPublished:
			up.published.texts = append(up.published.texts, append([]byte{}, f.bytes()...))
		case upstreamPublishing:
			pub := &publication{number: up.published.expect()}
			f.take(pub.restoreState(f.bytes()))
			up.deciding = append(up.deciding, pub)
		}
	})
	up.unanswered = len(up.calls) + len(up.saying) + up.published.len()
	return err
}

const (
	publicationID = iota + 1 // of the request
	publicationChannel
	publicationData
	publicationNoEcho
	publicationAsk
	publicationSettled
	publicationSkip
	publicationCode // of a refusal
	publicationText // likewise
)

func (pub *publication) appendState(f *saved) {
	f.integer(publicationID, pub.ID)
	f.text(publicationChannel, string(pub.Channel))
	f.bytes(publicationData, pub.Data)
	f.flag(publicationNoEcho, pub.NoEcho)
	f.integer(publicationAsk, int64(pub.ask))
	f.flag(publicationSettled, pub.settled)
	f.flag(publicationSkip, pub.skip)
	if pub.wrong != nil {
		f.integer(publicationCode, int64(pub.wrong.Code))
		f.text(publicationText, pub.wrong.Text)
	}
}

// restoreState makes a publication of it: one that is not decided is asked about again.
func (pub *publication) restoreState(state []byte) error {
	var wrong level1.Failure
	err := readFields(state, publicationText, func(f *field) {
		switch f.number {
		case publicationID:
			pub.ID = f.integer()
		case publicationChannel:
			pub.Channel = push.Target(f.text())
		case publicationData:
			pub.Data = bytes.Clone(f.bytes())
		case publicationNoEcho:
			pub.NoEcho = f.flag()
		case publicationAsk:
			pub.ask = uint64(f.integer())
		case publicationSettled:
			pub.settled = f.flag()
		case publicationSkip:
			pub.skip = f.flag()
		case publicationCode:
			wrong.Code = int(f.integer())
		case publicationText:
			wrong.Text = f.text()
		}
	})
	pub.Op, pub.again = level1.OpPub, true
	if wrong.Code != 0 {
		pub.wrong = &wrong
	}
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
	return readFields(state, rateSpent, func(f *field) {
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
	callHook // a hook is asked
	callMethod
	callData
)

func (c call) appendState(f *saved, n uint64, now time.Time) {
	f.integer(callNumber, int64(n))
	f.integer(callID, c.id)
	f.integer(callLeft, max(1, c.until.Sub(now).Milliseconds()))
	if c.rpc != nil {
		f.flag(callHook, true)
		f.text(callMethod, c.rpc.method)
		f.bytes(callData, c.rpc.data)
	}
}

func parseCall(state []byte, now time.Time) (n uint64, c call, err error) {
	asks, asked := false, &rpc{again: true}
	err = readFields(state, callData, func(f *field) {
		switch f.number {
		case callNumber:
			n = uint64(f.integer())
		case callID:
			c.id = f.integer()
		case callLeft:
			c.until = now.Add(time.Duration(f.integer()) * time.Millisecond)
		case callHook:
			asks = f.flag()
		case callMethod:
			asked.method = f.text()
		case callData:
			asked.data = bytes.Clone(f.bytes())
		}
	})
	if asks {
		c.rpc = asked
	}
	return n, c, err
}

// errOpen is why a page that speaks stays with the predecessor.
var errOpen = errors.New("what it publishes is not answered")

// mayCross tells why a page that speaks has to stay: what it publishes is not answered, though it was decided.
func (up *upstream) mayCross() error {
	open := 0
	for _, text := range up.published.texts[up.published.sent:] {
		if text == nil {
			open++
		}
	}
	if open != len(up.deciding) {
		return errOpen
	}
	return nil
}
