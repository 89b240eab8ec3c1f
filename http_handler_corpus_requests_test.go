package lineman_test

import (
	"fmt"
	"strings"
	"testing"
)

// difference is requests that ours take otherwise than net/http.
type difference struct {
	because string // the section of an RFC
	std     string // the statuses, in order
	handler string
	request string
	after   string // comes before each of wires
	before  string // and behind it
	lenient int    // so many requests more may ours see
	wires   []string
}

func (d *difference) check(t *testing.T, wire string, std, byHandler, byRequest []answer) {
	t.Helper()
	for _, c := range []struct {
		door, want string
		got        []answer
	}{{"net/http", d.std, std}, {"Handler", d.handler, byHandler}, {"OnRequest", d.request, byRequest}} {
		if got := statuses(c.got); got != c.want {
			t.Errorf("%s: %.300q: %s answers %q, want %q", d.because, wire, c.door, got, c.want)
		}
	}
}

const (
	follower = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n" // behind what might be read in two ways
	posted   = "POST /p HTTP/1.1\r\nHost: x\r\n"
)

// agreeing are requests that ours and net/http take alike.
func agreeing() (wires []string) {
	add := func(format string, values ...string) {
		for _, v := range values {
			wires = append(wires, fmt.Sprintf(format, v))
		}
	}
	add("%s /m HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"+follower,
		"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "get", "M-SEARCH", "X",
		"!#$%&'*+-.^_`|~1a", strings.Repeat("A", 64))
	add("%s / HTTP/1.1\r\nHost: x\r\n\r\n"+follower, "G(T", "G\tT", "GET\x00", "G\u00e9T", "", "{}", "G/T", "\"GET\"")
	add("GET %s HTTP/1.1\r\nHost: x\r\n\r\n"+follower,
		"/", "/a/b/c", "/?", "/?a=b&c=d", "//", "//a/b", "/a//b", "/./a/../b", "/%41%20%2f", "/%zz", "/%4", "/?%zz",
		"/a?b?c", "/;p=1", "/@:&=+$,", "/~user", "/*",
		"/a:b", "http://y/abs", "http://y", "http://y?q", "https://y:8443/abs?q=1", "HTTP://Y/abs",
		"http://[::1]:80/v6", "foo", "a/b", "?q", "/"+strings.Repeat("a", 4000),
		"http://y/%zz", "/%", "/%%41", "/a%", "/%u0041", "/%4g?x", "/%E4%f6", "/%00", "http://%41/", "http://[::1%/",
		"/?%", "/a?%4", "/a b", "/\x00", "/\x7f", "/\x01", "")
	add("GET /v %s\r\nHost: x\r\n\r\n"+follower,
		"HTTP/1.1", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/0.9", "HTTP/3.0", "HTTP/1.10", "HTTP/11.1", "HTTP/1",
		"HTTP/1.", "HTTP/.1", "http/1.1", "HTTP/a.b", "HTTP/-1.1", "HTTP/1,1", "HTTPS/1.1", "XTTP/1.1", "1.1",
		"HTTP 1.1", "HTTP/1.1 ", "")
	add("GET /h HTTP/1.1\r\n%s\r\n\r\n"+follower,
		"Host: x", "Host:x", "Host:  x  ", "Host:\tx", "hOsT: x", "Host: x:80", "Host: x:", "Host: x.example.com",
		"Host: 127.0.0.1:80", "Host: [::1]", "Host: [::1]:80", "Host: ",
		"Host:", "No: host", "Host: x\r\nHost: x", "Host: x\r\nHost: y", "Host: x y", "Host: x\x00", "Host: x/y",
		"Host: <x>", "Host: \"x\"", "Host: x_y", "Host: x!$&'()*+,;=%41-._~", "Host: {x}", "Host: x\\y", "Host: x^")
	add("GET /f HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n"+follower,
		"A: b", "A:b", "A:", "A: ", "A: b\r\nA: c", "a: b\r\nA: c", "A: \tb c\t ", "A: \x80\xff", "A: b:c", "A: ,",
		"X_Y: 1", "X!#$%&'*+-.^_`|~: 1", "A : b", "A\t: b", ": b", "A", "A b: c", "A(: b", "A\x00: b", "A: b\x00c",
		"A: b\x01c", "A: b\x7fc",
		"\xe9: b", "Cookie: a=b; c=d", "Accept: */*\r\nAccept-Encoding: gzip", "X: "+strings.Repeat("y", 8000),
		"Upgrade: h2c", "Upgrade: h2c\r\nConnection: Upgrade", "Range: bytes=0-1", "Pragma: no-cache", "Referer: ",
		"User-Agent:", "A: b\rc",
		"Content-Type: application/x-www-form-urlencoded", "Authorization: Basic QTpC", "X-HTTP-Method-Override: PUT",
		"If-None-Match: *", "Date: no date", "Max-Forwards: 0", "Te: trailers", "Trailer: A", "Via: 1.1 a",
		"Keep-Alive: timeout=5")
	add(posted+"%s"+follower, bodies...)
	add("%s"+follower, connections...)
	add("%s", endings...)
	return wires
}

