package redis

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// vectors are messages with their bytes.
var vectors = []struct {
	name string
	m    message
	wire string
}{
	{"probe", message{kind: probe}, "\x01\x04"},
	{"a node that is up", message{kind: presence, from: "n1", here: true}, "\x01\x05\x02n1\x01"},
	{"a node that leaves", message{kind: presence, from: "n1"}, "\x01\x05\x02n1\x00"},
	{
		"publication to the topic of its channel",
		message{kind: publication, from: "n1", seq: 300, node: "n1", number: 7, data: []byte("hello")},
		"\x01\x01\x02n1\xac\x02\x07hello",
	},
	{
		"publication with all that one can have",
		message{
			kind: publication, from: "n1", seq: 1, to: []push.Target{"u:7", "*"}, node: "n2", number: 1 << 60,
			except: "c:n2.5", parts: true, data: []byte("\x00\xff"),
		},
		"\x01\xf1\x02n1\x01\x02\x03u:7\x01*\x02n2\x80\x80\x80\x80\x80\x80\x80\x80\x10\x06c:n2.5\x00\xff",
	},
	{
		"publication without data",
		message{kind: publication, from: "n1", seq: 1, node: "n1", number: 1, data: []byte{}},
		"\x01\x01\x02n1\x01\x01",
	},
	{
		"question",
		message{kind: question, from: "n1", seq: 2, data: []byte("who?")},
		"\x01\x02\x02n1\x02who?",
	},
	{
		"question about two",
		message{kind: question, from: "n1", seq: 2, to: []push.Target{"a", "b"}, data: []byte{}},
		"\x01\x12\x02n1\x02\x02\x01a\x01b",
	},
	{
		"answers",
		message{kind: answers,
			answers: []answer{
				{seq: 5}, {seq: 6, form: reaching, reached: 200}, {seq: 7, form: telling, data: []byte("me")},
			}},
		"\x01\x03\x05\x00\x06\x01\xc8\x01\x07\x02\x02me",
	},
	{"barrier", message{kind: barrier, token: "t1"}, "\x01\x08\x02t1"},
	{"ready", message{kind: ready, token: "t1"}, "\x01\x0a\x02t1"},
	{"the end of what is forwarded", message{kind: forwarded, token: "t1", last: true}, "\x01\x09\x02t11"},
	{
		"forwarded",
		message{kind: forwarded, token: "t1", rest: []arrival{{channel: "x", payload: "ab"}, {channel: "y"}}},
		"\x01\x09\x02t10\x01x\x02ab\x01y\x00",
	},
	{
		"publication that stands in a history",
		message{
			kind: publication, from: "n1", seq: 1, node: "n1", number: 7, data: []byte("hello"),
			at: mark{"e1", "t2", 300}, stands: []stand{{0, 200}},
		},
		"\x01\x06e1 t2 300 0 200\x00\x01\x01\x02n1\x01\x07hello",
	},
	{
		"publication that stands in two histories of three",
		message{
			kind: publication, from: "n1", seq: 1, to: []push.Target{"a", "b", "c"}, node: "n1", number: 7,
			data: []byte{}, at: mark{"e", "t", 1}, stands: []stand{{0, 1}, {2, 5}},
		},
		"\x01\x06e t 1 0 1 2 5\x00\x01\x11\x02n1\x01\x03\x01a\x01b\x01c\x07",
	},
	{
		"somebody has come",
		message{
			kind: change, version: 70,
			present: push.PresenceEvent{UID: "a b", Here: true, Info: []byte(`{"n": 1}`), N: 3},
		},
		"\x01\x0770 3 1 3 a b{\"n\": 1}",
	},
	{
		"somebody has gone",
		message{kind: change, present: push.PresenceEvent{UID: "7", N: 0}, version: 1},
		"\x01\x071 0 0 1 7",
	},
}

// encode writes a message, as a node and then the script do.
func encode(m message) (wire []byte) {
	if e := m.present; m.kind == change {
		return fmt.Appendf(nil, "\x01\x07%d %d %s %d %s%s", m.version, e.N, digit(e.Here), len(e.UID), e.UID, e.Info)
	}
	if m.stands != nil {
		wire = fmt.Appendf(nil, "\x01\x06%s %s %d", m.at.epoch, m.at.term, m.at.clock)
		for _, s := range m.stands {
			wire = fmt.Appendf(wire, " %d %d", s.index, s.offset)
		}
		wire = append(wire, 0)
	}
	return m.append(wire)
}

func TestWire(t *testing.T) {
	for _, v := range vectors {
		if got := encode(v.m); string(got) != v.wire {
			t.Errorf("%s is encoded as %q, want %q", v.name, got, v.wire)
		}
		got, err := decode([]byte(v.wire))
		if err != nil || !reflect.DeepEqual(got, v.m) {
			t.Errorf("%s is decoded as %+v, %v; want %+v", v.name, got, err, v.m)
		}
	}
}

