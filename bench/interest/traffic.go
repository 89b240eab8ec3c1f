package main

// traffic is what is published, and what it costs Redis.
type traffic struct {
	rate                     float64 // publications a second, at all nodes together
	uid, channel, group, all float64 // shares of the kinds; others are left out
	size                     float64 // bytes of a publication
	batch                    float64 // answers in one message to the node that asked
	churn                    float64 // connections that come, and as many that go, a second

	// what a command, a message that is sent out, and a name that is subscribed to or no longer take of a core of
	// Redis, in microseconds
	command, delivery, change float64
	memory                    float64 // what a subscription takes of Redis, in bytes
}

// Bytes on the way to Redis and back, beside the publication.
const (
	frame      = 40 // of the protocol of Redis
	name       = 24 // of a channel
	head       = 28 // of a message: who sent it, and its number
	answerHead = 2
	perAnswer  = 6
)

// load is what Redis has to do in a second.
type load struct {
	published, answers float64 // commands
	sent               float64 // messages to nodes
	in, out            float64 // bytes
	changes            float64 // names that are subscribed to, or no longer
	busy               float64 // of a core
}

// crossings are how many messages to nodes a publication makes.
func (t *traffic) crossings(p *placed) float64 {
	return t.uid*p.uid.takers + t.channel*p.channel.takers + t.group*p.group.takers + t.all*p.all.takers
}

// pages are how many connections get a publication.
func (t *traffic) pages(p *placed) float64 {
	return t.uid*p.uid.pages + t.channel*p.channel.pages + t.group*p.group.pages + t.all*p.all.pages
}

// toAll is the world as it is for a broker that sends everything to every node.
func toAll(w *world, p *placed) *placed {
	every := *p
	every.uid.takers, every.channel.takers, every.group.takers = float64(w.nodes), float64(w.nodes), float64(w.nodes)
	every.subscriptions = w.nodes
	return &every
}

// load is that of a world. A node that has a publication for itself too answers itself in memory.
func (t *traffic) load(w *world, p *placed) load {
	crossings := t.crossings(p)
	others := crossings * (1 - 1/float64(w.nodes)) // as who publishes is any node
	l := load{published: t.rate, answers: t.rate * others / t.batch, sent: t.rate * crossings}
	answer := answerHead + perAnswer*t.batch + frame + name
	l.in = l.published*(t.size+head+frame+name) + l.answers*answer
	l.out = l.sent*(t.size+head+frame+name) + l.answers*answer
	l.sent += l.answers
	l.changes = 2 * t.churn * float64(p.subscriptions) / float64(w.nodes*w.connections)
	l.busy = ((l.published+l.answers)*t.command + l.sent*t.delivery + l.changes*t.change) / 1e6
	return l
}
