//go:build unix

package channel

import "bytes"

// lines are taken from what comes in pieces. No byte is looked at twice, so a long line costs no more than short ones.
type lines struct {
	memory []byte // for rest, when all has been taken
	rest   []byte // has not been taken
	looked int    // bytes of rest that are known to have no end of a line
}

func (l *lines) add(piece []byte) {
	if len(l.rest) > 0 {
		l.rest = append(l.rest, piece...)
		return
	}
	l.rest = append(l.memory[:0], piece...)
	if cap(l.rest) <= kept {
		l.memory = l.rest
	}
}

// next takes a line, without its end, which is valid until the next add.
func (l *lines) next() (line []byte, whole bool) {
	end := bytes.IndexByte(l.rest[l.looked:], '\n')
	if end < 0 {
		l.looked = len(l.rest)
		return nil, false
	}
	end += l.looked
	line, l.rest, l.looked = l.rest[:end], l.rest[end+1:], 0
	return line, true
}
