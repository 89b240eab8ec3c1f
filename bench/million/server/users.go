//go:build unix

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// uid is the number of a user, and the value of its connection.
type uid uint32

// users are those of a process, each with its connection. Owned by the loop.
type users map[uid]*lineman.Conn

var uidField = []byte("uid=")

// come notes a user, whose handshake says ?uid=NUMBER. The last connection of a user counts.
func (u users) come(c *lineman.Conn) {
	number, ok := bytes.CutPrefix(c.Request().Query(), uidField)
	n, err := strconv.ParseUint(string(number), 10, 32)
	if !ok || err != nil {
		_ = c.CloseWith(websocket.Policy, "want ?uid=NUMBER")
		return
	}
	c.SetValue(uid(n))
	u[uid(n)] = c
}

// save is what the next process has to know of a connection.
func save(c *lineman.Conn) ([]byte, error) {
	who, ok := c.Value().(uid)
	if !ok {
		return nil, errors.New("it has no uid")
	}
	return binary.BigEndian.AppendUint32(nil, uint32(who)), nil
}

// restore notes the user of a connection that the process before has saved.
func (u users) restore(c *lineman.Conn, saved []byte) error {
	who := uid(binary.BigEndian.Uint32(saved))
	c.SetValue(who)
	u[who] = c
	return nil
}

func (u users) leave(c *lineman.Conn) {
	if who, ok := c.Value().(uid); ok && u[who] == c {
		delete(u, who)
	}
}

// push sends the text of a line to its user, and answers how many connections took it.
func (u users) push(backEnd *lineman.Conn, line []byte) {
	number, text, _ := bytes.Cut(line, []byte(" "))
	answer := "0"
	if n, err := strconv.ParseUint(string(number), 10, 32); err != nil {
		answer = "error: want UID text"
	} else if c := u[uid(n)]; c != nil && c.Send(text) == nil {
		answer = "1"
	}
	_ = backEnd.Send([]byte(answer)) // a back end that has gone misses it
}
