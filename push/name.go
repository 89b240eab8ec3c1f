package push

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the longest name of a uid, a group or a channel, in bytes.
const MaxName = 255

// checkName tells what is wrong with a name.
func checkName(k Kind, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("push: a %s has no name", k)
	case len(name) > MaxName:
		return fmt.Errorf("push: the name of a %s has %d bytes: at most %d are allowed", k, len(name), MaxName)
	case isPrintable(name): // most are
	case !utf8.ValidString(name):
		return fmt.Errorf("push: the name of a %s is not UTF-8", k)
	default:
		if r, found := findUnfit(name); found {
			return fmt.Errorf("push: the name of a %s has a %s, %U", k, unfit(r), r)
		}
	}
	switch {
	case k == ToChannel && isOther(name):
		return wrongName("push: a channel cannot be called %q: that is another kind of target", name)
	case k == ToConn:
		if _, _, ok := splitConn(name); !ok {
			return wrongName("push: no connection is called %q: take what list answers", name)
		}
	}
	return nil
}

// wrongName is an error about a name. It has a copy, so that a name which is right needs not be on the heap.
func wrongName(format, name string) error { return fmt.Errorf(format, strings.Clone(name)) }

// isPrintable reports whether a name is printable ASCII, all of which names may have.
func isPrintable(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// findUnfit finds a character that no name may have.
func findUnfit(name string) (r rune, found bool) {
	for _, r := range name {
		if (r < ' ' || r >= 0x7f) && unfit(r) != "" {
			return r, true
		}
	}
	return 0, false
}

// unfit says what is wrong with a character of a name; empty if nothing is. Names are shown in logs and on screens, and
// compared byte by byte. So a name has no character that ends or changes a line, none that cannot be seen or that turns
// the order of letters round, as two names would look like one, and no U+FFFD: it stands for what could not be decoded,
// such as half of a surrogate pair, so two names would be one. Joiners are allowed, as words of some languages and many
// emoji need them, and so are the signs that Arabic writes before numbers.
func unfit(r rune) string {
	switch {
	case unicode.IsControl(r): // C0, DEL, C1
		return "control character"
	case r == utf8.RuneError:
		return "character that could not be decoded"
	case unicode.In(r, unicode.Zl, unicode.Zp):
		return "line separator"
	case unicode.Is(unicode.Cf, r) && !unicode.In(r, unicode.Join_Control, unicode.Prepended_Concatenation_Mark):
		return "character that is not seen"
	}
	return ""
}
