package proxyheader_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/internal/proxyheader"
)

func trust(t testing.TB, list ...string) proxyheader.Trusted {
	t.Helper()
	trusted, err := proxyheader.ParseTrusted(list)
	if err != nil {
		t.Fatal(err)
	}
	return trusted
}

// addr is the zero Addr for "unix".
func addr(text string) netip.Addr {
	if text == "unix" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(text)
}

func TestHas(t *testing.T) {
	for _, c := range []struct {
		list []string
		peer string
		want bool
	}{
		{nil, "127.0.0.1", false},
		{nil, "unix", false},
		{[]string{"10.0.0.1"}, "10.0.0.1", true},
		{[]string{"10.0.0.1"}, "10.0.0.2", false},
		{[]string{"10.0.0.1"}, "::ffff:10.0.0.1", true},
		{[]string{"::ffff:10.0.0.1"}, "10.0.0.1", true},
		{[]string{"10.0.0.0/8"}, "10.255.255.255", true},
		{[]string{"10.0.0.0/8"}, "11.0.0.0", false},
		{[]string{"10.0.0.0/8"}, "::ffff:10.1.2.3", true},
		{[]string{"::ffff:10.0.0.0/104"}, "10.1.2.3", true},
		{[]string{"::ffff:10.0.0.0/104"}, "11.1.2.3", false},
		{[]string{"::ffff:0:0/96"}, "192.0.2.1", true},
		{[]string{"0.0.0.0/0"}, "192.0.2.1", true},
		{[]string{"0.0.0.0/0"}, "::1", false},
		{[]string{"0.0.0.0/0", "::/0"}, "unix", false},
		{[]string{"::/0"}, "::1", true},
		{[]string{"::/0"}, "192.0.2.1", false},
		{[]string{"::/0"}, "::ffff:192.0.2.1", false},
		{[]string{"2001:db8::/32"}, "2001:db8:ffff::1", true},
		{[]string{"2001:db8::/32"}, "2001:db9::1", false},
		{[]string{"fe80::/10"}, "fe80::1%eth0", true},
		{[]string{"fe80::1"}, "fe80::1%eth0", true},
		{[]string{"10.0.0.1", "fd00::/8"}, "fd00::1", true},
		{[]string{"10.0.0.1", "fd00::/8", "unix"}, "unix", true},
		{[]string{"unix"}, "127.0.0.1", false},
		{[]string{"unix"}, "0.0.0.0", false},
		{[]string{"unix"}, "::", false},
	} {
		if got := trust(t, c.list...).Has(addr(c.peer)); got != c.want {
			t.Errorf("%q has %s: %v, want %v", c.list, c.peer, got, c.want)
		}
	}
}

func TestParseTrustedErrors(t *testing.T) {
	for _, c := range []struct{ entry, says string }{
		{"", "want an address"},
		{"localhost", "want an address"},
		{"10.0.0", "want an address"},
		{"10.0.0.1:80", "want an address"},
		{"[::1]", "want an address"},
		{"10.0.0.1 ", "want an address"},
		{"10.0.0.0/33", "want an address"},
		{"10.0.0.0/255.0.0.0", "want an address"},
		{"10.0.0.0/", "want an address"},
		{"Unix", "want an address"},
		{"fe80::1%eth0", "want an address"},
		{"fe80::%eth0/10", "want an address"},
		{"10.0.0.1/8", "write 10.0.0.0/8"},
		{"2001:db8::1/32", "write 2001:db8::/32"},
		{"::ffff:10.0.0.0/64", "write ::/64"},
		{"::ffff:0:0/95", "write ::fffe:0:0/95"},
	} {
		trusted, err := proxyheader.ParseTrusted([]string{"127.0.0.1", c.entry, "::1"})
		if err == nil || trusted != nil {
			t.Errorf("%q: got %v, %v", c.entry, trusted, err)
			continue
		}
		for _, part := range []string{"proxyheader: ", `"` + c.entry + `"`, c.says} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %q is not in the error: %v", c.entry, part, err)
			}
		}
	}
}

// fields is what Client asks for the X-Forwarded-For fields.
func fields(list []string) func(i int) []byte {
	return func(i int) []byte {
		if i >= len(list) {
			return nil
		}
		return append([]byte{}, list[i]...)
	}
}

