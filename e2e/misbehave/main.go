// Misbehave does wrong what a program can do wrong, on command: a line sent to it says what one process is to do, and a
// file in its working directory what each does that starts.
package main

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
)

// Set by the linker.
var (
	version = "1"
	extra   string // the name of one worker more; empty: none
	crash   string // not empty: every process ends before it has become one
	log     string // the log's name; empty: as it is without
)

func main() {
	count := flag.Int("count", 2, "processes of each worker")
	addr := flag.String("lines", "127.0.0.1:0", "`host:port` for lines")
	reload := flag.Duration("reload-timeout", 0, "Master.ReloadTimeout")
	stop := flag.Duration("stop-timeout", 0, "Master.StopTimeout")
	hang := flag.Duration("hang-timeout", 0, "Master.HangTimeout")
	hands := flag.Bool("handover", false, "connections for lines are handed over")
	flag.Parse()
	if crash != "" {
		os.Exit(7)
	}
	workers := []*lineman.Worker{lines(*addr), requests(), echo()}
	if *hands {
		handsOver(workers[0])
	}
	if extra != "" {
		workers = append(workers, &lineman.Worker{Name: extra})
	}
	for _, w := range workers {
		w.Count = *count
	}
	m := lineman.Master{Workers: workers, ReloadTimeout: *reload, StopTimeout: *stop, HangTimeout: *hang, LogFile: log}
	m.Err = refuse("wrong-configuration")
	m.Main()
}

func there(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

// lines does what each line says.
func lines(addr string) *lineman.Worker {
	w := &lineman.Worker{Name: "lines", Addr: "text://" + addr}
	w.Limits.MaxPending = 256 << 20
	w.OnPrepare = func(*lineman.Loop) error {
		waitIn("OnPrepare")
		return refuse("fail-in-OnPrepare")
	}
	w.OnStart = func(*lineman.Loop) error {
		waitIn("OnStart")
		return refuse("fail-in-OnStart")
	}
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		verb, rest, _ := strings.Cut(string(msg), " ")
		do(c, verb, rest)
	}
	return w
}

func refuse(file string) error {
	if there(file) {
		return errors.New("there is a file " + file)
	}
	return nil
}

func do(c *lineman.Conn, verb, rest string) {
	n, err := strconv.Atoi(rest)
	if rest != "" && err != nil {
		_ = c.Send([]byte(err.Error()))
		return
	}
	switch verb {
	case "version":
		_ = c.Send([]byte(version))
	case "pid":
		_ = c.Send([]byte(strconv.Itoa(os.Getpid())))
	case "hang":
		select {}
	case "hang-in-timer":
		c.Loop().After(0, func() { select {} })
	case "spin":
		for {
		}
	case "exit":
		os.Exit(n)
	case "crash":
		go panic("as asked")
	case "flood":
		_ = c.Send(make([]byte, n))
	case "later": // answers in n milliseconds
		c.Loop().After(time.Duration(n)*time.Millisecond, func() { _ = c.Send([]byte("now")) })
	case "stay":
		c.SetValue("stays")
		_ = c.Send([]byte("staying"))
	case "recycle":
		c.Loop().Recycle()
		_ = c.Send([]byte("recycling"))
	default:
		_ = c.Send([]byte(verb))
	}
}

// requests answers each request after the milliseconds that its path says; /never is never answered.
func requests() *lineman.Worker {
	w := &lineman.Worker{Name: "requests", Addr: "http://127.0.0.1:0"}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		answer := func() { _ = c.Send([]byte(version)) }
		switch ms, err := strconv.Atoi(string(r.Path()[1:])); {
		case string(r.Path()) == "/never":
		case err == nil && ms > 0:
			c.Loop().After(time.Duration(ms)*time.Millisecond, answer)
		default:
			answer()
		}
	}
	return w
}

func echo() *lineman.Worker {
	w := &lineman.Worker{Name: "echo", Addr: "websocket://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, msg []byte) { _ = c.Send(msg) }
	return w
}
