package exchange

import "net"

// hijack gives the connection away, and with it what has come and was not read. Below TLS and on a
// Unix socket it is the exchange itself, and all that comes is fed to it.
func (x *Exchange) hijack() (net.Conn, []byte, error) {
	x.beginTunnel()
	if _, isTCP := x.ends.Local.(*net.TCPAddr); !isTCP || x.tls != nil {
		return x, nil, nil
	}
	if err := x.await(func(s State) bool { return s.Pending == 0 }); err != nil {
		return nil, nil, err
	}
	conn, unread, err := x.conn.Detach()
	if err != nil {
		return nil, nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	unread = append(x.queue, unread...)
	x.queue = nil
	return conn, unread, nil
}

func (x *Exchange) beginTunnel() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tunnel, x.held = true, true
	x.goOnLocked()
}
