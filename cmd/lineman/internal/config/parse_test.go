package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestParse has texts of each kind be values, or an error that says what is wanted.
func TestParse(t *testing.T) {
	duration, size := setting{typ: reflect.TypeFor[time.Duration]()}, setting{typ: reflect.TypeFor[int](), size: true}
	whole, number := setting{typ: reflect.TypeFor[int]()}, setting{typ: reflect.TypeFor[float64]()}
	boolean, list := setting{typ: reflect.TypeFor[bool]()}, setting{typ: reflect.TypeFor[[]string]()}
	for _, c := range []struct {
		setting setting
		text    string
		want    any
		err     string
	}{
		{duration, "10s", 10 * time.Second, ""},
		{duration, "1h2m3.5s", time.Hour + 2*time.Minute + 3500*time.Millisecond, ""},
		{duration, "0", time.Duration(0), ""},
		{duration, "-1s", -time.Second, ""},
		{duration, "10", nil, `"10" has no unit: write 10s`},
		{duration, "1.5", nil, "has no unit"},
		{duration, "ten", nil, "want a duration, such as 10s"},
		{duration, "1d", nil, "want a duration"},
		{duration, strings.Repeat("9", 100) + "h", nil, `99..."`},
		{size, "0", 0, ""},
		{size, "65536", 65536, ""},
		{size, "10_000", 10000, ""},
		{size, "12B", 12, ""},
		{size, "64KiB", 64 << 10, ""},
		{size, "3 MiB", 3 << 20, ""},
		{size, "2GiB", 2 << 30, ""},
		{size, "-1KiB", -1024, ""},
		{size, "64k", nil, "want a size, such as 65536, 64KiB"},
		{size, "1.5MiB", nil, "want a size"},
		{size, "KiB", nil, "want a size"},
		{size, "", nil, "want a size"},
		{size, "9223372036854775807KiB", nil, "is too large"},
		{size, "9223372036854775808", nil, "is too large"},
		{whole, "7", 7, ""},
		{whole, "-7", -7, ""},
		{whole, "0x10", nil, "want a whole number"},
		{whole, "7.0", nil, "want a whole number"},
		{whole, "9223372036854775808", nil, "is too large"},
		{number, "0.5", 0.5, ""},
		{number, "5", 5.0, ""},
		{number, "Inf", nil, "want a number"},
		{number, "five", nil, "want a number"},
		{boolean, "true", true, ""},
		{boolean, "false", false, ""},
		{boolean, "1", nil, "want true or false"},
		{boolean, "", nil, "want true or false"},
		{list, "", []string{}, ""},
		{list, " ", []string{}, ""},
		{list, "a", []string{"a"}, ""},
		{list, "a, b ,c", []string{"a", "b", "c"}, ""},
	} {
		got, err := c.setting.parse(c.text)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s %q: %v, %v, want %s", c.setting.kind(), c.text, got, err, c.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %q: %#v, %v, want %#v", c.setting.kind(), c.text, got, err, c.want)
		}
	}
}

// TestTexts has what is written of sizes and durations be read again as the same.
func TestTexts(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 1: "1", 1000: "1000", 1024: "1KiB", 1536: "1536", 1 << 20: "1MiB", 3 << 30: "3GiB", -1024: "-1KiB",
	} {
		text := fmt.Sprint(sizeText(n))
		if back, err := parseSize(text); text != want || err != nil || back != int(n) {
			t.Errorf("%d is %q, and that %v, %v", n, text, back, err)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", time.Hour: "1h", 90 * time.Second: "1m30s",
		10 * time.Minute: "10m", 20 * time.Hour: "20h", time.Hour + time.Second: "1h0m1s",
		1500 * time.Microsecond: "1.5ms",
	} {
		text := durationText(d)
		if back, err := parseDuration(text); text != want || err != nil || back != d {
			t.Errorf("%v is %q, and that %v, %v", d, text, back, err)
		}
	}
}

// TestNearest finds what a typing mistake may have meant, and nothing for what is no such.
func TestNearest(t *testing.T) {
	all := []string{"listen", "drain", "text", "tls", "single_login", "api"}
	for word, want := range map[string]string{
		"lisen": "listen", "lsiten": "listen", "Listen": "listen", "drian": "drain", "tsl": "tls",
		"singlelogin": "single_login", "single-login": "single_login", "bananas": "", "x": "", "": "", "ab": "",
		strings.Repeat("listen", 20): "",
	} {
		if got := nearest(word, all); got != want {
			t.Errorf("%q is near %q, want %q", word, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"ab", "", 2}, {"ab", "ba", 1}, {"abc", "abc", 0}, {"kitten", "sitting", 3},
		{"ca", "abc", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
