package http1_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/protocol/http1"
)

// smuggling are requests over whose end two servers could disagree (RFC 9112, 11.2). Each is followed by another one.
var smuggling = func() (wires []string) {
	const post, next = "POST / HTTP/1.1\r\nHost: x\r\n", "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, fields := range []string{
		"Content-Length: 0", "Content-Length: 5", "content-length: 5", "Content-Length : 5",
		"Content-Length: 5\r\nContent-Length: 0", "Content-Length: 0\r\nContent-Length: 5", "Content-Length: 5, 5",
		"Content-Length: 5,0", "Content-Length: +5", "Content-Length: -5", "Content-Length: 0x5", "Content-Length: 5;",
		"Content-Length: 5 0", "Content-Length: \"5\"", "Content-Length: 05", "Content-Length: 5.0",
		"Content-Length: 1e1", "Content-Length:\t5", "Content-Length: 5\t", "Content-Length:\x0b5",
		"Content-Length: \x005", "Content-Length:", "Content-Length: 18446744073709551621",
		"Content-Length: 9223372036854775808", "Content_Length: 5", "Content-Length\x00: 5", "\tContent-Length: 5",
		" Content-Length: 5", "X: y\r\n Content-Length: 5", "X: y\nContent-Length: 5", "X: y\rContent-Length: 5",
		"X: y\r\r\nContent-Length: 5", "Transfer-Encoding: chunked", "transfer-encoding: Chunked",
		"Transfer-Encoding : chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5",
		"Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding: identity",
		"Transfer-Encoding: identity\r\nContent-Length: 5", "Transfer-Encoding: chunked, chunked",
		"Transfer-Encoding: identity, chunked", "Transfer-Encoding: chunked, identity",
		"Transfer-Encoding: gzip, chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked;q=1",
		"Transfer-Encoding: \"chunked\"", "Transfer-Encoding:\tchunked", "Transfer-Encoding:\x0bchunked",
		"Transfer-Encoding: \x00chunked", "Transfer-Encoding: chunked\x00", "Transfer-Encoding:",
		"Transfer-Encoding: ,chunked", "Transfer-Encoding: chunked,", "Transfer_Encoding: chunked",
		"X: y\r\n Transfer-Encoding: chunked", "X: y\nTransfer-Encoding: chunked", "Transfer-Encoding:\r\n chunked",
		"TRANSFER-ENCODING: CHUNKED\r\ncontent-length: 5", "Transfer-Encoding: chunked\r\nX: \r\n\tContent-Length: 5",
	} {
		for _, body := range []string{
			"", "hello", "0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "5;a\r\nhello\r\n0\r\nA: b\r\n\r\n",
			"5;a=\"\r\nhello\r\n0\r\n\r\n", "5;a=\"b\\\"\r\nhello\r\n0;\"\r\n\r\n", "5;a\rb\r\nhello\r\n0\r\n\r\n",
			"5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n", "5\r\nhello\r\n0\r\nA: \"\r\n\r\n",
			"5\r\nhello\r\n0\r\nA: b\rc\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
			"5\nhello\n0\n\n", "-1\r\n", "5\r\nhelloXX0\r\n\r\n",
		} {
			wires = append(wires, post+fields+"\r\n\r\n"+body+next)
		}
	}
	for _, line := range []string{
		"POST / HTTP/1.0", "POST /  HTTP/1.1", "POST / HTTP/1.1 ", "post / HTTP/1.1", "POST / HTTP/1.1\r\nHost: y",
		"POST\t/ HTTP/1.1", " POST / HTTP/1.1", "\nPOST / HTTP/1.1",
	} {
		wires = append(wires, line+"\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"+next,
			line+"\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+next)
	}
	return wires
}()

// TestSmuggling compares with net/http: whatever we take for a request, it takes for the same one, with the same body.
// So we read no request where it reads a part of one. Where we refuse what it takes we are stricter, which is counted.
func TestSmuggling(t *testing.T) {
	accepted, stricter := 0, 0
	for _, wire := range smuggling {
		ours, theirs := readOurs(wire), readTheirs(wire)
		accepted += len(ours)
		if len(ours) > len(theirs) || !slices.Equal(ours, theirs[:len(ours)]) {
			t.Errorf("%q:\nours   %q\ntheirs %q", wire, ours, theirs)
		}
		stricter += len(theirs) - len(ours)
	}
	if len(smuggling) < 200 || accepted == 0 {
		t.Errorf("%d wires, %d requests: the corpus says nothing", len(smuggling), accepted)
	}
	t.Logf("%d wires: %d requests taken, %d more by net/http", len(smuggling), accepted, stricter)
}

