package server

import (
	"bytes"
	"slices"
)

// answers is the queue of answers to pipelined requests, the lines of a back end or what a page publishes, in the order
// of the requests: one that is known waits for those before it.
type answers struct {
	first int      // the number of texts[sent]
	sent  int      // of texts
	texts [][]byte // nil where it is not known
	last  []byte   // short one that has had to wait; nil: there is none
}

// len is how many requests have no answer that was sent.
func (a *answers) len() int { return len(a.texts) - a.sent }

// expect adds an answer that is not known yet, and returns its number.
func (a *answers) expect() int {
	if len(a.texts) == cap(a.texts) && 2*a.sent >= len(a.texts) { // what is moved is no more than what was sent
		a.texts, a.sent = slices.Delete(a.texts, 0, a.sent), 0
	}
	a.texts = append(a.texts, nil)
	return a.first + a.len() - 1
}

// settle has the n-th answer be known, and sends what is. text is on loan. What send does not take waits for flush.
func (a *answers) settle(n int, text []byte, send func(text []byte) bool) {
	if n > a.first || !send(text) {
		a.texts[a.sent+n-a.first] = a.keep(text)
		return
	}
	a.pass()
	a.flush(send)
}

// keep copies a text that has to wait. Short ones are mostly alike, and share a copy.
func (a *answers) keep(text []byte) []byte {
	if a.last != nil && bytes.Equal(a.last, text) {
		return a.last
	}
	kept := append([]byte{}, text...)
	if len(kept) <= shortAnswer {
		a.last = kept
	}
	return kept
}

// flush sends what is known.
func (a *answers) flush(send func(text []byte) bool) {
	for a.len() > 0 && a.texts[a.sent] != nil && send(a.texts[a.sent]) {
		a.pass()
	}
}

// pass notes that the first answer was sent.
func (a *answers) pass() {
	a.texts[a.sent] = nil
	a.first++
	if a.sent++; a.sent == len(a.texts) {
		a.texts, a.sent, a.last = a.texts[:0], 0, nil
	}
}
