// A client behind a SOCKS5 proxy: it sends one line and prints the answer.
//
//	go -C examples/socks run . -proxy socks5://127.0.0.1:1080 text://127.0.0.1:2015 hello
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/net/proxy"

	"github.com/lineman-go/lineman"
)

func main() {
	through := flag.String("proxy", "socks5://127.0.0.1:1080",
		"`URL` of the proxy, with user and password if it wants them")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: socks [-proxy URL] address line")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	answer, err := ask(ctx, *through, flag.Arg(0), flag.Arg(1))
	if err != nil {
		fmt.Fprintln(os.Stderr, "socks:", err)
		os.Exit(1)
	}
	fmt.Println(answer)
}

// connectBy makes connections by a proxy.
func connectBy(u *url.URL) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		s := &socket{}
		d, err := proxy.FromURL(u, s)
		if err != nil {
			return nil, err
		}
		if _, err := d.(proxy.ContextDialer).DialContext(ctx, network, address); err != nil {
			return nil, err
		}
		return s.conn, nil
	}
}

// socket remembers the connection to the proxy: the loop needs that, and not what the proxy's client wraps around it.
type socket struct {
	net.Dialer
	conn net.Conn
}

func (s *socket) DialContext(ctx context.Context, network, address string) (c net.Conn, err error) {
	s.conn, err = s.Dialer.DialContext(ctx, network, address)
	return s.conn, err
}

// ask connects through a proxy, sends a line and waits for one.
func ask(ctx context.Context, through, addr, line string) (answer string, err error) {
	u, err := url.Parse(through)
	if err != nil {
		return "", err
	}
	if _, err := proxy.FromURL(u, proxy.Direct); err != nil {
		return "", err
	}
	ctx, done := context.WithCancel(ctx)
	defer done()

	failed := errors.New("the connection ended without an answer")
	d := lineman.Dialer{Connect: connectBy(u)}
	d.OnConnect = func(c *lineman.Conn) { _ = c.Send([]byte(line)) }
	d.OnMessage = func(c *lineman.Conn, msg []byte) {
		answer, failed = string(msg), nil
		_ = c.Close()
	}
	d.OnClose = func(_ *lineman.Conn, err error) {
		if answer == "" && err != nil {
			failed = err
		}
		done()
	}
	w := &lineman.Worker{Name: "socks"} // a loop without a listener
	w.OnStart = func(l *lineman.Loop) error {
		_, err := l.Dial(addr, d)
		return err
	}
	if err := lineman.Run(ctx, w); err != nil {
		return "", err
	}
	return answer, failed
}