func readOurs(wire string) (requests []string) {
	c := (&http1.Protocol{}).NewCodec(1 << 20).(*http1.Codec)
	data := []byte(wire)
	for len(data) > 0 {
		n, body, err := c.Decode(data)
		if err != nil || n == 0 {
			return requests
		}
		if body != nil {
			r := c.Request()
			requests = append(requests, fmt.Sprintf("%s %s %s %q", r.Method(), r.Target(), r.Host(), body))
		}
		data = data[n:]
	}
	return requests
}

func readTheirs(wire string) (requests []string) {
	from := bufio.NewReader(strings.NewReader(wire))
	for {
		r, err := http.ReadRequest(from)
		if err != nil {
			return requests
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return requests
		}
		requests = append(requests, fmt.Sprintf("%s %s %s %q", r.Method, r.RequestURI, r.Host, body))
	}
}

// TestTargets has whatever is taken for a request target be one for net/http too: a percent-encoding that is none is
// refused by both.
func TestTargets(t *testing.T) {
	parts := []string{
		"/", "%", "%4", "%41", "%zz", "%2F", "%e4", "%25", "?", "a", ":", "@", "[", "]", "http://y", "http://[::1",
		"//", "80", "%25eth0", ".", "*", "%00", "%u0041", "%%41", "{}", "\\",
	}
	taken, refused := 0, 0
	for _, a := range parts {
		for _, b := range parts {
			for _, c := range parts {
				wire := "GET " + a + b + c + " HTTP/1.1\r\nHost: x\r\n\r\n"
				ours, theirs := readOurs(wire), readTheirs(wire)
				if len(ours) > len(theirs) || !slices.Equal(ours, theirs[:len(ours)]) {
					t.Errorf("%q: ours %q, theirs %q", wire, ours, theirs)
				}
				origin := a == "/" // of these net/http takes none that we do not
				if origin && len(ours) != len(theirs) {
					t.Errorf("%q: ours %q, theirs %q", wire, ours, theirs)
				}
				taken, refused = taken+len(ours), refused+1-len(ours)
			}
		}
	}
	if taken == 0 || refused == 0 {
		t.Errorf("%d taken, %d refused", taken, refused)
	}
}

// TestStd compares a request with what net/http makes of the same bytes.
func TestStd(t *testing.T) {
	for _, wire := range []string{
		"GET /a/b?c=d&e=%20f HTTP/1.1\r\nHost: example.com:80\r\nCookie: a=b; c=d\r\nX: 1\r\nX: 2\r\n\r\n",
		"POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n" +
			"Content-Length: 7\r\n\r\na=b&c=d",
		"PUT http://y/abs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		c := (&http1.Protocol{}).NewCodec(1000).(*http1.Codec)
		data := []byte(wire)
		if n, _, err := c.Decode(data); n != len(wire) || err != nil {
			t.Fatalf("%q: %v", wire, err)
		}
		got, err := c.Request().Std()
		if err != nil {
			t.Fatalf("%q: %v", wire, err)
		}
		clear(data) // what Std gives is its own
		want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
		if err != nil {
			t.Fatal(err)
		}
		gotBody, _ := io.ReadAll(got.Body)
		wantBody, _ := io.ReadAll(want.Body)
		if got.Method != want.Method || got.URL.String() != want.URL.String() || got.Host != want.Host ||
			got.Proto != want.Proto || !bytes.Equal(gotBody, wantBody) ||
			fmt.Sprint(got.Cookies()) != fmt.Sprint(want.Cookies()) ||
			fmt.Sprint(got.Trailer) != fmt.Sprint(want.Trailer) || got.RequestURI != want.RequestURI {
			t.Errorf("%q:\ngot  %+v\nwant %+v", wire, got, want)
		}
		for name, values := range want.Header {
			if name != "Content-Length" && !slices.Equal(got.Header[name], values) {
				t.Errorf("%q: field %s is %q, want %q", wire, name, got.Header[name], values)
			}
		}
	}
}
