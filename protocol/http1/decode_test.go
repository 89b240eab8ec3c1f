package http1_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/http1"
)

// labelled is the protocol with "METHOD target body" for each request, trailers after it, and the status for the error.
type labelled struct{ http1.Protocol }

func (p *labelled) NewCodec(limit int) protocol.Codec {
	return labelledCodec{p.Protocol.NewCodec(limit).(*http1.Codec)}
}

type labelledCodec struct{ *http1.Codec }

func (c labelledCodec) Decode(data []byte) (int, []byte, error) {
	n, msg, err := c.Codec.Decode(data)
	if msg != nil {
		r := c.Request()
		label := fmt.Sprintf("%s %s %s", r.Method(), r.Target(), msg)
		for name, value := range r.Trailers() {
			label += fmt.Sprintf(" %s=%s", name, value)
		}
		msg = []byte(label)
	}
	var e *http1.Error
	if errors.As(err, &e) {
		err = status(e.Status)
	}
	return n, msg, err
}

// status is that of an answer, as an error.
type status int

func (s status) Error() string { return fmt.Sprint(int(s)) }

const host = "Host: x\r\n"

func TestRequestLine(t *testing.T) {
	vectors := []linemantest.Vector{
		{Name: "plain", Wire: "GET / HTTP/1.1\r\n" + host + "\r\n", Messages: []string{"GET / "}},
		{Name: "a query", Wire: "GET /a?b=c HTTP/1.1\r\n" + host + "\r\n", Messages: []string{"GET /a?b=c "}},
		{Name: "any token is a method", Wire: "BREW /pot HTTP/1.1\r\n" + host + "\r\n",
			Messages: []string{"BREW /pot "}},
		{Name: "the whole server", Wire: "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", Messages: []string{"OPTIONS * "}},
		{Name: "absolute", Wire: "GET http://y/a HTTP/1.1\r\n" + host + "\r\n", Messages: []string{"GET http://y/a "}},
		{Name: "HTTP/1.0", Wire: "GET / HTTP/1.0\r\n\r\n", Messages: []string{"GET / "}},
		{Name: "a later minor version", Wire: "GET / HTTP/1.2\r\n" + host + "\r\n", Messages: []string{"GET / "}},
		{Name: "an empty line before", Wire: "\r\nGET / HTTP/1.1\r\n" + host + "\r\n", Err: status(400)},
		{Name: "pipelined", Wire: "GET /1 HTTP/1.1\r\n" + host + "\r\nGET /2 HTTP/1.1\r\n" + host + "\r\n",
			Messages: []string{"GET /1 ", "GET /2 "}},
		{Name: "half", Wire: "GET / HTTP/1.1\r\nHost:"},
		{Name: "nothing", Wire: ""},
		{Name: "a long target", Wire: "GET /" + strings.Repeat("x", 9000) + " HTTP/1.1\r\n", Err: status(414)},
		{Name: "a long target without an end", Wire: "GET /" + strings.Repeat("x", 20000), Err: status(414)},
		{Name: "CONNECT", Wire: "CONNECT x:1 HTTP/1.1\r\n" + host + "\r\n", Err: status(501)},
		{Name: "HTTP/2.0", Wire: "GET / HTTP/2.0\r\n" + host + "\r\n", Err: status(505)},
		{Name: "HTTP/0.9", Wire: "GET / HTTP/0.9\r\n" + host + "\r\n", Err: status(505)},
		{Name: "the preface of HTTP/2", Wire: "PRI * HTTP/2.0\r\n\r\n", Err: status(505)},
	}
	for name, line := range map[string]string{
		"no version": "GET /", "two spaces": "GET  / HTTP/1.1", "a space behind": "GET / HTTP/1.1 ",
		"a tab": "GET\t/ HTTP/1.1", "no target": "GET HTTP/1.1", "lower-case version": "GET / http/1.1",
		"a long version": "GET / HTTP/1.11", "no digit": "GET / HTTP/1.x", "a method with a colon": "G:T / HTTP/1.1",
		"a space in the target": "GET /a b HTTP/1.1", "a control character": "GET /\x01 HTTP/1.1",
		"a fragment": "GET /#a HTTP/1.1", "not ASCII": "GET /é HTTP/1.1", "a relative target": "GET a HTTP/1.1",
		"an asterisk for GET": "GET * HTTP/1.1", "another scheme": "GET ftp://x/ HTTP/1.1",
		"an absolute target without a host": "GET http:///a HTTP/1.1", "an empty method": " / HTTP/1.1",
		"a CR inside": "GET /\ra HTTP/1.1", "NUL": "GET /\x00 HTTP/1.1", "user information": "GET http://a@b/ HTTP/1.1",
	} {
		vectors = append(vectors, linemantest.Vector{Name: name, Wire: line + "\r\n" + host + "\r\n", Err: status(400)})
	}
	linemantest.TestCodec(t, &labelled{}, vectors...)
}

