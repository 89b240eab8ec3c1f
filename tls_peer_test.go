package lineman_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// tlsPeer is a client after its handshake that makes its records itself, so that it can send what crypto/tls never
// would. It reads by crypto/tls.
type tlsPeer struct {
	*linemantest.Client
	t      *testing.T
	raw    net.Conn
	secret []byte
	seq    uint64
}

// Types of content of a record (RFC 8446, 5.1).
const (
	ofHandshake   = 22
	ofApplication = 23
)

// dialPeer shakes hands with w.
func dialPeer(t *testing.T, s *linemantest.Server, w *lineman.Worker) *tlsPeer {
	t.Helper()
	var keys bytes.Buffer
	raw := dial(t, s.Addr(w))
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, KeyLogWriter: &keys, MinVersion: tls.VersionTLS13})
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	if conn.ConnectionState().CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skip("the records of this test are for AES, which is slow here and was not agreed on")
	}
	p := &tlsPeer{t: t, raw: raw, Client: linemantest.NewClient(t, conn, w)}
	for _, line := range strings.Split(keys.String(), "\n") {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "CLIENT_TRAFFIC_SECRET_0" {
			p.secret, _ = hex.DecodeString(fields[2]) // an empty one fails below
		}
	}
	return p
}

// expand is HKDF-Expand-Label without a context (RFC 8446, 7.1), for at most one block.
func (p *tlsPeer) expand(label string, size int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(size))
	info = append(append(info, byte(6+len(label))), "tls13 "+label+"\x00\x01"...)
	mac := hmac.New(sha256.New, p.secret)
	mac.Write(info)
	return mac.Sum(nil)[:size]
}

// seal makes a record.
func (p *tlsPeer) seal(kind byte, content string) []byte {
	block, err := aes.NewCipher(p.expand("key", 16))
	if err != nil {
		p.t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		p.t.Fatal(err)
	}
	nonce := p.expand("iv", 12)
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^p.seq)
	p.seq++
	header := binary.BigEndian.AppendUint16([]byte{ofApplication, 3, 3}, uint16(len(content)+1+gcm.Overhead()))
	return gcm.Seal(header, nonce, append([]byte(content), kind), header)
}

// keyUpdate is a record after which the peer has other keys, and wants them of the server (RFC 8446, 4.6.3).
func (p *tlsPeer) keyUpdate() []byte {
	record := p.seal(ofHandshake, "\x18\x00\x00\x01\x01")
	p.secret, p.seq = p.expand("traffic upd", sha256.Size), 0
	return record
}

func (p *tlsPeer) write(records ...[]byte) {
	p.t.Helper()
	if _, err := p.raw.Write(slices.Concat(records...)); err != nil {
		p.t.Fatal(err)
	}
}

// TestTLSKeyUpdate has messages before, between and after new keys of both sides come through, in whatever pieces.
func TestTLSKeyUpdate(t *testing.T) {
	w := secured(t, "text")
	w.OnMessage = echo
	s := linemantest.Start(t, w)
	p := dialPeer(t, s, w)
	want := func(lines ...string) {
		t.Helper()
		for _, line := range lines {
			if got := p.Receive(); got != line {
				t.Errorf("%q came back as %q", line, got)
			}
		}
	}
	p.write(p.seal(ofApplication, "one\n"), p.keyUpdate(), p.seal(ofApplication, "two\n"))
	want("one", "two")
	p.write(p.keyUpdate())
	p.write(p.seal(ofApplication, "three\n"))
	want("three")
	for _, b := range slices.Concat(p.keyUpdate(), p.seal(ofApplication, "four\n")) {
		p.write([]byte{b})
	}
	want("four")
	update := p.seal(ofHandshake, "\x18\x00") // a message of TLS in two records
	rest := p.seal(ofHandshake, "\x00\x01\x01")
	p.secret, p.seq = p.expand("traffic upd", sha256.Size), 0
	p.write(update)
	s.Do(w, func(*lineman.Loop) {})
	p.write(rest, p.seal(ofApplication, "five\n"))
	want("five")
}

// TestTLSBadRecord has a record that was tampered with answered by an alert.
func TestTLSBadRecord(t *testing.T) {
	w := secured(t, "text")
	closed := make(chan error, 1)
	w.OnMessage = echo
	w.OnClose = func(_ *lineman.Conn, err error) { closed <- err }
	s := linemantest.Start(t, w)
	p := dialPeer(t, s, w)
	good, bad := p.seal(ofApplication, "good\n"), p.seal(ofApplication, "bad\n")
	bad[len(bad)-1]++
	p.write(good)
	if got := p.Receive(); got != "good" {
		t.Errorf("got %q", got)
	}
	p.write(bad)
	if _, err := p.Reader.ReadByte(); err == nil || !strings.Contains(err.Error(), "bad record MAC") {
		t.Errorf("the peer is told: %v", err)
	}
	if err := next(t, closed, "OnClose"); err == nil || !strings.Contains(err.Error(), "tls: bad record MAC") {
		t.Errorf("OnClose: %v", err)
	}
}