// bodies are the rest of a POST: fields and body.
var bodies = []string{
	"\r\n", "Content-Length: 0\r\n\r\n", "Content-Length: 5\r\n\r\nhello", "content-length:5\r\n\r\nhello",
	"CONTENT-LENGTH: 5 \r\n\r\nhello", "Content-Length: 05\r\n\r\nhello",
	"Content-Length: 000000000000000000005\r\n\r\nhello", "Content-Length:\t5\t\r\n\r\nhello",
	"Content-Length: 5\r\n\r\n\r\n\r\n\x00", "Content-Length : 5\r\n\r\nhello", "Content-Length: -5\r\n\r\nhello",
	"Content-Length: +5\r\n\r\nhello", "Content-Length: 0x5\r\n\r\nhello", "Content-Length: 5.0\r\n\r\nhello",
	"Content-Length: 1e1\r\n\r\nhello", "Content-Length: 5;\r\n\r\nhello", "Content-Length: 5 0\r\n\r\nhello",
	"Content-Length: \"5\"\r\n\r\nhello", "Content-Length: 5,0\r\n\r\nhello", "Content-Length: 5, 5\r\n\r\nhello",
	"Content-Length:\r\n\r\nhello", "Content-Length: \x0b5\r\n\r\nhello", "Content-Length: \x005\r\n\r\nhello",
	"Content-Length: five\r\n\r\nhello", "Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello",
	"Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello", "Content-Length: \xef\xbc\x95\r\n\r\nhello",
	"Content_Length: 5\r\n\r\n", "X-Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"transfer-encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n00005\r\nhello\r\n000\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n5;a\r\nhello\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n5;a=\"\\\"\";b\r\nhello\r\n0;a ;b\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: \"b\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\rc\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
	"Transfer-Encoding: chunked\r\nTrailer: A, B\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\nB: c\r\nB: d\r\n\r\n",
	"Transfer-Encoding: chunked\r\nTrailer: A\r\n\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nHost: y\r\n\r\n",
	"Transfer-Encoding: identity\r\n\r\n",
	"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
	"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
	"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n",
	"Transfer-Encoding:\r\n\r\n0\r\n\r\n", "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
	"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "Transfer_Encoding: chunked\r\n\r\n",

	"X: y\rContent-Length: 5\r\n\r\n", " Content-Length: 5\r\n\r\nhello",

	"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",

	"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
	"Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "Expect: 100-continue\r\n\r\n",
	"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", "Expect: magic\r\nContent-Length: 5\r\n\r\nhello",
	"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n", "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\ng\r\nhello\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n0\r\n A: b\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\nA\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n0\r\nA: \x00\r\n\r\n",
	"Content-Length: 70000\r\n\r\n" + strings.Repeat("z", 70000),
	"Transfer-Encoding: chunked\r\n\r\n11170\r\n" + strings.Repeat("z", 70000) + "\r\n0\r\n\r\n",
}

