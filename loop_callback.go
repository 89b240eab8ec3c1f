package lineman

import (
	"sync/atomic"
	"time"
)

// callback names what of the application's runs on a loop.
type callback uint32

const (
	noCallback callback = iota
	inOnStart
	inOnPrepare
	inOnReload
	inOnStop
	inOnAccept
	inOnConnect
	inOnMessage
	inOnInvalid
	inOnRequest
	inOnHeadOrRequest // of a worker with OnHead: one name, or the clock would be read between them
	inOnUpgrade
	inOnRefuse
	inOnPong
	inOnFull
	inOnDrain
	inOnRelayEnd
	inOnClosing
	inOnClose
	inOnGone
	inSave
	inRestore
	inSaveState
	inRestoreState
	inOnHandover
	inReport
	inDo
	inTimer
)

var callbackNames = [...]string{
	"", "OnStart", "OnPrepare", "OnReload", "OnStop", "OnAccept", "OnConnect", "OnMessage",
	"OnInvalid", "OnRequest", "OnHead or OnRequest", "OnUpgrade", "OnRefuse", "OnPong", "OnFull", "OnDrain",
	"OnRelayEnd", "OnClosing", "OnClose", "OnGone", "Save", "Restore", "SaveState", "RestoreState",
	"OnHandover", "Report", "Do", "timer",
}

func (c callback) String() string { return callbackNames[c] }

// doing is the callback under way. The loop changes it; anybody may read it.
type doing struct{ v atomic.Uint32 }

func (d *doing) get() callback { return callback(d.v.Load()) }

// set stores only what is new: a load costs nothing, and most messages of a batch follow another.
func (d *doing) set(c callback) {
	if d.get() != c {
		d.v.Store(uint32(c))
	}
}

const (
	slow      = 100 * time.Millisecond // a callback that takes longer is named in the log: rule 6
	quick     = 250 * time.Microsecond // a loop whose turns are so short reads the clock less often
	mostReach = 32
)

// measure is called when an event was handled, a connection attended to, or a callback has returned. To read the clock
// costs as much as to handle a short message, so a loop that is quick reads it once for several. What they may have
// taken together is far below what makes one slow.
func (l *Loop) measure() {
	if l.unread++; l.unread >= l.reach {
		l.readClock()
	}
}

// enters notes which callback runs next. The time before is that of the last one: so if one was slow, its name is
// known, however seldom the clock is read.
func (l *Loop) enters(what callback) {
	if l.doing.get() != what { // seldom, where messages follow each other: so this is inlined
		l.entersNext(what)
	}
}

func (l *Loop) entersNext(what callback) {
	if l.unread > 0 {
		l.readClock()
	}
	l.doing.set(what)
	l.unread++ // for the next one, though no event may be over until then
}

// requestOf is what takes a request of a worker.
func requestOf(w *Worker) callback {
	if w.OnHead != nil {
		return inOnHeadOrRequest
	}
	return inOnRequest
}

// readClock reads the clock, and tells of a callback that was slow.
func (l *Loop) readClock() {
	before, handled := l.now, l.unread
	l.resumeClock()
	took := l.now.Sub(before)
	if took > quick {
		l.reach = 1
	} else {
		l.reach = min(2*max(handled, 1), mostReach)
	}
	if took > slow && l.doing.get() != noCallback {
		l.stats.Slow++
		l.log.Warn("lineman: slow callback: every connection of the loop waited; hand slow work to a goroutine",
			"callback", l.doing.get().String(), "took", took)
	}
}

// resumeClock reads the clock after a time in which no callback ran.
func (l *Loop) resumeClock() {
	l.now, l.unread = l.clock(), 0
	l.present = l.ticks(l.now)
	l.turned.Store(int64(l.now.Sub(l.born)))
	l.second.Store(l.now.Unix())
}
