//go:build unix

// Command server is an application as the framework has it: processes under a master, each with a port for WebSockets
// and with its users in a plain map. A message from a user goes to all users of the process. A line "UID text", on the
// Unix socket of the process in the folder, goes to one user; the answer is how many connections took it.
//
//	go -C bench run ./million/server -ports 7000,7001 -folder DIR start
//	go -C bench run ./million/server -ports 7000,7001 -folder DIR reload
package main

import (
	"flag"
	"path/filepath"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/websocket"
)

func main() {
	ports := flag.String("ports", "7000", "ports on 127.0.0.1, separated by commas: each is a process")
	folder := flag.String("folder", ".", "where the files of the program are, and PORT.lines of each process")
	pings := flag.Duration("pings", 0, "how long a connection may send nothing before it is pinged; 0 means for ever")
	flag.Parse()
	m := &lineman.Master{
		PIDFile: filepath.Join(*folder, "server.pid"), Socket: filepath.Join(*folder, "server.sock"),
		LogFile:       filepath.Join(*folder, "server.log"),
		ReloadTimeout: time.Minute, // there are many processes for one core
	}
	for port := range strings.SplitSeq(*ports, ",") {
		m.Workers = append(m.Workers, service(port, *folder, *pings))
	}
	m.Main()
}

// service is what one process runs.
func service(port, folder string, pings time.Duration) *lineman.Worker {
	users, handed := users{}, false
	pages := &lineman.Worker{
		Name: port, Addr: "websocket://127.0.0.1:" + port,
		Protocol: &websocket.Protocol{PingInterval: pings},
	}
	pages.OnConnect = users.come
	pages.OnClosing = users.leave
	pages.Save, pages.Restore = save, users.restore
	pages.OnHandover = func(*lineman.Loop) { handed = true }
	pages.OnMessage = func(c *lineman.Conn, msg []byte) { c.Loop().Broadcast(c.Loop().Conns(pages), msg) }
	pages.OnStart = func(l *lineman.Loop) error {
		memory := scavenger{}
		l.Every(10*time.Second, func() { memory.tidy(len(users)) })
		_, err := l.Listen(&lineman.Worker{
			Name: port + " lines", Addr: "text+unix://" + filepath.Join(folder, port+".lines"), Events: lineman.Events{
				OnMessage: func(c *lineman.Conn, line []byte) {
					if handed {
						_ = c.Close() // the next process has the users: it is to be asked again
						return
					}
					users.push(c, line)
				},
			},
		})
		return err
	}
	return pages
}