// TestWireCut cuts every message short: what comes of that is an error, or shorter data, or fewer answers.
func TestWireCut(t *testing.T) {
	for _, v := range vectors {
		for n := range len(v.wire) {
			m, err := decode([]byte(v.wire[:n]))
			if err != nil {
				if !errors.Is(err, errMalformed) {
					t.Errorf("%s, %d bytes of it: %v", v.name, n, err)
				}
				continue
			}
			if again := encode(m); string(again) != v.wire[:n] {
				t.Errorf("%s, %d bytes of it: %q is taken for %+v", v.name, n, v.wire[:n], m)
			}
		}
	}
}

func TestWireMalformed(t *testing.T) {
	for name, wire := range map[string]string{
		"nothing":                         "",
		"another version":                 "\x02\x04",
		"no kind":                         "\x01\x00",
		"an unknown kind":                 "\x01\x0f",
		"a probe with something":          "\x01\x04x",
		"a probe with a flag":             "\x01\x14",
		"answers with a flag":             "\x01\x13",
		"an answer of unknown form":       "\x01\x03\x05\x03",
		"an answer that reached a lot":    "\x01\x03\x05\x01\x80\x80\x80\x80\x10",
		"a question with an exception":    "\x01\x42\x02n1\x02who?",
		"a name longer than the rest":     "\x01\x01\x7fn1",
		"targets without a target":        "\x01\x11\x02n1\x01\x00\x01",
		"more targets than can be there":  "\x01\x11\x02n1\x01\xff\xff\xff\xff\x0f",
		"a mark without a term":           "\x01\x06e  1 0 1\x00\x01\x01\x02n1\x01\x07",
		"an epoch that is none":           "\x01\x06E t 1 0 1\x00\x01\x01\x02n1\x01\x07",
		"an epoch that is too long":       "\x01\x06" + strings.Repeat("e", 33) + " t 1 0 1\x00\x01\x01\x02n1\x01\x07",
		"a standing with a flag":          "\x01\x16e t 1 0 1\x00\x01\x01\x02n1\x01\x07",
		"no place to stand":               "\x01\x06e t 1\x00\x01\x01\x02n1\x01\x07",
		"a place without an offset":       "\x01\x06e t 1 0\x00\x01\x01\x02n1\x01\x07",
		"an offset that is none":          "\x01\x06e t 1 0 -1\x00\x01\x01\x02n1\x01\x07",
		"a place of no target":            "\x01\x06e t 1 1 1\x00\x01\x01\x02n1\x01\x07",
		"a place twice":                   "\x01\x06e t 1 0 1 0 2\x00\x01\x01\x02n1\x01\x07",
		"a standing without an end":       "\x01\x06e t 1 0 1",
		"a question in a history":         "\x01\x06e t 1 0 1\x00\x01\x02\x02n1\x01?",
		"one within another":              "\x01\x06e t 1 0 1\x00\x01\x06e t 1 0 1\x00\x01\x01\x02n1\x01\x07",
		"a change with a flag":            "\x01\x171 1 1 1 7",
		"one of neither sort":             "\x01\x071 1 2 1 7",
		"one of a longer name":            "\x01\x071 1 1 2 7",
		"one of too many":                 "\x01\x071 2147483648 1 1 7",
		"an info that is no JSON":         "\x01\x071 1 1 1 7{",
		"an info of who has gone":         "\x01\x071 1 0 1 71",
		"a barrier with something":        "\x01\x08\x02t1x",
		"ready, with something":           "\x01\x0a\x02t1x",
		"forwarded, that may have an end": "\x01\x09\x02t12",
		"forwarded, with half a message":  "\x01\x09\x02t10\x01x\x02a",
		"a number that has no end":        "\x01\x01\x02n1" + strings.Repeat("\x80", 11),
	} {
		if m, err := decode([]byte(wire)); !errors.Is(err, errMalformed) {
			t.Errorf("%s is %+v, %v", name, m, err)
		}
	}
}

// FuzzWire has what is read be what is written again.
func FuzzWire(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.wire))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		before := bytes.Clone(wire)
		m, err := decode(wire)
		if !bytes.Equal(wire, before) {
			t.Fatal("decode has changed what it reads")
		}
		if at, ok := peekMark(string(wire)); err == nil && (ok != (m.stands != nil) || at != m.at) {
			t.Fatalf("%q has the mark %+v, and its head %+v", wire, m.at, at)
		}
		if err != nil {
			return
		}
		again, err := decode(encode(m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%q is %+v, and then %+v, %v", wire, m, again, err)
		}
	})
}

func BenchmarkWire(b *testing.B) {
	wire := vectors[1].m.append(nil)
	var buffer []byte
	for range b.N {
		buffer = vectors[1].m.append(buffer[:0])
		if _, err := decode(wire); err != nil {
			b.Fatal(err)
		}
	}
}