func TestFields(t *testing.T) {
	get := "GET / HTTP/1.1\r\n"
	vectors := []linemantest.Vector{
		{Name: "space around a value", Wire: get + "Host: \t x \t\r\n\r\n", Messages: []string{"GET / "}},
		{Name: "an empty value", Wire: get + host + "X:\r\n\r\n", Messages: []string{"GET / "}},
		{Name: "bytes above ASCII in a value", Wire: get + host + "X: \xe9\r\n\r\n", Messages: []string{"GET / "}},
		{Name: "a hundred fields", Wire: get + host + strings.Repeat("X: y\r\n", 99) + "\r\n",
			Messages: []string{"GET / "}},
		{Name: "too many fields", Wire: get + host + strings.Repeat("X: y\r\n", 100) + "\r\n", Err: status(431)},
		{Name: "too large a field", Wire: get + host + "X: " + strings.Repeat("y", 20000), Err: status(431)},
		{Name: "too large a head", Wire: get + host + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 20),
			Err: status(431)},
		{Name: "100-continue", Wire: "POST / HTTP/1.1\r\n" + host + "Content-Length: 2\r\n" +
			"Expect: 100-Continue\r\n\r\nok", Messages: []string{"POST / ok"}},
		{Name: "another expectation",
			Wire: "POST / HTTP/1.1\r\n" + host + "Content-Length: 2\r\nExpect: wonders\r\n\r\nok", Err: status(417)},
		{Name: "expectations as a list", Wire: "POST / HTTP/1.1\r\n" + host + "Content-Length: 2\r\n" +
			"Expect: , 100-continue, 100-continue\r\n\r\nok", Messages: []string{"POST / ok"}},
		{Name: "one of them unknown", Wire: "POST / HTTP/1.1\r\n" + host + "Content-Length: 2\r\n" +
			"Expect: 100-continue, wonders\r\n\r\nok", Err: status(417)},
		{Name: "an expectation of HTTP/1.0", Wire: "POST / HTTP/1.0\r\nContent-Length: 2\r\n" +
			"Expect: 100-continue\r\n\r\nok", Messages: []string{"POST / ok"}},
	}
	for name, fields := range map[string]string{
		"no Host": "", "two Hosts": host + host, "two different Hosts": host + "Host: y\r\n",
		"a Host with a space": "Host: a b\r\n", "a Host with a slash": "Host: a/b\r\n",
		"a Host with a user": "Host: u@a\r\n", "a bad port": "Host: a:b\r\n", "a long port": "Host: a:123456\r\n",
		"half an IPv6 address": "Host: [::1\r\n", "a Host list": "Host: a, b\r\n",
		"space before the colon": host + "X : y\r\n", "a tab before the colon": host + "X\t: y\r\n",
		"a folded line": host + "X: y\r\n z\r\n", "a folded line by tab": host + "X: y\r\n\tz\r\n",
		"no colon": host + "X\r\n", "an empty name": host + ": y\r\n", "a space before a name": " X: y\r\n" + host,
		"NUL in a value": host + "X: \x00\r\n", "CR in a value": host + "X: a\rb\r\n",
		"DEL in a value": host + "X: \x7f\r\n", "a name in brackets": host + "X(y): z\r\n",
		"a name above ASCII": host + "\xe9: z\r\n", "LF alone": host + "X: y\n",
		"LF alone at the end": host + "X: y\r\n\n",
	} {
		vectors = append(vectors, linemantest.Vector{Name: name, Wire: get + fields + "\r\n", Err: status(400)})
	}
	linemantest.TestCodec(t, &labelled{}, vectors...)
	linemantest.TestCodec(t, &labelled{http1.Protocol{MaxHeader: 40}},
		linemantest.Vector{Name: "at MaxHeader", Wire: get + host + "X: 45678901\r\n\r\n",
			Messages: []string{"GET / "}},
		linemantest.Vector{Name: "above MaxHeader", Wire: get + host + "X: 456789012\r\n\r\n", Err: status(431)},
	)
}

