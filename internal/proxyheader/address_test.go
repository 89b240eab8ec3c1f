package proxyheader_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/internal/proxyheader"
)

// endings has one that completes each text that an address of a family can begin with.
var endings = map[string][]string{"4": endings4(), "6": endings6()}

func endings4() (all []string) {
	for n := range 4 {
		all = append(all, strings.Repeat(".0", n), "0"+strings.Repeat(".0", n))
	}
	return all
}

func endings6() []string {
	all := append(endings4(), ":", "::")
	for n := range 8 {
		all = append(all, strings.Repeat(":0", n), "0"+strings.Repeat(":0", n))
	}
	return all
}

func isAddress(family, text string) bool {
	addr, err := netip.ParseAddr(text)
	return err == nil && addr.Zone() == "" && addr.Is4() == (family == "4")
}

func beginsAddress(family, text string) bool {
	for _, ending := range endings[family] {
		if isAddress(family, text+ending) {
			return true
		}
	}
	return false
}

// testAddress holds a text as the source of a line to what netip.ParseAddr says of it, and of it completed.
func testAddress(t *testing.T, family, text string) {
	t.Helper()
	begin := "PROXY TCP" + family + " "
	if _, _, err := proxyheader.Parse([]byte(begin + text)); (err == nil) != beginsAddress(family, text) {
		t.Errorf("TCP%s: %q begins an address: %v, but %v", family, text, beginsAddress(family, text), err)
	}
	end := " :: 1 2\r\n"
	if family == "4" {
		end = " 0.0.0.0 1 2\r\n"
	}
	_, from, err := proxyheader.Parse([]byte(begin + text + end))
	if (err == nil) != isAddress(family, text) {
		t.Errorf("TCP%s: %q is an address: %v, but %v", family, text, isAddress(family, text), err)
	}
	if err == nil && from.Source.Addr() != netip.MustParseAddr(text).Unmap() {
		t.Errorf("TCP%s: %q came back as %v", family, text, from.Source.Addr())
	}
}

var addresses = []string{
	"", ":", "::", ":::", "::1", "1::", "1:", "1::2", "1::2::3", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::",
	"::2:3:4:5:6:7:8", "1:2:3::5:6:7:8", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "0000:00:0:0::",
	"00000::", "g::", "AbCd:eF01::", "::1.2.3.4", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:1.2.3.4",
	"1:2:3:4:5:6:7:1.2.3.4", "::2:3:4:5:6:1.2.3.4", "::2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5::1.2.3.4",
	"1:2:3:4:5:6::1.2.3.4", "::1.2.3", "::1.2.3.", "::1.2.3.4.5", "::1.2.3.4:5", "::256.2.3.4", "::01.2.3.4",
	"::a.2.3.4", "::1.2.3.256", "1.2.3.4::", "::%1", "1", "1.2.3.4", "0.0.0.0", "255.255.255.255", "256.0.0.0", "1.2.3",
	"1.2.3.4.", "1.2.3.4.5", "01.2.3.4", "1..2", ".1", "-1",
}

func TestAddresses(t *testing.T) {
	for _, text := range addresses {
		for size := range len(text) + 1 {
			testAddress(t, "4", text[:size])
			testAddress(t, "6", text[:size])
		}
	}
}

func FuzzAddresses(f *testing.F) {
	for _, text := range addresses {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 50 || strings.Contains(text, " ") {
			return // more than an address and, in a line with another, perhaps too long
		}
		testAddress(t, "4", text)
		testAddress(t, "6", text)
	})
}
