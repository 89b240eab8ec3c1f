package command

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// Message is a publication as the answer of history has it: Data if it is JSON, else Text.
type Message struct {
	Pos  push.Position   `json:"pos"`
	At   time.Time       `json:"at"`
	Data json.RawMessage `json:"data,omitempty"`
	Text *string         `json:"text,omitempty"`
}

const (
	defaultLimit    = 100
	maxLimit        = 10_000
	maxHistoryBytes = 1 << 20 // of the messages of an answer: a larger one would keep the loop from others
)

// history tells what is kept of a target.
func (t *Table[C]) history(q *Request, done func(Reply)) {
	limit := defaultLimit
	if q.Limit != nil {
		limit = *q.Limit
	}
	switch {
	case len(q.To) != 1:
		done(t.refuse(q, invalid("history wants one target")))
		return
	case limit < 0 || limit > maxLimit:
		done(t.refuse(q, invalid(`"limit" is 0 to %d messages`, maxLimit)))
		return
	}
	want := push.Range{Since: q.Since, Limit: limit, Bytes: maxHistoryBytes}
	err := t.hub.History(q.To[0], want, func(h push.History, err error) {
		if err != nil {
			done(t.refuse(q, err))
			return
		}
		done(told(h))
	})
	if err != nil {
		done(t.refuse(q, err))
	}
}

// told is a history as it is answered.
func told(h push.History) Reply {
	messages := make([]Message, len(h.Messages))
	for i, m := range h.Messages {
		messages[i] = Message{Pos: m.Position, At: m.At.UTC().Truncate(time.Millisecond)}
		if isJSON(m.Data) {
			messages[i].Data = m.Data
		} else {
			text := string(m.Data)
			messages[i].Text = &text
		}
	}
	return Reply{OK: true, Messages: &messages, Top: h.Top, Gap: h.Gap}
}

// isJSON reports whether what was published can be part of an answer as it is.
func isJSON(data []byte) bool {
	return utf8.Valid(data) && json.Valid(data) && jsontext.Depth(data) < jsontext.MaxDepth-2
}

// forget removes what is kept of some targets.
func (t *Table[C]) forget(q *Request, done func(Reply)) {
	err := t.hub.Forget(q.To, func(err error) {
		if err != nil {
			done(t.refuse(q, err))
			return
		}
		done(Reply{OK: true})
	})
	if err != nil {
		done(t.refuse(q, err))
	}
}

// placed are the positions of a publication, by its targets; nil if it has none.
func placed(to []push.Target, positions []push.Position) map[push.Target]push.Position {
	var by map[push.Target]push.Position
	for i, at := range positions {
		if at == (push.Position{}) {
			continue
		}
		if by == nil {
			by = make(map[push.Target]push.Position)
		}
		by[to[i]] = at
	}
	return by
}

// withPositions has the answer of pub tell the positions; if that makes it too long, it says that they are missing.
func (r Reply) withPositions(by map[push.Target]push.Position) Reply {
	if r.Pos = by; len(by) <= 1 {
		return r
	}
	if r.text = r.JSON(); len(r.text) > push.MaxAnswer {
		r.text, r.Pos, r.Incomplete = nil, nil, true
	}
	return r
}
