//go:build unix

// Command net is package net: a goroutine for each connection, and one for all datagrams.
package main

import (
	"bufio"
	"net"

	"github.com/lineman-go/lineman/bench/served"
)

func main() {
	served.By(map[string]served.Server{"tcp": serve(echoBytes), "text": serve(echoLines), "udp": echoDatagrams})
}

func serve(echo func(net.Conn)) served.Server {
	return func(addr, _, _ string) error {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			go echo(c)
		}
	}
}

func echoBytes(c net.Conn) {
	defer c.Close()
	for b := make([]byte, 16<<10); ; {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

// echoLines writes what it has when no whole line waits.
func echoLines(c net.Conn) {
	defer c.Close()
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		if _, err := w.Write(line); err != nil {
			return
		}
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return
			}
		}
	}
}

func echoDatagrams(addr, _, _ string) error {
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return err
	}
	conn, err := net.ListenUDP("udp", at)
	if err != nil {
		return err
	}
	for b := make([]byte, 64<<10); ; {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return err
		}
		if _, err := conn.WriteToUDPAddrPort(b[:n], from); err != nil {
			return err
		}
	}
}
