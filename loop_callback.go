package lineman

import "sync/atomic"

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
	inOnHead
	inOnRequest
	inOnUpgrade
	inOnRefuse
	inOnPong
	inOnFull
	inOnDrain
	inOnClosing
	inOnClose
	inOnGone
	inDo
	inTimer
)

var callbackNames = [...]string{
	"", "OnStart", "OnPrepare", "OnReload", "OnStop", "OnAccept", "OnConnect", "OnMessage",
	"OnInvalid", "OnHead", "OnRequest", "OnUpgrade", "OnRefuse", "OnPong", "OnFull", "OnDrain",
	"OnClosing", "OnClose", "OnGone", "Do", "timer",
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
