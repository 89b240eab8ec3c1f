package level1

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// Place is how far a client has come with a target.
type Place struct {
	Target   push.Target
	Position push.Position
}

// AppendEventID appends the id of a server-sent event: all places of a stream that have a Position. Names are
// percent-encoded, so that it is one line of letters that mean nothing to a URL.
func AppendEventID(dst []byte, places []Place) []byte {
	first := true
	for _, p := range places {
		if p.Position == (push.Position{}) {
			continue
		}
		if !first {
			dst = append(dst, ';')
		}
		first = false
		dst = appendEncoded(dst, string(p.Target))
		dst = append(dst, '=')
		dst = appendPlace(dst, p.Position)
	}
	return dst
}

const upperDigits = "0123456789ABCDEF"

// appendEncoded appends a name percent-encoded (RFC 3986, 2.1): all but what is unreserved there, and the colon.
func appendEncoded(dst []byte, name string) []byte {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~:", c) >= 0:
			dst = append(dst, c)
		default:
			dst = append(dst, '%', upperDigits[c>>4], upperDigits[c&0xf])
		}
	}
	return dst
}

// ErrEventID matches the error of ParseEventID.
var ErrEventID = errors.New("level1: this is no event id: give the last one back as it was told")

// ParseEventID reads the id of an event, as a browser hands it back in Last-Event-ID. An empty one has no places. Its
// length is for the caller to bound.
func ParseEventID(text string) ([]Place, error) {
	if text == "" {
		return nil, nil
	}
	var places []Place
	for pair := range strings.SplitSeq(text, ";") {
		p, err := parsePlace(pair)
		if err == nil && len(places) == push.MaxTargets {
			err = fmt.Errorf("more than %d targets", push.MaxTargets)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrEventID, err)
		}
		places = append(places, p)
	}
	return places, nil
}

// parsePlace reads one pair.
func parsePlace(pair string) (p Place, err error) {
	encoded, text, found := strings.Cut(pair, "=")
	if !found {
		return p, fmt.Errorf("%.40q has no position", pair)
	}
	name, err := url.PathUnescape(encoded)
	if err != nil {
		return p, err
	}
	p.Target = push.Target(name)
	if err := checkPlace(p.Target); err != nil {
		return p, err
	}
	p.Position, err = push.ParsePosition(text)
	return p, err
}
