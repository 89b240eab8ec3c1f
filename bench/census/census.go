// Package census has a server tell what it holds, so that a measurement sees it without what is only waiting to be
// collected.
package census

import (
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
)

// A Census is what a server holds after a collection.
type Census struct {
	Heap       uint64 `json:"heap"` // bytes in use
	Goroutines int    `json:"goroutines"`
}

// Serve writes a Census, as a line of JSON, each time that the signal comes from now on, by a goroutine that does not
// end. A signal that came before would be lost, and who asks waits: so it is called before anybody can connect.
func Serve(to io.Writer, on os.Signal) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, on)
	go func() {
		for range asked {
			tell(to)
		}
	}()
}

func tell(to io.Writer) {
	runtime.GC() // what pools hold goes with the second collection
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	_ = json.NewEncoder(to).Encode(Census{m.HeapAlloc, runtime.NumGoroutine()}) // nobody reads it: nobody wants it
}