// TestTLSMemory has an idle connection hold no memory for records, and one with half a record that half.
func TestTLSMemory(t *testing.T) {
	w := secured(t, "tcp")
	conns, arrived := make(chan *lineman.Conn, 1), make(chan int, 100)
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	w.OnMessage = func(c *lineman.Conn, msg []byte) { echo(c, msg); arrived <- len(msg) }
	s := linemantest.Start(t, w)
	p := dialPeer(t, s, w)
	c := next(t, conns, "OnConnect")
	held := func() (n int) {
		s.Do(w, func(*lineman.Loop) { n = c.TLSMemory(t) })
		return n
	}
	if n := held(); n > 0 {
		t.Errorf("%d bytes after the handshake", n)
	}
	p.write(p.seal(ofApplication, strings.Repeat("x", 16<<10)))
	next(t, arrived, "a full-size record")
	if n := held(); n > 0 {
		t.Errorf("%d bytes after a full-size record", n)
	}
	record := p.seal(ofApplication, strings.Repeat("y", 1000))
	before := bytesIn(s, w, c)
	p.write(record[:600])
	linemantest.Until(t, "the bytes do not arrive", func() bool { return bytesIn(s, w, c) >= before+600 })
	if n := held(); n < 600 || n > 2000 {
		t.Errorf("%d bytes with 600 of a record", n)
	}
	p.write(record[600:])
	if n := next(t, arrived, "the record"); n != 1000 {
		t.Errorf("%d bytes of 1000", n)
	}
	if n := held(); n > 0 {
		t.Errorf("%d bytes at the end", n)
	}
}

func bytesIn(s *linemantest.Server, w *lineman.Worker, c *lineman.Conn) (n uint64) {
	s.Do(w, func(*lineman.Loop) { n = c.Stats().BytesIn })
	return n
}

// TestTLSStats has the bytes of a connection counted as the kernel sees them, both ways.
func TestTLSStats(t *testing.T) {
	w := secured(t, "tcp")
	stats := make(chan lineman.ConnStats, 1)
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		echo(c, msg)
		c.Loop().Do(func() { c.Loop().Do(func() { stats <- c.Stats() }) }) // after it was written
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Send("x")
	if n := next(t, stats, "the counters"); n.BytesIn < 200 || n.BytesOut < 600 {
		t.Errorf("%d bytes in, %d out: the handshake alone takes more", n.BytesIn, n.BytesOut)
	}
}

// TestTLSNames has the certificate chosen by the name that the client wants.
func TestTLSNames(t *testing.T) {
	w := secured(t, "text")
	other := linemantest.TLS(t).Certificates[0]
	w.TLS.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		switch hello.ServerName {
		case "other.example":
			return &other, nil
		case "localhost":
			return nil, nil // the first of Certificates
		}
		return nil, fmt.Errorf("no certificate for %q", hello.ServerName)
	}
	s := linemantest.Start(t, w)
	for name, want := range map[string][]byte{
		"localhost": w.TLS.Certificates[0].Certificate[0], "other.example": other.Certificate[0], "unknown": nil,
	} {
		conn := tls.Client(dial(t, s.Addr(w)), &tls.Config{InsecureSkipVerify: true, ServerName: name})
		err := conn.Handshake()
		if want == nil {
			if err == nil || !strings.Contains(err.Error(), "internal error") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(conn.ConnectionState().PeerCertificates[0].Raw, want) {
			t.Errorf("%s: another certificate, %v", name, err)
		}
	}
}

// TestTLSVanishes has clients go at every step of the handshake.
func TestTLSVanishes(t *testing.T) {
	linemantest.NoLeaks(t)
	w := secured(t, "text")
	w.OnMessage = echo
	s := linemantest.Start(t, w)
	for most := 1; most < 2500; most += 97 {
		raw := dial(t, s.Addr(w))
		_ = tls.Client(&vanishing{Conn: raw, left: most}, &tls.Config{InsecureSkipVerify: true}).Handshake()
		raw.Close()
	}
	for until := time.Now().Add(patience); ; {
		var live int
		s.Do(w, func(l *lineman.Loop) { live = l.Stats().Conns })
		if live == 0 {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("%d connections are left", live)
		}
	}
}

// vanishing writes so many bytes and is gone.
type vanishing struct {
	net.Conn
	left int
}

func (v *vanishing) Write(p []byte) (int, error) {
	n, err := v.Conn.Write(p[:min(len(p), v.left)])
	if v.left -= n; err == nil && n < len(p) {
		err = v.Close()
	}
	return n, err
}
