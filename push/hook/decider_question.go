package hook

import (
	"encoding/json"
	"net"
	"strconv"
	"strings"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// Connect asks who a page is. What is empty is left out.
type Connect struct {
	Conn   push.Target // the name that it will have
	Remote string      // host:port, as trusted proxies tell it
	Level  int         // 0 or 1
	UID    string      // of a page that has logged in, and shows another token

	// Of its request.
	Host, Path, Query, Origin string
	Headers                   []Field // names in lower case, each once

	Token string // what it says as its credential, wherever it says that
}

// Field is one of a header.
type Field struct{ Name, Value string }

// Subscribe asks whether a page may subscribe to a channel.
type Subscribe struct {
	Conn         push.Target
	UID, Channel string
}

// Publish asks whether a page may publish on a channel. Data is JSON.
type Publish struct {
	Conn    push.Target
	UID     string
	ID      string // no other question has it
	Again   bool   // it may have been asked before, by the same ID
	Channel string
	Data    []byte
}

// RPC is a page's call of a method. Data is JSON; nil: it gives none.
type RPC struct {
	Conn    push.Target
	UID     string
	ID      string // as that of Publish
	Again   bool   // likewise
	Method  string
	Data    []byte
	Session json.RawMessage // what the back end keeps with the connection; nil: nothing
}

// TellsWho reports whether a page shows anything that could tell who it is: a token, a cookie, an Authorization, or
// something in its query beside what the server itself reads there.
func (q *Connect) TellsWho() bool {
	for _, f := range q.Headers {
		if f.Name == "cookie" || f.Name == "authorization" {
			return true
		}
	}
	for pair := range strings.SplitSeq(q.Query, "&") {
		switch name, _, _ := strings.Cut(pair, "="); name {
		case "", "sub", "hello", "last", "lastEventId", "pad":
		default:
			return true
		}
	}
	return q.Token != ""
}

// alike is what questions have in common that may have the same answer: everything but the connection and its port. It
// is "" if this one has an answer of its own: pages that show nothing are told apart by nothing.
func (q *Connect) alike() string {
	if !q.TellsWho() {
		return ""
	}
	other := *q
	other.Conn = ""
	if host, _, err := net.SplitHostPort(q.Remote); err == nil {
		other.Remote = host
	}
	return string(other.append(nil))
}

func (q *Connect) append(dst []byte) []byte {
	dst = begin(dst, "connect", q.Conn, q.UID)
	dst = appendText(dst, "remote", q.Remote)
	dst = strconv.AppendInt(append(dst, `,"level":`...), int64(q.Level), 10)
	dst = appendText(dst, "host", q.Host)
	dst = appendText(dst, "path", q.Path)
	dst = appendText(dst, "query", q.Query)
	dst = appendText(dst, "origin", q.Origin)
	if len(q.Headers) > 0 {
		dst = append(dst, `,"headers":{`...)
		for i, f := range q.Headers {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(append(appendString(dst, f.Name), ':'), f.Value)
		}
		dst = append(dst, '}')
	}
	dst = appendText(dst, "token", q.Token)
	return append(dst, '}')
}

func (q *Subscribe) append(dst []byte) []byte {
	dst = begin(dst, "subscribe", q.Conn, q.UID)
	return append(appendText(dst, "channel", q.Channel), '}')
}

func (q *Publish) append(dst []byte) []byte {
	dst = beginOnce(dst, "publish", q.Conn, q.UID, q.ID, q.Again)
	dst = appendText(dst, "channel", q.Channel)
	return append(appendJSON(dst, "data", q.Data), '}')
}

func (q *RPC) append(dst []byte) []byte {
	dst = beginOnce(dst, "rpc", q.Conn, q.UID, q.ID, q.Again)
	dst = appendText(dst, "method", q.Method)
	dst = appendJSON(dst, "data", q.Data)
	return append(appendJSON(dst, "session", q.Session), '}')
}

// begin begins a question.
func begin(dst []byte, ask string, conn push.Target, uid string) []byte {
	dst = appendString(append(dst, `{"ask":`...), ask)
	dst = appendText(dst, "conn", string(conn))
	return appendText(dst, "uid", uid)
}

// beginOnce begins a question that has a name of its own.
func beginOnce(dst []byte, ask string, conn push.Target, uid, id string, again bool) []byte {
	dst = appendText(begin(dst, ask, conn, uid), "id", id)
	if again {
		dst = append(dst, `,"again":true`...)
	}
	return dst
}

// appendText appends a field, unless it is empty.
func appendText(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendString(append(appendString(append(dst, ','), name), ':'), value)
}

// appendString appends a string. What is no UTF-8 in it, as a header may have it, is U+FFFD then.
func appendString(dst []byte, s string) []byte {
	return jsontext.AppendString(dst, strings.ToValidUTF8(s, "\ufffd"))
}

// appendJSON appends a field that is JSON, unless there is none.
func appendJSON(dst []byte, name string, value []byte) []byte {
	if value == nil {
		return dst
	}
	return append(append(appendString(append(dst, ','), name), ':'), value...)
}
