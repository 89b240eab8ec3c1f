package resp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// whole are the lengths of the values in a text that comes in pieces of some bytes.
func whole(text string, piece int) (lengths []int, err error) {
	var p parser
	length := 0
	for b := []byte(text); len(b) > 0; {
		n, ended, err := p.next(b[:min(piece, len(b))])
		length += n
		if err != nil {
			return lengths, err
		}
		if b = b[n:]; ended {
			lengths = append(lengths, length)
			length = 0
		}
	}
	return lengths, nil
}

// TestValues finds the ends of values of every kind, in whatever pieces they come.
func TestValues(t *testing.T) {
	values := []string{
		"+OK\r\n", "+\r\n", "-ERR no\r\n", ":0\r\n", ":-42\r\n", ":9223372036854775807\r\n", "$0\r\n\r\n",
		"$5\r\na\r\nbc\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n", "*2\r\n$1\r\na\r\n*1\r\n:1\r\n", "_\r\n", "#t\r\n",
		"#f\r\n", ",1.5\r\n", ",inf\r\n", "(12345678901234567890123\r\n", "!3\r\nERR\r\n", "=5\r\ntxt:a\r\n",
		"%1\r\n+a\r\n:1\r\n", "%0\r\n", "~1\r\n+a\r\n", ">2\r\n+message\r\n+x\r\n", "|1\r\n+ttl\r\n:3\r\n+OK\r\n",
		"|0\r\n:1\r\n", "*1\r\n|1\r\n+a\r\n*1\r\n:1\r\n:7\r\n", "*2\r\n*0\r\n*-1\r\n",
		strings.Repeat("*1\r\n", maxDepth) + ":1\r\n", "$600\r\n" + strings.Repeat("x", 600) + "\r\n",
	}
	var want []int
	for _, v := range values {
		want = append(want, len(v))
	}
	for _, piece := range []int{1, 2, 3, 7, 1 << 20} {
		if got, err := whole(strings.Join(values, ""), piece); err != nil || !slices.Equal(got, want) {
			t.Errorf("in pieces of %d: %v, %v; want %v", piece, got, err, want)
		}
	}
}

// TestViolations refuses what is no value, or none that a client could bear, as soon as that is sure.
func TestViolations(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 400 Bad Request\r\n", "\r\n", "\n", "+OK\n", "+\rOK\r\n", "\x15\x03\x01\x00\x02", ".\r\n", ";3\r\n",
		":\r\n", ":+1\r\n", ":1.5\r\n", ":99999999999999999999999\r\n", "_x\r\n", "#x\r\n", "#\r\n",
		"$-2\r\n", "$\r\n", "$x\r\n", "$?\r\n;1\r\na\r\n;0\r\n", "$1\r\nabc", "$1\r\na\r\r\n", "=-1\r\n", "!-1\r\n",
		"*-2\r\n", "*?\r\n", "%-1\r\n", "%?\r\n", "~-1\r\n", ">-1\r\n", "|-1\r\n", "*1\r\n>1\r\n+a\r\n",
		"*2000000000\r\n", "%2000000000\r\n", "*9223372036854775807\r\n", "%9223372036854775807\r\n", "*1048577\r\n",
		"%524289\r\n", "*2\r\n*1000000\r\n", "$2000000000\r\n", "$9223372036854775807\r\n", "*2\r\n$68157440\r\n",
		"$68157441\r\n", strings.Repeat("*1\r\n", maxDepth+1), strings.Repeat("|0\r\n", maxElements+1),
		"+" + strings.Repeat("x", maxLine) + "\r\n",
		"-" + strings.Repeat("x", 2*maxLine),
	} {
		if strings.HasPrefix(text, "*2\r\n*1000000") {
			text += strings.Repeat("*1000000\r\n", 2)
		}
		if strings.HasPrefix(text, "*2\r\n$68157440") {
			text += strings.Repeat("x", maxBytes) + "\r\n$1\r\n"
		}
		for _, piece := range []int{1 + len(text)>>10, 1 << 30} {
			if _, err := whole(text, piece); !errors.Is(err, ErrProtocol) {
				t.Errorf("%.40q in pieces of %d: %v", text, piece, err)
			}
		}
	}
}

// FuzzParser has the same be found in whatever pieces it comes, and nothing be reserved that was only claimed.
func FuzzParser(f *testing.F) {
	for _, seed := range []string{
		"+OK\r\n", "*2\r\n$1\r\na\r\n:1\r\n", "%1\r\n+a\r\n_\r\n", "|1\r\n+a\r\n#t\r\n,1\r\n",
		">3\r\n+message\r\n$1\r\nc\r\n$0\r\n\r\n", "*-1\r\n$-1\r\n", "*2000000000\r\n", "$?\r\n",
		"=5\r\ntxt:a\r\n(1\r\n~1\r\n!1\r\na\r\n",
	} {
		f.Add(seed, uint8(1))
	}
	f.Fuzz(func(t *testing.T, text string, piece uint8) {
		all, err := whole(text, len(text)+1)
		parts, wrong := whole(text, int(piece)+1)
		if !slices.Equal(all, parts) || fmt.Sprint(err) != fmt.Sprint(wrong) && (err == nil) != (wrong == nil) {
			t.Errorf("at once %v, %v; in pieces of %d %v, %v", all, err, int(piece)+1, parts, wrong)
		}
	})
}

// BenchmarkParser goes through what a node gets with a publication.
func BenchmarkParser(b *testing.B) {
	text := []byte(">3\r\n$7\r\nmessage\r\n$15\r\nlineman.{0}.u:7\r\n$256\r\n" + strings.Repeat("x", 256) + "\r\n")
	b.ReportAllocs()
	var p parser
	for range b.N {
		if n, ended, err := p.next(text); n != len(text) || !ended || err != nil {
			b.Fatal(n, ended, err)
		}
	}
}
