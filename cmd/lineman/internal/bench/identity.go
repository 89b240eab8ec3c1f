package bench

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Identity is who a page says it is.
type Identity struct {
	UID        string
	Credential string
}

// Named are n identities of dev mode, in which the credential is the uid. {n} in the template is the number of each,
// from 1.
func Named(template string, n int) []Identity {
	all := make([]Identity, min(max(n, 0), maxConnections+1))
	for i := range all {
		name := strings.ReplaceAll(template, "{n}", strconv.Itoa(i+1))
		all[i] = Identity{name, name}
	}
	return all
}

// ReadIdentities reads n identities, one a line: a uid, a space, and its credential.
func ReadIdentities(r io.Reader, n int) (all []Identity, err error) {
	lines := bufio.NewScanner(r)
	for len(all) < n && lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 2 {
			return nil, fmt.Errorf("bench: line %d of the credentials: want a uid, a space, and its credential",
				len(all)+1)
		}
		all = append(all, Identity{fields[0], fields[1]})
	}
	if lines.Err() == nil && len(all) < n {
		return nil, fmt.Errorf("bench: %d connections want as many lines of credentials, and there are %d", n, len(all))
	}
	return all, lines.Err()
}

// distinct wants each page to have a uid of its own: what is published for it is numbered.
func distinct(all []Identity) error {
	seen := make(map[string]bool, len(all))
	for _, i := range all {
		if i.UID == "" || len(i.UID) > 255 {
			return fmt.Errorf("bench: uid %.20q: want 1 to 255 bytes", i.UID)
		}
		if seen[i.UID] {
			return fmt.Errorf("bench: uid %q is there twice: each connection wants one of its own; in a template, "+
				"{n} is the connection's number", i.UID)
		}
		seen[i.UID] = true
	}
	return nil
}
