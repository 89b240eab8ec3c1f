package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"time"
)

// send is a back end: it writes one line and prints the answer.
func send(addr, line string, out io.Writer) error {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return fmt.Errorf("no server on %s: start one with: go run ./examples/push: %w", addr, err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c, "%s\n", line); err != nil {
		return err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return fmt.Errorf("no answer from %s: %w", addr, err)
	}
	_, err = io.WriteString(out, answer)
	return err
}
