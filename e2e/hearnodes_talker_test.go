package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// talker is a page that says 1, 2, 3 and so on. One of level 1 says a number when it was told that the one before is
// taken; one of level 0 is told nothing.
type talker struct {
	uid   string
	level int
	node  int
	page  *speaking // of level 1
	conn  net.Conn
	said  int
	id    int
}

// comeTo connects to a node at an address.
func (k *talker) comeTo(node int, addr string) (err error) {
	k.node = node
	if k.conn, err = net.DialTimeout("tcp", addr, patience); err != nil {
		return err
	}
	if k.level == 1 {
		if k.page, err = speak(k.conn, k.uid); err != nil {
			k.conn.Close()
		}
		return err
	}
	if _, _, err = (ws.Dialer{}).Upgrade(k.conn, nodeURL); err == nil {
		err = wsutil.WriteClientText(k.conn, []byte(k.uid))
	}
	return err
}

// say says the next number, until it is taken.
func (k *talker) say() error {
	number := strconv.Itoa(k.said + 1)
	if k.level == 0 {
		k.said++
		return wsutil.WriteClientText(k.conn, []byte(number))
	}
	for again := false; ; again = true {
		answer, err := k.ask(map[string]any{"op": "say", "data": json.RawMessage(number), "again": again})
		switch {
		case err != nil:
			return err
		case answer.Op == "say":
			k.said++
			return nil
		case answer.Code != 503:
			return fmt.Errorf("a say is answered by %+v", answer)
		}
	}
}

// ask sends a frame with an id, and waits for its answer.
func (k *talker) ask(frame map[string]any) (spoken, error) {
	k.id++
	frame["id"] = k.id + 1 // hello had the first one
	if err := k.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return spoken{}, err
	}
	if err := k.page.write(frame); err != nil {
		return spoken{}, err
	}
	for {
		if m, err := k.page.read(); err != nil || m.ID == k.id+1 {
			return m, err
		}
	}
}

// leave ends it as a page does that is closed.
func (k *talker) leave() {
	_ = wsutil.WriteClientMessage(k.conn, ws.OpClose, ws.NewCloseFrameBody(ws.StatusGoingAway, ""))
	k.conn.Close()
}
