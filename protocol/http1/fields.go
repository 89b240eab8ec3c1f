package http1

import "iter"

// fields are field lines where they lie (RFC 9112, 5): those of a head, or the trailers of a body in chunks.
type fields struct {
	text    []byte
	lines   []fieldLine
	lengths uint64 // bit n%64 is set if a name has n bytes: so most fields that are not there need not be looked for
	host    int    // line of the first Host
	length  int    // of the first Content-Length
	noticed noticed
}

// fieldLine is where a field lies in the text: its name up to the colon, its value from there to its end.
type fieldLine struct{ name, colon, value, end int32 }

// noticed are the fields that the server itself looks at, so that those which most heads do not have need not be looked
// for.
type noticed uint8

const (
	hasHost noticed = 1 << iota
	hasHosts
	hasConnection
	hasExpect
	hasLength
	hasLengths
	hasCoding

	hasFraming = hasLength | hasCoding
)

// read reads the field lines that begin at at, up to and with the empty one, and returns where that ends.
func (f *fields) read(data []byte, at int) (end int, err error) {
	f.text, f.lines, f.lengths, f.noticed = data, f.lines[:0], 0, 0
	for {
		if isCRLF(data, at) {
			return at + len(crlf), nil
		}
		colon := tokenEnd(data, at)
		switch {
		case colon == at || colon == len(data) || data[colon] != ':':
			return 0, bad("malformed field name") // RFC 9112, 5.1 and 5.2: space before ":", folded lines
		case len(f.lines) == maxFields:
			return 0, &Error{Status: 431, Reason: "too many header fields"}
		}
		value := colon + 1
		for value < len(data) && isBlank(data[value]) {
			value++
		}
		next := textEnd(data, value)
		if !isCRLF(data, next) {
			return 0, bad("control character in a field value")
		}
		last := next
		for last > value && isBlank(data[last-1]) {
			last--
		}
		f.lengths |= 1 << (uint(colon-at) % 64)
		f.notice(data[at:colon], len(f.lines))
		f.lines = append(f.lines, fieldLine{int32(at), int32(colon), int32(value), int32(last)})
		at = next + len(crlf)
	}
}

// notice looks at the name of line i.
func (f *fields) notice(name []byte, i int) {
	switch len(name) {
	case len("Host"):
		switch {
		case string(name) != "Host" && !equalFold(name, "Host"):
		case f.noticed&hasHost != 0:
			f.noticed |= hasHosts
		default:
			f.noticed |= hasHost
			f.host = i
		}
	case len("Expect"):
		if equalFold(name, "Expect") {
			f.noticed |= hasExpect
		}
	case len("Connection"):
		if equalFold(name, "Connection") {
			f.noticed |= hasConnection
		}
	case len("Content-Length"):
		switch {
		case string(name) != "Content-Length" && !equalFold(name, "Content-Length"):
		case f.noticed&hasLength != 0:
			f.noticed |= hasLengths
		default:
			f.noticed |= hasLength
			f.length = i
		}
	case len("Transfer-Encoding"):
		if equalFold(name, "Transfer-Encoding") {
			f.noticed |= hasCoding
		}
	}
}

func (f *fields) name(i int) []byte {
	l := f.lines[i]
	return f.text[l.name:l.colon:l.colon]
}

// value is without the white space around it. An empty one is not nil.
func (f *fields) value(i int) []byte {
	l := f.lines[i]
	return f.text[l.value:l.end:l.end]
}

// find is the first line, from line i on, with a field of this name, in any case; -1 if there is none.
func (f *fields) find(name string, i int) int {
	if f.lengths&(1<<(uint(len(name))%64)) == 0 {
		return -1
	}
	for ; i < len(f.lines); i++ {
		l := &f.lines[i]
		if int(l.colon-l.name) != len(name) {
			continue
		}
		if is := f.text[l.name:l.colon]; string(is) == name || equalFold(is, name) {
			return i
		}
	}
	return -1
}

func (f *fields) each() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := range f.lines {
			if !yield(f.name(i), f.value(i)) {
				return
			}
		}
	}
}

// forget leaves nothing but memory for lines.
func (f *fields) forget() { f.text, f.lines, f.lengths = nil, f.lines[:0], 0 }