func TestHosts(t *testing.T) {
	for wire, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: example.com:80\r\n\r\n":        "example.com:80",
		"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n":              "[::1]:80",
		"GET / HTTP/1.1\r\nHost:\r\n\r\n":                       "",
		"GET http://y:1/ HTTP/1.1\r\nHost: x\r\n\r\n":           "y:1", // RFC 9112, 3.2.2
		"GET / HTTP/1.0\r\n\r\n":                                "",
		"GET https://y?a HTTP/1.1\r\nHost: x\r\n\r\n":           "y",
		"GET HTTP://[2001:db8::1]/ HTTP/1.1\r\nHost: x\r\n\r\n": "[2001:db8::1]",
	} {
		c := (&http1.Protocol{}).NewCodec(100).(*http1.Codec)
		if n, _, err := c.Decode([]byte(wire)); n != len(wire) || err != nil {
			t.Errorf("%q: %v", wire, err)
		} else if got := string(c.Request().Host()); got != want {
			t.Errorf("%q: host %q, want %q", wire, got, want)
		}
	}
}

func TestBodies(t *testing.T) {
	post := "POST / HTTP/1.1\r\n" + host
	chunked := post + "Transfer-Encoding: chunked\r\n\r\n"
	long := strings.Repeat("0123456789", 1000)
	vectors := []linemantest.Vector{
		{Name: "a length", Wire: post + "Content-Length: 5\r\n\r\nhello", Messages: []string{"POST / hello"}},
		{Name: "a length of 0", Wire: post + "Content-Length: 0\r\n\r\n", Messages: []string{"POST / "}},
		// RFC 9112, 2.2
		{Name: "an empty line after a POST", Wire: post + "Content-Length: 5\r\n\r\nhello\r\n" +
			"GET / HTTP/1.1\r\n" + host + "\r\n", Messages: []string{"POST / hello", "GET / "}},
		{Name: "two of them", Wire: post + "Content-Length: 5\r\n\r\nhello\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n",
			Messages: []string{"POST / hello"}, Err: status(400)},
		{Name: "leading zeros", Wire: post + "Content-Length: 005\r\n\r\nhello", Messages: []string{"POST / hello"}},
		{Name: "a GET with a body", Wire: "GET / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello",
			Messages: []string{"GET / hello"}},
		{Name: "no length is no body", Wire: post + "\r\nGET /2 HTTP/1.1\r\n" + host + "\r\n",
			Messages: []string{"POST / ", "GET /2 "}},
		{Name: "pipelined bodies", Wire: post + "Content-Length: 1\r\n\r\na" + chunked + "1\r\nb\r\n" +
			"0\r\n\r\n" + post + "Content-Length: 1\r\n\r\nc", Messages: []string{"POST / a", "POST / b", "POST / c"}},
		{Name: "half a body", Wire: post + "Content-Length: 5\r\n\r\nhel"},
		{Name: "chunks", Wire: chunked + "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n",
			Messages: []string{"POST / hello, world"}},
		{Name: "no chunk", Wire: chunked + "0\r\n\r\n", Messages: []string{"POST / "}},
		{Name: "hexadecimal of any case", Wire: chunked + "a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n",
			Messages: []string{"POST / 01234567890123456789"}},
		{Name: "chunk extensions", Wire: chunked + "1;a\r\nx\r\n1;b=\"c\"\r\ny\r\n0;z\r\n\r\n",
			Messages: []string{"POST / xy"}},
		{Name: "trailers", Wire: chunked + "1\r\nx\r\n0\r\nA: 1\r\nB: 2\r\n\r\n",
			Messages: []string{"POST / x A=1 B=2"}},
		{Name: "a long chunk", Wire: chunked + "2710\r\n" + long + "\r\n0\r\n\r\n",
			Messages: []string{"POST / " + long}},
		{Name: "many chunks", Wire: chunked + strings.Repeat("2\r\nab\r\n", 500) + "0\r\n\r\n",
			Messages: []string{"POST / " + strings.Repeat("ab", 500)}},
		{Name: "Chunked of any case", Wire: post + "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
			Messages: []string{"POST / "}},
		{Name: "at the limit", Max: 5, Wire: post + "Content-Length: 5\r\n\r\nhello" + chunked + "3\r\nhel\r\n2\r\n" +
			"lo\r\n0\r\n\r\n", Messages: []string{"POST / hello", "POST / hello"}},
		{Name: "a length above the limit", Max: 5, Wire: post + "Content-Length: 6\r\n\r\n", Err: status(413)},
		{Name: "a chunk above the limit", Max: 5, Wire: chunked + "6\r\n", Err: status(413)},
		{Name: "chunks above the limit", Max: 5, Wire: chunked + "3\r\nhel\r\n3\r\n", Err: status(413)},
		{Name: "a length beyond 64 bits", Wire: post + "Content-Length: 99999999999999999999999\r\n\r\n",
			Err: status(413)},
		{Name: "a chunk of 2^63-1", Wire: chunked + "7fffffffffffffff\r\n", Err: status(413)},
		{Name: "a chunk of 2^64-1", Wire: chunked + "ffffffffffffffff\r\n", Err: status(413)},
		{Name: "gzip", Wire: post + "Transfer-Encoding: gzip\r\n\r\n", Err: status(501)},
		{Name: "gzip, chunked", Wire: post + "Transfer-Encoding: gzip, chunked\r\n\r\n", Err: status(501)},
		{Name: "two codings in two fields",
			Wire: post + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", Err: status(501)},
		{Name: "large trailers", Wire: chunked + "0\r\nA: " + strings.Repeat("x", 20000), Err: status(431)},
	}
	for name, wire := range map[string]string{
		"a signed length":         post + "Content-Length: +5\r\n\r\nhello",
		"a negative length":       post + "Content-Length: -5\r\n\r\nhello",
		"no digit":                post + "Content-Length: 5a\r\n\r\nhello",
		"an empty length":         post + "Content-Length:\r\n\r\n",
		"a list of lengths":       post + "Content-Length: 5, 5\r\n\r\nhello",
		"two equal lengths":       post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"two different lengths":   post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"a length with a space":   post + "Content-Length: 5 5\r\n\r\nhello",
		"hexadecimal":             post + "Content-Length: 0x5\r\n\r\nhello",
		"a length and chunks":     post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunks and a length":     post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"chunked twice":           post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunks of HTTP/1.0":      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked is not the last": post + "Transfer-Encoding: chunked, gzip\r\n\r\n",
		"a bad size":              chunked + "g\r\n", "an empty size": chunked + "\r\n",
		"a signed size": chunked + "-1\r\n", "0x": chunked + "0x1\r\nx\r\n",
		"a size with a space before": chunked + " 1\r\nx\r\n", "a long size": chunked + "00000000000000001\r\nx\r\n",
		"LF alone after a size":               chunked + "1\nx\r\n0\r\n\r\n",
		"no CRLF after a chunk":               chunked + "1\r\nxy\r\n0\r\n\r\n",
		"LF alone after a chunk":              chunked + "1\r\nx\n0\r\n\r\n",
		"a long extension":                    chunked + "1;" + strings.Repeat("x", 300) + "\r\nx\r\n",
		"a control character in an extension": chunked + "1;\x01\r\nx\r\n",
		"a bad trailer":                       chunked + "0\r\nA : 1\r\n\r\n",
		"a folded trailer":                    chunked + "0\r\nA: 1\r\n 2\r\n\r\n",
		"tiny chunks with long extensions":    chunked + strings.Repeat("1;"+strings.Repeat("x", 200)+"\r\nx\r\n", 200),
	} {
		vectors = append(vectors, linemantest.Vector{Name: name, Wire: wire, Err: status(400)})
	}
	linemantest.TestCodec(t, &labelled{}, vectors...)
}

// TestExtensions has chunk extensions be what RFC 9112, 7.1.1 says, and nothing else.
func TestExtensions(t *testing.T) {
	chunked := "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n"
	var vectors []linemantest.Vector
	for _, good := range []string{
		"", ";a", ";a=b", "; a", ";\ta = b", `;a="b"`, `;a=""`, `;a="b;c=d"`, `;a="\"\\"`, `;a="` + "\t \xe9" + `"`,
		";a;b=c ;d", `;a="b";c="d"`, ";!#$%&'*+-.^_`|~9=1",
	} {
		vectors = append(vectors,
			linemantest.Vector{Name: "good " + good, Wire: chunked + "1" + good + "\r\nx\r\n0" + good + "\r\n\r\n",
				Messages: []string{"POST / x"}})
	}
	for _, wrong := range []string{";", ";;a", ";a;", ";=b", ";a=", ";a==b", `;a="`, `;a="b`, `;a="b\"`, `;a="b\`,
		`;a="b"c`, `;a=b"c"`, `;a"b"`, ";a b", ";a=b c", ";a ", ";a=b ", ";a=\"b\" ", ";a=b,c", ";a=(b)", `;"a"`,
		";\xe9", ";a=\"\x01\"", ";a=\"\\\x01\"", ";a=\"\x7f\"", ";a=\"b\rc\"", ";a\rb", "\r", " ;a", "\t;a", ",a",
		"=a", `"a"`} {
		vectors = append(vectors,
			linemantest.Vector{Name: "wrong " + wrong, Wire: chunked + "1" + wrong + "\r\nx\r\n0\r\n\r\n",
				Err: status(400)},
			linemantest.Vector{Name: "wrong at the end " + wrong, Wire: chunked + "0" + wrong + "\r\n\r\n",
				Err: status(400)})
	}
	linemantest.TestCodec(t, &labelled{}, vectors...)
}

// TestLongMethod says 501 to a method that is longer than any that there is, though its end has not come.
func TestLongMethod(t *testing.T) {
	rest := " / HTTP/1.1\r\n" + host + "\r\n"
	linemantest.TestCodec(t, &labelled{},
		linemantest.Vector{Name: "of 64 letters", Wire: strings.Repeat("A", 64) + rest,
			Messages: []string{strings.Repeat("A", 64) + " / "}},
		linemantest.Vector{Name: "of 65", Wire: strings.Repeat("A", 65) + rest, Err: status(501)},
		linemantest.Vector{Name: "of 8200", Wire: strings.Repeat("A", 8200) + rest, Err: status(501)},
		linemantest.Vector{Name: "of 10,000", Wire: strings.Repeat("A", 10_000) + rest, Err: status(501)},
		linemantest.Vector{Name: "without an end", Wire: strings.Repeat("A", 10_000), Err: status(501)},
		linemantest.Vector{Name: "and a long target",
			Wire: strings.Repeat("A", 65) + " /" + strings.Repeat("x", 10_000) + rest, Err: status(501)},
		linemantest.Vector{Name: "that is none", Wire: strings.Repeat("(", 65) + rest, Err: status(400)},
		linemantest.Vector{Name: "a long target", Wire: "GET /" + strings.Repeat("x", 10_000) + rest, Err: status(414)},
		linemantest.Vector{Name: "a long field name",
			Wire: "GET / HTTP/1.1\r\n" + strings.Repeat("x", 20_000) + ": y\r\n\r\n", Err: status(431)},
	)
}

// TestChunkDigits has the digits of a chunk's size, and not their neighbours among the characters.
func TestChunkDigits(t *testing.T) {
	head := "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n"
	for digit, n := range map[string]int{"1": 1, "9": 9, "a": 10, "f": 15, "A": 10, "F": 15, "0f": 15, "1F": 31} {
		body := strings.Repeat("x", n)
		linemantest.TestCodec(t, &labelled{}, linemantest.Vector{
			Name: digit, Wire: head + digit + "\r\n" + body + "\r\n0\r\n\r\n", Messages: []string{"POST / " + body},
		})
	}
	for _, digit := range []string{"/", ":", "@", "G", "`", "g", "-1", "+1", "0x1", " 1"} {
		linemantest.TestCodec(t, &labelled{},
			linemantest.Vector{Name: digit, Wire: head + digit + "\r\nx\r\n0\r\n\r\n", Err: status(400)})
	}
}

func FuzzDecode(f *testing.F) {
	post := "POST /a?b HTTP/1.1\r\n" + host
	linemantest.FuzzCodec(f, &http1.Protocol{},
		"GET / HTTP/1.1\r\n"+host+"\r\nGET / HTTP/1.0\r\n\r\n", post+"Content-Length: 5\r\n\r\nhello",
		post+"Transfer-Encoding: chunked\r\n\r\n5;a=\"b\\\"\" ;c\r\nhello\r\n0\r\n\r\n",
		strings.Repeat("A", 70)+" http://x/%zz HTTP/1.1\r\n"+host+"\r\n",
		post+"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: 1\r\n\r\n",
		post+"Content-Length: 99999999999\r\n\r\n")
}

// TestContinue has the wish to be told to go on reported once, when the body is really waited for.
func TestContinue(t *testing.T) {
	head := "POST / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\n"
	for _, tt := range []struct {
		name, wire string
		wants      bool
	}{
		{"head only", head + "Content-Length: 2\r\n\r\n", true},
		{"chunked, head only", head + "Transfer-Encoding: chunked\r\n\r\n", true},
		{"half a head", head, false},
		{"part of the body", head + "Content-Length: 2\r\n\r\nh", false},
		{"part of a chunk", head + "Transfer-Encoding: chunked\r\n\r\n2", false},
		{"all of it", head + "Content-Length: 2\r\n\r\nhi", false},
		{"no body", head + "\r\n", false},
		{"not expected", "POST / HTTP/1.1\r\n" + host + "Content-Length: 2\r\n\r\n", false},
	} {
		c := (&http1.Protocol{}).NewCodec(100).(*http1.Codec)
		if _, _, err := c.Decode([]byte(tt.wire)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := c.WantsContinue(); got != tt.wants {
			t.Errorf("%s: %v", tt.name, got)
		}
		if c.WantsContinue() {
			t.Errorf("%s: it is wanted twice", tt.name)
		}
	}
}

func TestExchange(t *testing.T) {
	for head, want := range map[string]http1.Exchange{
		"GET / HTTP/1.1\r\n" + host:                                         {},
		"HEAD / HTTP/1.1\r\n" + host:                                        {Head: true},
		"GET / HTTP/1.1\r\n" + host + "Connection: close\r\n":               {Close: true},
		"GET / HTTP/1.1\r\n" + host + "Connection: x, CLOSE\r\n":            {Close: true},
		"GET / HTTP/1.1\r\n" + host + "Connection: closed\r\n":              {},
		"GET / HTTP/1.0\r\n":                                                {HTTP10: true, Close: true},
		"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n":                      {HTTP10: true},
		"GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n": {HTTP10: true, Close: true},
	} {
		c := (&http1.Protocol{}).NewCodec(100).(*http1.Codec)
		if _, _, err := c.Decode([]byte(head + "\r\n")); err != nil {
			t.Errorf("%q: %v", head, err)
		} else if got := c.Request().Exchange(); got != want {
			t.Errorf("%q: %+v, want %+v", head, got, want)
		}
	}
}

// TestIdle has a codec hold nothing of a request after it was released.
func TestIdle(t *testing.T) {
	c := (&http1.Protocol{}).NewCodec(100).(*http1.Codec)
	wire := "POST / HTTP/1.1\r\n" + host + "Content-Length: 2\r\n\r\nhi"
	for i := range len(wire) {
		if n, _, err := c.Decode([]byte(wire[:i])); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	if c.Idle() {
		t.Error("idle with half a body")
	}
	if n, _, err := c.Decode([]byte(wire)); n != len(wire) || err != nil || !c.Idle() || c.Request() == nil {
		t.Errorf("used %d, %v", n, err)
	}
	if c.Release(); c.Request() != nil {
		t.Error("the request is still there")
	}
}

func TestAllocations(t *testing.T) {
	c := (&http1.Protocol{}).NewCodec(1000).(*http1.Codec)
	wires := [][]byte{
		[]byte("GET /path?query HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n"),
		[]byte("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\n\r\nhello"),
	}
	out, date := make([]byte, 0, 1000), []byte("Mon, 23 Nov 2026 12:00:00 GMT")
	answer := &http1.Response{Body: []byte("Hello, World!")}
	linemantest.NoAllocations(t, func() {
		for _, wire := range wires {
			if n, _, err := c.Decode(wire); n != len(wire) || err != nil {
				t.Fatal(n, err)
			}
			out, _ = answer.Append(out[:0], c.Request().Exchange(), date)
			c.Release()
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	wire := []byte("GET /path?query HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\nAccept: */*\r\n" +
		"Accept-Language: en\r\n\r\n")
	c := (&http1.Protocol{}).NewCodec(1000).(*http1.Codec)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for range b.N {
		if n, _, err := c.Decode(wire); n != len(wire) || err != nil {
			b.Fatal(n, err)
		}
	}
}
