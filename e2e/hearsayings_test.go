package e2e

import (
	"fmt"
	"sync"
)

// sayings is what pages have said, and what became of it as they were told. The n-th that a page says has number n.
type sayings struct {
	mu         sync.Mutex // guards the following
	pages      map[string][]saying
	again      int // said again
	complaints []string
}

// saying is something that a page has said.
type saying struct {
	taken   bool // the server has answered that every listener has it
	refused bool // it has answered that nobody has taken it: somebody may have it
}

// payload is what a page says.
type payload struct {
	Page string `json:"page"`
	N    int    `json:"n"`
}

func newSayings() *sayings { return &sayings{pages: map[string][]saying{}} }

// next is what a page says next.
func (s *sayings) next(page string) payload {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[page] = append(s.pages[page], saying{})
	return payload{page, len(s.pages[page])}
}

// repeated notes that a page says something again.
func (s *sayings) repeated() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.again++
}

// answered notes what the server has answered.
func (s *sayings) answered(p payload, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := &s.pages[p.Page][p.N-1]
	of.taken, of.refused = of.taken || code == 0, of.refused || code != 0
}

// complain notes what must not be.
func (s *sayings) complain(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.complaints) < 20 {
		s.complaints = append(s.complaints, fmt.Sprintf(format, args...))
	}
}

// counts are how many messages pages have said, and were told that they are taken, or refused.
func (s *sayings) counts() (said, taken, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range s.pages {
		for _, one := range of {
			said++
			if one.taken {
				taken++
			}
			if one.refused {
				refused++
			}
		}
	}
	return said, taken, refused
}

// handling is a message event as a back end got it.
type handling struct {
	by    string // the process that handled it
	Type  string
	Conn  string
	UID   string
	Seq   uint64
	N     uint64
	Again bool
	Data  payload
}

// hearing is what became of the messages of pages at back ends that share them, as verdict counts it.
type hearing struct {
	events, distinct  int
	doubles           int // events of messages that had come before
	missing, unmarked int // messages that were taken, and are nowhere; doubles without the mark
	disordered, wrong int
	complaints        []string
}

// judge compares what back ends have handled, in the order of time, with what pages have said. Every message that was
// taken is there, and of several times that it is there all but one are marked. The first times of a page's messages
// are in its order, and so are the first times of what one process handled of a connection: a request that was cut may
// be handled after the one that was made again.
func (s *sayings) judge(all []handling) hearing {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := judgement{
		of: s, plain: map[payload]int{}, last: map[string]int{},
		seqs: map[[2]string]uint64{}, handled: map[handledSeq]bool{},
	}
	seen := map[payload]bool{}
	for _, e := range all {
		j.events++
		if !j.isSaid(e) {
			continue
		}
		if first := !seen[e.Data]; first {
			seen[e.Data] = true
			j.distinct++
			j.inOrderOfPage(e)
		} else {
			j.doubles++
		}
		j.inOrderOfConnection(e)
		if !e.Again {
			j.once(e)
		}
	}
	for page, of := range s.pages {
		for i, one := range of {
			if one.taken && !seen[payload{page, i + 1}] {
				j.missing++
				j.complain("number %d of %s was taken, and nobody has it", i+1, page)
			}
		}
	}
	return j.hearing
}

// judgement is a judge at work.
type judgement struct {
	hearing
	of      *sayings
	plain   map[payload]int      // times without the mark
	last    map[string]int       // number of each page
	seqs    map[[2]string]uint64 // the last of each process and connection
	handled map[handledSeq]bool
}

type handledSeq struct {
	by, conn string
	seq      uint64
}

func (j *judgement) complain(format string, args ...any) {
	if len(j.complaints) < 20 {
		j.complaints = append(j.complaints, fmt.Sprintf(format, args...))
	}
}

// isSaid reports whether a page has said it, whose connection that was.
func (j *judgement) isSaid(e handling) bool {
	if e.Type == "message" && e.UID == e.Data.Page && e.Data.N > 0 && e.Data.N <= len(j.of.pages[e.Data.Page]) {
		return true
	}
	j.wrong++
	j.complain("no page has said %+v", e)
	return false
}

// inOrderOfPage checks the first time of a message.
func (j *judgement) inOrderOfPage(e handling) {
	if last := j.last[e.UID]; e.Data.N < last {
		j.disordered++
		j.complain("number %d of %s comes first after number %d", e.Data.N, e.UID, last)
		return
	}
	j.last[e.UID] = e.Data.N
}

// inOrderOfConnection checks the seq.
func (j *judgement) inOrderOfConnection(e handling) {
	of, one := [2]string{e.by, e.Conn}, handledSeq{e.by, e.Conn, e.Seq}
	if last := j.seqs[of]; e.Seq <= last && !e.Again && !j.handled[one] {
		j.disordered++
		j.complain("%s has %d of %s after %d, unmarked", e.by, e.Seq, e.Conn, last)
	}
	j.seqs[of] = max(j.seqs[of], e.Seq)
	j.handled[one] = true
}

// once checks that it was not handled before without a mark.
func (j *judgement) once(e handling) {
	if j.plain[e.Data]++; j.plain[e.Data] > 1 {
		j.unmarked++
		j.complain("number %d of %s comes twice without a mark, at last to %s", e.Data.N, e.UID, e.by)
	}
}
