package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// chatter is a client that says 1, 2, 3 to the program converse, and has to be told 1, 2, 3.
type chatter struct {
	manner *manner
	conn   net.Conn
	in     *bufio.Reader
	said   int
	told   int
}

// manner is a way to converse.
type manner struct {
	name   string
	worker string // of converse
	share  int    // how many of a hundred clients have it
	open   func(c net.Conn, addr string) (*bufio.Reader, error)

	// say gives the bytes of a message: the first of them, and those that follow after a while, so that a handover
	// comes in between for some.
	say  func(text string) (first, rest []byte)
	hear func(r *bufio.Reader) (string, error)

	idle  bool // says nothing until the end
	flood bool // asks for more answers than the kernel takes, and reads them at the end
}

// manners are those of a crowd. Their shares are a hundred together.
var manners = []*manner{
	{name: "idle", worker: "talk", share: 30, open: upgraded, say: aFrame, hear: hearFrame, idle: true},
	{name: "chatting", worker: "talk", share: 29, open: upgraded, say: aFrame, hear: hearFrame},
	{name: "stalled", worker: "talk", share: 1, open: upgraded, say: aFrame, hear: hearFrame, idle: true, flood: true},
	{name: "fragmented", worker: "talk", share: 10, open: upgraded, say: fragments, hear: hearFrame},
	{name: "half a frame", worker: "talk", share: 10, open: upgraded, say: halfFrame, hear: hearFrame},
	{name: "compressed", worker: "talk", share: 10, open: compressed, say: halfCompressed, hear: hearFrame},
	{name: "half a request", worker: "requests", share: 5, open: plainly, say: halfRequest, hear: hearResponse},
	{name: "half a line", worker: "lines", share: 5, open: plainly, say: halfLine, hear: hearLine},
}

func plainly(c net.Conn, _ string) (*bufio.Reader, error) { return bufio.NewReaderSize(c, 512), nil }

func upgraded(c net.Conn, addr string) (*bufio.Reader, error) {
	return upgradedBy(ws.Dialer{}, c, addr)
}

func compressed(c net.Conn, addr string) (*bufio.Reader, error) {
	p := wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}
	return upgradedBy(ws.Dialer{Extensions: []httphead.Option{p.Option()}}, c, addr)
}

func upgradedBy(d ws.Dialer, c net.Conn, addr string) (*bufio.Reader, error) {
	ahead, h, err := d.Upgrade(c, &url.URL{Scheme: "ws", Host: addr, Path: "/"})
	switch {
	case err != nil:
		return nil, err
	case ahead != nil:
		return ahead, nil
	case len(d.Extensions) != len(h.Extensions):
		return nil, fmt.Errorf("no compression was agreed on")
	}
	return bufio.NewReaderSize(c, 512), nil
}

func frameOf(f ws.Frame) []byte { return ws.MustCompileFrame(ws.MaskFrame(f)) }

func aFrame(text string) (first, rest []byte) { return frameOf(ws.NewTextFrame([]byte(text))), nil }

// halved is a message in two pieces, cut anywhere.
func halved(message []byte) (first, rest []byte) {
	cut := 1 + rand.IntN(len(message)-1)
	return message[:cut], message[cut:]
}

func halfFrame(text string) (first, rest []byte) {
	return halved(frameOf(ws.NewTextFrame([]byte(text))))
}

// fragments are three frames, the last of which comes later. Numbers of one digit have an empty one.
func fragments(text string) (first, rest []byte) {
	first = frameOf(ws.NewFrame(ws.OpText, false, []byte(text[:len(text)/2])))
	first = append(first, frameOf(ws.NewFrame(ws.OpContinuation, false, nil))...)
	return first, frameOf(ws.NewFrame(ws.OpContinuation, true, []byte(text[len(text)/2:])))
}

func halfCompressed(text string) (first, rest []byte) {
	f, err := wsflate.CompressFrame(ws.NewTextFrame([]byte(text)))
	if err != nil {
		panic(err)
	}
	return halved(frameOf(f))
}

func halfRequest(text string) (first, rest []byte) {
	return halved([]byte("GET /" + text + " HTTP/1.1\r\nHost: converse\r\n\r\n"))
}

func halfLine(text string) (first, rest []byte) { return halved([]byte(text + "\n")) }

func hearFrame(r *bufio.Reader) (string, error) {
	f, err := ws.ReadFrame(r)
	if err != nil {
		return "", err
	}
	if f.Header.OpCode == ws.OpClose {
		code, reason := ws.ParseCloseFrameData(f.Payload)
		return "", fmt.Errorf("the server said goodbye: %d %s", code, reason)
	}
	if is, err := wsflate.IsCompressed(f.Header); err != nil {
		return "", err
	} else if is {
		if f, err = wsflate.DecompressFrame(f); err != nil {
			return "", err
		}
	}
	return string(f.Payload), nil
}

func hearLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

func hearResponse(r *bufio.Reader) (string, error) {
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.Close {
		err = fmt.Errorf("the server closes the connection: %s", response.Status)
	}
	return string(body), err
}

// connect has a client come.
func (m *manner) connect(dial func(worker string) (net.Conn, error), addr string) (*chatter, error) {
	c, err := dial(m.worker)
	if err != nil {
		return nil, err
	}
	t := &chatter{manner: m, conn: c}
	if err = c.SetDeadline(time.Now().Add(patience)); err == nil {
		t.in, err = m.open(c, addr)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return t, nil
}

// floods is how many large answers a client asks for that does not read.
const floods = 400

// live converses until ctx ends: once in a period.
func (t *chatter) live(ctx context.Context, period time.Duration) error {
	if t.manner.flood {
		if err := t.say(fmt.Sprintf("%d %d", t.said+1, floods), 0); err != nil {
			return err
		}
	}
	pause(ctx, rand.N(period)) // not all at once
	for ctx.Err() == nil && !t.manner.idle {
		if err := t.say(strconv.Itoa(t.said+1), rand.N(period/2)); err != nil {
			return err
		}
		if err := t.listen(1); err != nil {
			return err
		}
		pause(ctx, period/2+rand.N(period/2))
	}
	<-ctx.Done()
	return t.last()
}

// last has the client say something more, and hear all that it has not yet.
func (t *chatter) last() error {
	if t.manner.flood {
		if err := t.listen(floods); err != nil {
			return err
		}
	}
	if err := t.say(strconv.Itoa(t.said+1), 0); err != nil {
		return err
	}
	return t.listen(1)
}

// say sends a message, the rest of it after a while.
func (t *chatter) say(text string, while time.Duration) error {
	t.said++
	if err := t.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	first, rest := t.manner.say(text)
	if _, err := t.conn.Write(first); err != nil {
		return err
	}
	if rest == nil {
		return nil
	}
	time.Sleep(while)
	_, err := t.conn.Write(rest)
	return err
}

// listen hears so many answers, which have the numbers that follow.
func (t *chatter) listen(answers int) error {
	for range answers {
		if err := t.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		answer, err := t.manner.hear(t.in)
		if err != nil {
			return fmt.Errorf("%s: after %d answers: %w", t.manner.name, t.told, err)
		}
		t.told++
		if number, _, _ := strings.Cut(answer, " "); number != strconv.Itoa(t.told) {
			return fmt.Errorf("%s: told %.40q, want %d", t.manner.name, answer, t.told)
		}
	}
	return nil
}

// pause waits, but not longer than ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