// connections are requests that say how the connection goes on, and runs of them.
var connections = []string{
	"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, close\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nConnection: foo\r\nConnection: close\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, close\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nConnection:\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: closed\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nProxy-Connection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
	"GET / HTTP/1.0\r\nHost: x\r\n\r\n", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / HTTP/1.0\r\nConnection: close\r\n\r\n",
	"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
	"POST / HTTP/1.0\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
	"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",

	"GET /status/204 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /status/304 HTTP/1.1\r\nHost: x\r\n\r\n",
	"HEAD /status/204 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /status/404 HTTP/1.1\r\nHost: x\r\n\r\n",
	"HEAD /status/404 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /status/500 HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /status/201 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /status/204 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	strings.Repeat(follower, 20),
	strings.Repeat(posted+"Content-Length: 5\r\n\r\nhello"+"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 5),
	strings.Repeat(posted+"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n", 5),
	"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
	"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
	"DELETE / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"\x16\x03\x01\x00\xf1\x01\x00\x00\r\n\r\n",
	"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\n\r\n\r\n", "GET / HTTP/1.0\r\nExpect: magic\r\n\r\n",
	"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", posted + "Transfer-Encoding: chunked\r\n\r\n5 ;a\r\nhello\r\n" +
		"0\r\n\r\n", "\r\n", posted + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n",
	posted + "Expect:\r\n\r\n", posted + "Expect: 100-continue, 100-continue\r\n\r\n",
	"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", posted + "Content-Length: 5\r\n\r\nhello\r\n",
	"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /  HTTP/1.1\r\nHost: x\r\n\r\n", " GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET\t/\tHTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\n Host: x\r\n\r\n",

	"GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 99) + "\r\n",
}

// endings are what a client leaves behind that ends its stream in the middle.
var endings = []string{
	"", follower + "GET", follower + follower,
}

// different are the requests that ours take otherwise: mostly not at all, where they could be read in two ways.
var different = []difference{
	{because: "RFC 9112, 6.3", std: "200 200", handler: "400", request: "400", after: posted, before: follower,
		wires: []string{
			"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
			"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
			"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		}},
	{because: "RFC 9110, 15.5.14", std: "400", handler: "413", request: "413", after: posted, before: follower,
		wires: []string{
			"Content-Length: 18446744073709551621\r\n\r\nhello", "Content-Length: 9223372036854775808\r\n\r\nhello",
		}},
	{because: "RFC 9112, 6.1", std: "501", handler: "400", request: "400", after: posted, before: follower,
		wires: []string{
			"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
			"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
			"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
			"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
			"Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
		}},
	{because: "RFC 9112, 5.2", std: "200 200", handler: "400", request: "400", after: posted, before: follower,
		wires: []string{
			"X: y\r\n Content-Length: 5\r\n\r\nhello", "X: y\r\n\tTransfer-Encoding: chunked\r\n\r\n",
			"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
		}},
	{because: "RFC 9112, 2.2", std: "200 200", handler: "400", request: "400", after: posted, before: follower,
		wires: []string{
			"X: y\nContent-Length: 5\r\n\r\nhello",
		}},
	{because: "RFC 9112, 7.1", std: "400", handler: "400", request: "413", after: posted, before: follower,
		wires: []string{
			"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello\r\n0\r\n\r\n",
		}},
	{because: "RFC 9110, 15.5.14", std: "400", handler: "400", request: "413", after: posted, before: follower,
		wires: []string{
			"Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nhello\r\n0\r\n\r\n",
		}},
	{because: "RFC 9112, 7.1", std: "200 200", handler: "400", request: "400", after: posted, before: follower,
		wires: []string{
			"Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
			"Transfer-Encoding: chunked\r\n\r\n5\t\r\nhello\r\n0\r\n\r\n",
		}},
	{because: "RFC 9112, 7.1.2", std: "200 200", handler: "400", request: "400", after: posted, before: follower,
		wires: []string{
			"Transfer-Encoding: chunked\r\n\r\n0\r\nA : b\r\n\r\n",
			"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\n",
		}},
	{because: "RFC 9112, 7.1.1", std: "200 200", handler: "400", request: "400", after: posted, before: follower,
		wires: []string{
			"Transfer-Encoding: chunked\r\n\r\n5;a=\"\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n" +
				"5;a=\"b\\\"\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5;a=b c\r\nhello\r\n0\r\n\r\n",
			"Transfer-Encoding: chunked\r\n\r\n5;\r\nhello\r\n0\r\n\r\n",
			"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0;=\r\n\r\n",
			"Transfer-Encoding: chunked\r\n\r\n5;" + strings.Repeat("e", 300) + "\r\nhello\r\n0\r\n\r\n",
		}},
	{because: "RFC 9110, 10.1.1", std: "200 200", handler: "417", request: "417", after: posted, before: follower,
		wires: []string{
			"Expect: 100-continue\r\nExpect: magic\r\nContent-Length: 5\r\n\r\nhello",
		}},
	{because: "RFC 9112, 9.3", std: "200 200", handler: "200 200", request: "200", before: follower, wires: []string{
		"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
	}},
	{because: "RFC 9112, 6.1", std: "200 400", handler: "400", request: "400", before: follower, wires: []string{
		"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n",
	}},
	{because: "RFC 9110, 9.3.7", std: "200 200", handler: "200 200", request: "200 200", before: follower, lenient: 1,
		wires: []string{
			"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		}},
	{because: "RFC 9112, 3.2", std: "200 200", handler: "400", request: "400", before: follower, wires: []string{
		"GET * HTTP/1.1\r\nHost: x\r\n\r\n", "GET /#frag HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /\u00e9 HTTP/1.1\r\nHost: x\r\n\r\n", "GET ftp://y/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://u:p@y/ HTTP/1.1\r\nHost: x\r\n\r\n", "GET http://y:99999999999/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n", "GET http://y%e4/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://[::1%25eth0]/ HTTP/1.1\r\nHost: x\r\n\r\n",
	}},
	{because: "RFC 9110, 9.3.6", std: "200 200", handler: "501", request: "501", before: follower, wires: []string{
		"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", "CONNECT /a HTTP/1.1\r\nHost: x\r\n\r\n",
	}},
	{because: "RFC 9110, 2.5", std: "200", handler: "505", request: "505", before: follower, wires: []string{
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	}},
	{because: "RFC 9112, 2.2", std: "200 200", handler: "400", request: "400", before: follower, wires: []string{
		"GET / HTTP/1.1\nHost: x\n\n", "GET / HTTP/1.1\r\nHost: x\n\r\n",
	}},
	{because: "RFC 9112, 5.2", std: "200 200", handler: "400", request: "400", before: follower, wires: []string{
		"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
	}},
	{because: "RFC 9112, 3", std: "200 200", handler: "501", request: "501", before: follower, wires: []string{
		strings.Repeat("A", 65) + " / HTTP/1.1\r\nHost: x\r\n\r\n",
		strings.Repeat("A", 10_000) + " / HTTP/1.1\r\nHost: x\r\n\r\n",
	}},
	{because: "RFC 9110, 15.5.15", std: "200 200", handler: "414", request: "414", before: follower, wires: []string{
		"GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
	}},
	{because: "RFC 6585, 5", std: "200 200", handler: "431", request: "431", before: follower, wires: []string{
		"GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 100) + "\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 17000) + "\r\n\r\n",
	}},
	{because: "RFC 9112, 8", std: "400", handler: "", request: "", wires: []string{
		"G", "GET / HTTP/1.1", "GET / HTTP/1.1\r\nHost: x\r\n",
	}},
	{because: "RFC 9112, 8", std: "400", handler: "400", request: "", wires: []string{
		posted + "Content-Length: 5\r\n\r\nhel", posted + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
		posted + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
	}},
}
