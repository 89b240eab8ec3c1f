package resp

import (
	"bytes"
	"strings"
)

// What values begin with.
const (
	simple    = '+'
	failure   = '-'
	integer   = ':'
	bulk      = '$'
	array     = '*'
	null      = '_'
	boolean   = '#'
	double    = ','
	bigNumber = '('
	bulkError = '!'
	verbatim  = '='
	mapping   = '%'
	set       = '~'
	push      = '>'
	attribute = '|'
)

// known reports whether a value can begin with this. Streamed values, which no server sends, are none.
func known(kind byte) bool { return strings.IndexByte("+-:$*_#,(!=%~>|", kind) >= 0 }

// open begins a value whose first line is whole, and reports whether the value at hand is whole by that.
func (p *parser) open(kind byte, text []byte) (whole bool, err error) {
	switch kind {
	case bulk, verbatim, bulkError, array, set, mapping, push, attribute:
		length, ok := number(text)
		if !ok {
			return false, violated("something of the length %.40q", text)
		}
		return p.size(kind, length)
	case simple, failure, double, bigNumber:
		if bytes.IndexByte(text, '\r') >= 0 {
			return false, violated("a CR within a line, %.40q", text)
		}
	case integer:
		if _, ok := number(text); !ok {
			return false, violated("the number %.40q", text)
		}
	case null:
		if len(text) > 0 {
			return false, violated("a null that has something, %.40q", text)
		}
	case boolean:
		if string(text) != "t" && string(text) != "f" {
			return false, violated("the boolean %.40q", text)
		}
	default:
		return false, violated("no value begins with %q", kind)
	}
	if err := p.place(kind, -1); err != nil {
		return false, err
	}
	p.keep(text)
	return p.ends(), nil
}

// size begins a value that has its length before it.
func (p *parser) size(kind byte, length int64) (whole bool, err error) {
	switch {
	case length == -1 && (kind == bulk || kind == array): // the null of RESP2
		err = p.place(null, -1)
		return err == nil && p.ends(), err
	case length < 0:
		return false, violated("something of the length %d", length)
	case kind == bulk || kind == verbatim || kind == bulkError:
		return false, p.openString(kind, length)
	}
	return p.openAggregate(kind, length)
}

// openString begins one of so many bytes.
func (p *parser) openString(kind byte, length int64) error {
	if length > int64(maxBytes-p.bytes) {
		return violated("a value of more than %d MiB", maxBytes>>20)
	}
	p.bytes += int(length)
	p.body, p.tail = int(length), 2
	return p.place(kind, -1)
}

// openAggregate begins one of so many elements, or pairs.
func (p *parser) openAggregate(kind byte, claimed int64) (whole bool, err error) {
	switch {
	case claimed > maxElements:
		return false, violated("a value of more than %d elements", maxElements)
	case kind == push && p.depth > 0:
		return false, violated("a push within a value")
	case p.depth == maxDepth:
		return false, violated("values more than %d deep", maxDepth)
	}
	count := int(claimed)
	if kind == mapping || kind == attribute {
		count *= 2
	}
	if kind == attribute {
		p.elements++ // which nobody has claimed
	}
	if p.elements += count; p.elements > maxElements {
		return false, violated("a value of more than %d elements", maxElements)
	}
	if err := p.place(kind, count); err != nil {
		return false, err
	}
	if count == 0 {
		return kind != attribute && p.ends(), nil
	}
	p.stack[p.depth] = frame{kind: kind, left: count}
	p.depth++
	return false, nil
}

// place notes what is known of a value that begins, by where it stands.
func (p *parser) place(kind byte, count int) error {
	p.found.keeps = 0
	if p.depth == 0 {
		p.found.kind, p.found.count = kind, count
		if count < 0 {
			p.found.keeps = 1
		}
		return nil
	}
	top := &p.stack[p.depth-1]
	if p.depth == 1 && top.index < len(p.found.words) && top.kind != attribute && count < 0 {
		p.found.keeps = top.index + 1
	}
	if p.fits != nil && kind != attribute && p.stack[0].kind != push && !p.fits(p.depth, top.index, kind, count) {
		return violated("an answer that is not what was asked for")
	}
	return nil
}

// keep notes a part of a string, if it is one of the first.
func (p *parser) keep(part []byte) {
	if i := p.found.keeps; i > 0 {
		w := &p.found.words[i-1]
		*w = append(*w, part[:min(len(part), maxKept-len(*w))]...)
	}
}

// ends closes a value, and those that it makes whole. It reports whether the value at hand is one.
func (p *parser) ends() bool {
	for p.depth > 0 {
		top := &p.stack[p.depth-1]
		top.index++
		if top.left--; top.left > 0 {
			return false
		}
		p.depth--
		if top.kind == attribute { // the value that it is of follows
			return false
		}
	}
	return true
}

// number reads one of at most maxNumber bytes.
func number(text []byte) (n int64, ok bool) {
	digits := bytes.TrimPrefix(text, []byte("-"))
	if len(digits) == 0 || len(text) > maxNumber {
		return 0, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		if n > (1<<62)/10 { // no length is so great, and of an integer the size is of no interest
			continue
		}
		n = n*10 + int64(d-'0')
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, true
}
