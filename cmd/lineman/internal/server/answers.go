package server

import "slices"

// answers is the queue of answers to the pipelined lines of a back end, in the order of the lines: one that is known
// waits for those before it.
type answers struct {
	first int      // the number of texts[0]
	texts [][]byte // nil where it is not known
}

// len is how many lines have no answer that was sent.
func (a *answers) len() int { return len(a.texts) }

// expect adds an answer that is not known yet, and returns its number.
func (a *answers) expect() int {
	a.texts = append(a.texts, nil)
	return a.first + len(a.texts) - 1
}

// settle has the n-th answer be known, and sends what is. text is on loan. What send does not take waits for flush.
func (a *answers) settle(n int, text []byte, send func(text []byte) bool) {
	if n > a.first || !send(text) {
		a.texts[n-a.first] = append([]byte{}, text...)
		return
	}
	a.advance(1, send)
}

// flush sends what is known.
func (a *answers) flush(send func(text []byte) bool) { a.advance(0, send) }

// advance sends what is known behind those that were sent.
func (a *answers) advance(done int, send func(text []byte) bool) {
	for done < len(a.texts) && a.texts[done] != nil && send(a.texts[done]) {
		done++
	}
	a.first += done
	a.texts = slices.Delete(a.texts, 0, done)
}