var clients = []struct {
	name   string
	peer   string
	fields []string
	want   string
}{
	{"no field", "10.0.0.1", nil, "10.0.0.1"},
	{"no field, IPv4-mapped", "::ffff:10.0.0.1", nil, "10.0.0.1"},
	{"a peer that is not trusted", "192.0.2.9", []string{"198.51.100.1"}, "192.0.2.9"},
	{"a peer that is not trusted, with a zone", "fe80::1%eth0", []string{"198.51.100.1"}, "fe80::1%eth0"},
	{"one", "10.0.0.1", []string{"198.51.100.1"}, "198.51.100.1"},
	{"by a Unix socket", "unix", []string{"198.51.100.1"}, "198.51.100.1"},
	{"by a Unix socket, no field", "unix", nil, "unix"},
	{"by a Unix socket, malformed", "unix", []string{"x"}, "unix"},
	{"IPv6", "10.0.0.1", []string{"2001:db8::1"}, "2001:db8::1"},
	{"IPv4-mapped", "10.0.0.1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
	{"IPv4-mapped and trusted", "10.0.0.1", []string{"198.51.100.1, ::ffff:10.0.0.2"}, "198.51.100.1"},
	{"the last of a list", "10.0.0.1", []string{"192.0.2.66, 198.51.100.1"}, "198.51.100.1"},
	{"over trusted ones", "10.0.0.1", []string{"192.0.2.66, 198.51.100.1, 10.0.0.3, fd00::2"}, "198.51.100.1"},
	{"all trusted", "10.0.0.1", []string{"10.0.0.4, 10.0.0.3, 10.0.0.2"}, "10.0.0.4"},
	{"fields in order", "10.0.0.1", []string{"192.0.2.66", "198.51.100.1,10.0.0.3", "10.0.0.2"}, "198.51.100.1"},
	{"fields, the last is not trusted", "10.0.0.1", []string{"192.0.2.66", "198.51.100.1"}, "198.51.100.1"},
	{"trusted behind one that is not", "10.0.0.1", []string{"10.0.0.5, 198.51.100.1"}, "198.51.100.1"},
	{"no spaces", "10.0.0.1", []string{"198.51.100.1,10.0.0.2"}, "198.51.100.1"},
	{"spaces and tabs", "10.0.0.1", []string{"\t 198.51.100.1 \t,  10.0.0.2\t"}, "198.51.100.1"},
	{"a port", "10.0.0.1", []string{"198.51.100.1:4711"}, "198.51.100.1"},
	{"ports on the way", "10.0.0.1", []string{"198.51.100.1:65535, 10.0.0.2:0, [fd00::1]:80"}, "198.51.100.1"},
	{"brackets", "10.0.0.1", []string{"[2001:db8::1]"}, "2001:db8::1"},
	{"brackets and a port", "10.0.0.1", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
	{"brackets, IPv4-mapped", "10.0.0.1", []string{"[::ffff:198.51.100.1]:443"}, "198.51.100.1"},

	{"an empty field", "10.0.0.1", []string{""}, "10.0.0.1"},
	{"an empty field after another", "10.0.0.1", []string{"192.0.2.66", ""}, "10.0.0.1"},
	{"an empty field before another", "10.0.0.1", []string{"", "198.51.100.1"}, "198.51.100.1"},
	{"an empty last entry", "10.0.0.1", []string{"192.0.2.66,"}, "10.0.0.1"},
	{"an empty first entry", "10.0.0.1", []string{",10.0.0.2"}, "10.0.0.2"},
	{"an empty entry between", "10.0.0.1", []string{"192.0.2.66, ,10.0.0.2"}, "10.0.0.2"},
	{"unknown", "10.0.0.1", []string{"192.0.2.66, unknown, 10.0.0.2"}, "10.0.0.2"},
	{"malformed behind the client", "10.0.0.1", []string{"?, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
	{"malformed in a field before", "10.0.0.1", []string{"?", "10.0.0.2"}, "10.0.0.2"},
	{"unix is no entry", "10.0.0.1", []string{"192.0.2.66, unix"}, "10.0.0.1"},
	{"a name", "10.0.0.1", []string{"localhost"}, "10.0.0.1"},
	{"quotes", "10.0.0.1", []string{`"198.51.100.1"`}, "10.0.0.1"},
	{"a space inside", "10.0.0.1", []string{"198.51.100.1 198.51.100.2"}, "10.0.0.1"},
	{"a line end", "10.0.0.1", []string{"198.51.100.1\r"}, "10.0.0.1"},
	{"half an address", "10.0.0.1", []string{"198.51.100"}, "10.0.0.1"},
	{"too great an octet", "10.0.0.1", []string{"198.51.100.256"}, "10.0.0.1"},
	{"a prefix", "10.0.0.1", []string{"198.51.100.0/24"}, "10.0.0.1"},
	{"a zone", "10.0.0.1", []string{"fe80::1%eth0"}, "10.0.0.1"},
	{"a zone in brackets", "10.0.0.1", []string{"[fe80::1%eth0]:80"}, "10.0.0.1"},
	{"an empty port", "10.0.0.1", []string{"198.51.100.1:"}, "10.0.0.1"},
	{"too great a port", "10.0.0.1", []string{"198.51.100.1:65536"}, "10.0.0.1"},
	{"a port with a leading zero", "10.0.0.1", []string{"198.51.100.1:080"}, "10.0.0.1"},
	{"two ports", "10.0.0.1", []string{"198.51.100.1:80:80"}, "10.0.0.1"},
	{"an open bracket", "10.0.0.1", []string{"[2001:db8::1"}, "10.0.0.1"},
	{"a closing bracket", "10.0.0.1", []string{"2001:db8::1]"}, "10.0.0.1"},
	{"empty brackets", "10.0.0.1", []string{"[]"}, "10.0.0.1"},
	{"IPv4 in brackets", "10.0.0.1", []string{"[198.51.100.1]"}, "10.0.0.1"},
	{"brackets and more", "10.0.0.1", []string{"[2001:db8::1]80"}, "10.0.0.1"},
	{"brackets and an empty port", "10.0.0.1", []string{"[2001:db8::1]:"}, "10.0.0.1"},
}

func TestClient(t *testing.T) {
	trusted := trust(t, "10.0.0.0/8", "fd00::/8", "unix")
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			if got := trusted.Client(addr(c.peer), fields(c.fields)); got != addr(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestClientNotTrusted has nothing asked of a peer that is not trusted.
func TestClientNotTrusted(t *testing.T) {
	peer := addr("192.0.2.9")
	got := proxyheader.Trusted(nil).Client(peer, func(int) []byte {
		t.Error("asked for a field")
		return nil
	})
	if got != peer {
		t.Errorf("got %v", got)
	}
}

// FuzzClient cuts the list into fields at commas, which must not matter, and compares with a plain reading of it.
func FuzzClient(f *testing.F) {
	for _, c := range clients {
		f.Add(strings.Join(c.fields, ","), uint64(5))
	}
	trusted := trust(f, "10.0.0.0/8", "fd00::/8")
	f.Fuzz(func(t *testing.T, list string, cuts uint64) {
		entries := strings.Split(list, ",")
		cut := []string{entries[0]}
		for i, entry := range entries[1:] {
			if cuts>>(i%64)&1 == 1 {
				cut = append(cut, entry)
			} else {
				cut[len(cut)-1] += "," + entry
			}
		}
		want := addr("10.0.0.1")
		for _, entry := range slices.Backward(entries) {
			next, ok := plainEntry(entry)
			if !ok || !trusted.Has(want) {
				break
			}
			want = next
		}
		if got := trusted.Client(addr("10.0.0.1"), fields(cut)); got != want {
			t.Errorf("%q gave %v, want %v", cut, got, want)
		}
	})
}

// plainEntry reads an entry with what net/netip has.
func plainEntry(entry string) (netip.Addr, bool) {
	entry = strings.Trim(entry, " \t")
	ported, err := netip.ParseAddrPort(entry)
	found := ported.Addr()
	if i := strings.LastIndex(entry, ":"); err == nil && entry[i+1:] != "0" && strings.HasPrefix(entry[i+1:], "0") {
		return netip.Addr{}, false // a leading zero, which netip allows
	}
	if err != nil && strings.HasPrefix(entry, "[") && strings.HasSuffix(entry, "]") {
		found, err = netip.ParseAddr(entry[1 : len(entry)-1])
		if found.Is4() {
			return netip.Addr{}, false
		}
	} else if err != nil {
		found, err = netip.ParseAddr(entry)
	}
	return found.Unmap(), err == nil && found.Zone() == ""
}

func TestClientAllocations(t *testing.T) {
	trusted := trust(t, "10.0.0.0/8", "fd00::/8", "unix")
	field, peer := []byte("?, [2001:db8::1]:80, 10.0.0.3:80, ::ffff:10.0.0.2"), addr("10.0.0.1")
	n := testing.AllocsPerRun(100, func() {
		trusted.Client(peer, func(i int) []byte {
			if i > 0 {
				return nil
			}
			return field
		})
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkClient(b *testing.B) {
	trusted := trust(b, "10.0.0.0/8", "fd00::/8")
	field, peer := []byte("198.51.100.1, 10.0.0.3, 10.0.0.2"), addr("10.0.0.1")
	b.ReportAllocs()
	for range b.N {
		trusted.Client(peer, func(i int) []byte {
			if i > 0 {
				return nil
			}
			return field
		})
	}
}
