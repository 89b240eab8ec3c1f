//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// publication is what all pages of a channel get, of a level by the contender's name, or all connections of a program
// that has no port for lines.
type publication struct{ pages, size, underWay int }

// fanout is the case of a publication to many: a cost for each delivery.
func (m *measurement) fanout(name string, contenders []contender, p publication, aims ...aim) testCase {
	return testCase{name: name, contenders: contenders, rows: costs(append(aims, ahead)...), rounds: m.rounds,
		conns: p.pages, once: func(r *running) ([]float64, error) { return m.published(r, p) }}
}

// published is what a delivery costs.
func (m *measurement) published(r *running, p publication) ([]float64, error) {
	if len(r.addrs) == 1 {
		return m.broadcast(r, p)
	}
	l, err := p.audience(r)
	if err != nil {
		return nil, err
	}
	defer l.close()
	if r.isPlain() {
		if err := p.check(r, l); err != nil {
			return nil, err
		}
	}
	line := []byte(p.command(r) + "\n")
	publish := func() error { return l.send(p.pages, line) }
	return m.perOperation(r, func(d time.Duration) (int, error) {
		size, err := p.sizes(r)
		if err != nil {
			return 0, err
		}
		return l.fanoutBy(publish, p.pages, size, p.underWay, d)
	})
}

// broadcast is what a delivery costs a program that sends what one connection says to all.
func (m *measurement) broadcast(r *running, p publication) ([]float64, error) {
	l, err := connect(r.addrs[0], p.pages, webSocket)
	if err != nil {
		return nil, err
	}
	defer l.close()
	d := toAll(p.size, p.underWay)
	if err := d.check(l); err != nil {
		return nil, err
	}
	return m.perOperation(r, func(length time.Duration) (int, error) { return d.run(l, length) })
}

func (p publication) text(r *running) string { return strings.Repeat("x", p.length(r)) }

// length is that of the text.
func (p publication) length(r *running) int {
	if r.as == asLong {
		return p.size + len(aroundPusher)
	}
	return p.size
}

func (p publication) command(r *running) string {
	return fmt.Sprintf(`{"cmd":"pub","to":%q,"text":%q}`, r.channel(), p.text(r))
}

// channel is that of the pages: of an app, where some of them speak Pusher.
func (r *running) channel() string {
	if r.as == "plain" || r.as == "Pusher" || r.as == asLong {
		return "1001:orders"
	}
	return "news"
}

// levels are how pages follow a channel themselves, by the contender's name.
var levels = map[string]opening{
	"level 0": subscriber, "level 1": follower, "events": listener, "plain": orders, "Pusher": pusherPage,
	asLong: orders,
}

// isPlain reports whether pages get what is published as it is.
func (r *running) isPlain() bool {
	return r.as == "level 0" || r.as == "plain" || r.as == asLong || r.byBackEnd()
}

// byBackEnd reports whether a back end has to put the pages on a channel.
func (r *running) byBackEnd() bool {
	_, byThemselves := levels[r.as]
	return !byThemselves
}

// audience are the pages, and a back end behind them.
func (p publication) audience(r *running) (*load, error) {
	how := page
	if !r.byBackEnd() {
		how = levels[r.as]
	}
	l, err := connect(r.addrs[0], p.pages, how)
	if err != nil {
		return nil, err
	}
	if err := p.gather(r, l); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// gather waits until the server knows all pages, and they are on the channel.
func (p publication) gather(r *running, l *load) error {
	if err := l.add(r.addrs[1], plain); err != nil {
		return err
	}
	if err := r.known(p.pages); err != nil {
		return err
	}
	if r.byBackEnd() {
		_, err := r.ask(`{"cmd":"subscribe","to":"*","channel":"news"}`)
		return err
	}
	_, err := l.settle() // what is said first is over
	return err
}

// check has all pages get one publication, and looks at every byte.
func (p publication) check(r *running, l *load) error {
	if _, err := r.ask(p.command(r)); err != nil {
		return err
	}
	return l.expect(p.pages, serverFrame(0x81, []byte(p.text(r))))
}

// sizes are those of the publications that are next, on the wire.
func (p publication) sizes(r *running) (func(number int) int, error) {
	size := p.length(r)
	message := len(frameHead(0x81, 0, size)) + size
	switch {
	case r.isPlain():
		return always(message), nil
	case r.as == "Pusher":
		n := len(aroundPusher) + p.size
		return always(len(frameHead(0x81, 0, n)) + n), nil
	}
	epoch, offset, err := r.top("news")
	if err != nil {
		return nil, err
	}
	around := func(number int) int { return envelope(epoch, offset+1+number) }
	if r.as == "events" {
		return func(number int) int {
			id := len("id: news=.\n") + len(epoch) + digits(offset+1+number)
			return id + len("data: \n\n") + around(number) + p.size
		}, nil
	}
	return func(number int) int {
		n := around(number) + p.size
		return len(frameHead(0x81, 0, n)) + n
	}, nil
}

// envelope is how much a text on the channel news has around it.
func envelope(epoch string, offset int) int {
	return len(`{"op":"msg","ch":"news","pos":".","text":""}`) + len(epoch) + digits(offset)
}
