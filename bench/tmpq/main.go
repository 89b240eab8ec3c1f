package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/lineman-go/lineman"
)

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
func main() {
	mode := os.Args[1]
	target := os.Args[2]
	switch mode {
	case "lineman":
		w := &lineman.Worker{Addr: "tcp://127.0.0.1:3307"}
		w.OnConnect = func(c *lineman.Conn) {
			to, err := c.Loop().Dial("tcp://"+target, lineman.Dialer{})
			if err == nil {
				err = lineman.Pipe(c, to)
			}
			if err != nil {
				panic(err)
			}
		}
		start := cpu()
		w.OnClose = func(c *lineman.Conn, err error) { fmt.Println("lineman cpu", cpu()-start, err, c.Stats().BytesIn); os.Exit(0) }
		lineman.Run(context.Background(), w)
	case "std":
		ln, _ := net.Listen("tcp", "127.0.0.1:3307")
		c, _ := ln.Accept()
		start := cpu()
		to, _ := net.Dial("tcp", target)
		go io.Copy(c, to)
		n, err := io.Copy(to, c)
		fmt.Println("std cpu", cpu()-start, err, n)
	case "source":
		ln, _ := net.Listen("tcp", target)
		go func() { for { c, err := ln.Accept(); if err != nil { return }; io.Copy(io.Discard, c); c.Close() } }()
		c, err := net.Dial("tcp", "127.0.0.1:3307")
		if err != nil { panic(err) }
		b := make([]byte, 256<<10)
		t := time.Now()
		for i := 0; i < 8192; i++ { if _, err := c.Write(b); err != nil { panic(err) } }
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
		fmt.Println("source", time.Since(t))
	}
}
