package server

import (
	"encoding/json"
	"slices"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push/hook"
)

// The hooks that decide are asked on the first loop, whichever loop has the page.

// from has questions of another loop be asked on that which has the deciders.
func (d deciders) from(own, asked *lineman.Loop) deciders {
	relay := func(one *decider) *decider {
		if one == nil {
			return nil
		}
		far := *one
		far.own, far.asked = own, asked
		return &far
	}
	return deciders{relay(d.connect), relay(d.subscribe), relay(d.publish), relay(d.rpc)}
}

// ask runs a question on the loop that has the Decider.
func (d *decider) ask(question func()) {
	if d.own == nil {
		question()
		return
	}
	d.asked.Do(question)
}

// tell brings an answer to the loop that has asked.
func (d *decider) tell(answer func()) {
	if d.own == nil {
		answer()
		return
	}
	d.own.Do(answer)
}

// kept is data that was lent, fit to cross to another loop.
func (d *decider) kept(data json.RawMessage) json.RawMessage {
	if d.own == nil {
		return data
	}
	return slices.Clone(data)
}

// Connect is that of hook.Decider.
func (d *decider) Connect(q *hook.Connect, done func(hook.Login, error)) {
	d.ask(func() {
		d.Decider.Connect(q, func(l hook.Login, err error) { d.tell(func() { done(l, err) }) })
	})
}

// Subscribe is that of hook.Decider.
func (d *decider) Subscribe(q *hook.Subscribe, done func(error)) {
	d.ask(func() {
		d.Decider.Subscribe(q, func(err error) { d.tell(func() { done(err) }) })
	})
}

// Publish is that of hook.Decider.
func (d *decider) Publish(q *hook.Publish, done func(data json.RawMessage, skip bool, err error)) {
	d.ask(func() {
		d.Decider.Publish(q, func(data json.RawMessage, skip bool, err error) {
			data = d.kept(data)
			d.tell(func() { done(data, skip, err) })
		})
	})
}

// RPC is that of hook.Decider.
func (d *decider) RPC(q *hook.RPC, done func(data json.RawMessage, err error)) {
	d.ask(func() {
		d.Decider.RPC(q, func(data json.RawMessage, err error) {
			data = d.kept(data)
			d.tell(func() { done(data, err) })
		})
	})
}

// Forget is that of hook.Decider.
func (d *decider) Forget(uid string) { d.ask(func() { d.Decider.Forget(uid) }) }
