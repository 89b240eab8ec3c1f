package handover

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// fullRecord has a value in every field.
func fullRecord() Record {
	return Record{
		ID: math.MaxUint64, Loop: 3, Worker: "pages", Origin: "lobby", Kind: "websocket",
		Peer: netip.MustParseAddrPort("[fe80::1]:8080"), Zone: "eth0", Client: netip.MustParseAddr("192.0.2.7"),
		Local: "127.0.0.1:443", Paused: true, Full: true, Pinged: true, Held: math.MaxUint16,
		Since: math.MaxUint32, Touched: 7, BytesIn: 1 << 40, BytesOut: 5, MessagesIn: 300, Accepted: 200, Refused: 1,
		Session: []byte("deflate"), Unread: []byte("half a fr"), Unsent: []byte("ame"), Value: []byte{0, 255},
		TLS: []byte("1.3"), Dialer: "backend", Absent: true, Due: time.Second, Waited: time.Minute, Lasted: 1,
		Lent: true,
	}
}

// notLent is a record as version 1 has it.
func notLent(r Record) Record {
	r.Lent = false
	return r
}

// readWriter is a message with fields.
type readWriter interface {
	append(dst []byte) []byte
	parse(payload []byte) error
}

// vector is a message, of which testdata has the bytes.
type vector struct {
	name    string
	message readWriter
}

// version2 are messages that version 1 does not have, as testdata/version2 has them.
var version2 = []vector{
	{"hello", &Hello{Version: 2, LastID: 1 << 33, Loops: 2, Workers: []string{"pages"}, Conns: 15000}},
	{"record of a loan", &wholeRecord{Record{ID: 17, Worker: "pages", Kind: "websocket", Lent: true}}},
	{"record", &wholeRecord{fullRecord()}},
	{"loan", &wholeRecord{Record{ID: 17, Loop: 3}}},
	{"end of loans", &note{count: 15000}},
}

// version1 are messages of version 1, as testdata/version1 has them: later versions have to read them too.
var version1 = []vector{
	{"hello", &Hello{Version: 1, LastID: 1 << 33, Loops: 2, Workers: []string{"lobby", "", "pages"}}},
	{"hello that says since when", &Hello{Version: 1, LastID: 7, Loops: 1, Stood: 1500 * time.Millisecond}},
	{"hello that says how many", &Hello{Version: 1, LastID: 7, Loops: 1, Conns: 15000}},
	{"hello of one loop", &Hello{Version: 1, Loops: 1}},
	{"state", &State{Worker: "lobby", Loop: 1, Value: []byte("six rooms")}},
	{"state without a value", &State{}},
	{"record", &wholeRecord{notLent(fullRecord())}},
	{"record of an idle connection", &wholeRecord{Record{
		ID: 17, Worker: "pages", Kind: "websocket", Peer: netip.MustParseAddrPort("203.0.113.9:52011"), Since: 12,
	}}},
	{"record of a Unix socket", &wholeRecord{Record{
		ID: 18, Worker: "lines", Kind: "codec", Unread: []byte("half a l"),
	}}},
	{"record of a connection that waits", &wholeRecord{Record{
		ID: 20, Dialer: "backend", Absent: true, Due: time.Second,
	}}},
	{"end", &note{count: 15000}},
	{"tail", &note{id: 17, output: []byte("hello")}},
	{"keep", &note{id: 18}},
	{"refused", &note{id: 19, reason: "no such worker"}},
	{"abort", &note{reason: "handover: the other process took too long"}},
}

// wholeRecord has the methods of other messages.
type wholeRecord struct{ Record }

func (r *wholeRecord) append(dst []byte) []byte   { return r.Append(dst) }
func (r *wholeRecord) parse(payload []byte) error { return r.Parse(payload) }

// empty is a message like m.
func empty(m readWriter) readWriter {
	return reflect.New(reflect.TypeOf(m).Elem()).Interface().(readWriter)
}

// golden are the bytes of testdata, by name.
func golden(t testing.TB, file string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for line := range strings.Lines(string(text)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if all[name], err = hex.DecodeString(digits); err != nil {
			t.Fatalf("%s: %s: %v", file, name, err)
		}
	}
	return all
}

func TestVersion1(t *testing.T) { testVersion(t, "version1", version1) }
func TestVersion2(t *testing.T) { testVersion(t, "version2", version2) }

func testVersion(t *testing.T, file string, vectors []vector) {
	want := golden(t, file)
	if len(want) != len(vectors) {
		t.Errorf("testdata has %d messages, the table %d", len(want), len(vectors))
	}
	for _, v := range vectors {
		if got := v.message.append(nil); !bytes.Equal(got, want[v.name]) {
			t.Errorf("%s: %x, want %x", v.name, got, want[v.name])
		}
		read := empty(v.message)
		if err := read.parse(want[v.name]); err != nil || !reflect.DeepEqual(read, v.message) {
			t.Errorf("%s is read as %+v, %v", v.name, read, err)
		}
	}
}

// TestFullRecord fails if a field is added that the golden record has no value of.
func TestFullRecord(t *testing.T) {
	r := reflect.ValueOf(fullRecord())
	for i := range r.NumField() {
		if r.Field(i).IsZero() {
			t.Errorf("the record of the vectors has no %s", r.Type().Field(i).Name)
		}
	}
}

// script is a transfer as version 1 writes it, in the names of version1.
var script = []struct {
	kind kind
	name string
}{
	{kindHello, "hello"}, {kindState, "state"}, {kindRecord, "record"}, {kindRecord, "record of a Unix socket"},
	{kindEnd, "end"}, {kindTail, "tail"}, {kindKeep, "keep"}, {kindYours, ""},
}

// TestVersion1Frames has the frames of a whole transfer split at every point.
func TestVersion1Frames(t *testing.T) {
	messages, all := golden(t, "version1"), golden(t, "version1.frames")["predecessor"]
	var f framer
	var written []byte
	for _, m := range script {
		written = f.append(written, m.kind, messages[m.name], false)
	}
	if !bytes.Equal(written, all) {
		t.Errorf("what is written is %x", written)
	}
	for split := range len(all) + 1 {
		a := assembler{limits: Limits{}.filled()}
		got, rest, err := a.collect(nil, all[:split])
		if err == nil {
			got, rest, err = a.collect(got, append(bytes.Clone(rest), all[split:]...))
		}
		if err != nil || len(rest) > 0 || len(got) != len(script) {
			t.Fatalf("split at %d: %d messages, %d bytes left, %v", split, len(got), len(rest), err)
		}
		for i, m := range script {
			if got[i].kind != m.kind || !bytes.Equal(got[i].payload, messages[m.name]) {
				t.Errorf("split at %d: message %d is %s %x", split, i, got[i].kind, got[i].payload)
			}
		}
	}
}

// collect adds the messages that b has to all, and returns what is left of it.
func (a *assembler) collect(all []message, b []byte) ([]message, []byte, error) {
	for {
		m, n, ok, err := a.next(b)
		b = b[n:]
		switch {
		case err != nil || n == 0:
			return all, b, err
		case ok:
			m.payload = bytes.Clone(m.payload)
			all = append(all, m)
		}
	}
}

// begins reports whether some messages are the first of all.
func begins(all, some []message) bool {
	return len(some) <= len(all) && slices.EqualFunc(all[:len(some)], some, func(a, b message) bool {
		return a.kind == b.kind && bytes.Equal(a.payload, b.payload)
	})
}

// TestDamage has one byte of a transfer be another one: what came before it is read, and then there is an error, or
// more is waited for.
func TestDamage(t *testing.T) {
	all := golden(t, "version1.frames")["predecessor"]
	whole, _, err := (&assembler{limits: Limits{}.filled()}).collect(nil, all)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		damaged := bytes.Clone(all)
		damaged[i] ^= 0x10
		got, _, err := (&assembler{limits: Limits{}.filled()}).collect(nil, damaged)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d: %v", i, err)
		}
		read := 0
		for _, m := range got {
			read += headBytes + len(m.payload) + sumBytes
		}
		if read > i || !begins(whole, got) {
			t.Errorf("byte %d: %d messages are read", i, len(got))
		}
	}
}

// TestPieces has messages that are longer than a frame.
func TestPieces(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), BatchBytes/10)
	type part struct {
		kind    kind
		payload []byte
		more    bool
	}
	small := Limits{Bytes: len(long) + 1, State: 2 * len(long)}
	for _, c := range []struct {
		name  string
		parts []part
		want  string // kinds and lengths, and then the error
	}{
		{"two", []part{{kindState, long, true}, {kindState, long, false}}, "state 2097140 <nil>"},
		{"an empty one at the end", []part{{kindTail, long, true}, {kindTail, nil, false}}, "tail 1048570 <nil>"},
		{"half", []part{{kindState, long, true}}, "<nil>"},
		{"abort", []part{{kindState, long, true}, {kindAbort, nil, false}}, "abort 0 <nil>"},
		{
			"another one within", []part{{kindState, long, true}, {kindEnd, nil, false}},
			"handover: what came is not what was sent: end within state",
		},
		{
			"too long", []part{{kindRecord, long, true}, {kindRecord, []byte("ab"), false}},
			"handover: larger than the limit: a record of more than 1048571 bytes",
		},
		{
			"too long for one that is short", []part{{kindKeep, long, true}, {kindKeep, long, false}},
			"handover: larger than the limit: a keep of more than 1048576 bytes",
		},
	} {
		var frames framer
		var all []byte
		for _, p := range c.parts {
			all = frames.append(all, p.kind, p.payload, p.more)
		}
		got, _, err := (&assembler{limits: small}).collect(nil, all)
		var said []string
		for _, m := range got {
			said = append(said, fmt.Sprint(m.kind, " ", len(m.payload)))
		}
		if s := strings.Join(append(said, fmt.Sprint(err)), " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

// TestHeads has frames that cannot be.
func TestHeads(t *testing.T) {
	for _, head := range []string{"\x00\x00\x00\x00\x00\x00", "\x10\x00\x00\x00\x00\x00", "\x01\x02\x00\x00\x00\x00",
		"\x01\x00\x00\x10\x00\x01", "\x01\x00\xff\xff\xff\xff"} {
		var d deframer
		if _, _, err := d.next([]byte(head)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x: %v", head, err)
		}
	}
}

// TestRefusedMessages has messages that cannot be read, or only by a later version.
func TestRefusedMessages(t *testing.T) {
	const newer = "handover: the running program is newer than its successor: reload with --drain"
	const corrupt = "handover: what came is not what was sent: "
	for _, c := range []struct {
		into readWriter
		hex  string
		want string
	}{
		{&Hello{}, "010103", newer + " (it hands over in version 3, this one knows up to 2)"},
		{&Hello{}, "010103630101", newer + " (it hands over in version 3, this one knows up to 2)"},
		{&Hello{}, "010101630101", newer + ": version 2 has no field 99 of hello"},
		{&Hello{}, "", corrupt + "hello without a version"},
		{&Hello{}, "020101", corrupt + "hello without a version"},
		{&Hello{}, "020101010101", corrupt + "hello without a version"},
		{&State{}, "630101", newer + ": version 2 has no field 99 of a state"},
		{&note{}, "630101", newer + ": version 2 has no field 99 of a message"},
		{&wholeRecord{}, "200101", newer + ": version 2 has no field 32 of a record"},
		{&wholeRecord{}, "000101", newer + ": version 2 has no field 0 of a record"},
		{&wholeRecord{}, "80", corrupt + "a field without a number"},
		{&wholeRecord{}, "0180", corrupt + "field 1 is longer than its message"},
		{&wholeRecord{}, "010201", corrupt + "field 1 is longer than its message"},
		{&wholeRecord{}, "01ffffffffffffffffff01", corrupt + "field 1 is longer than its message"},
		{&wholeRecord{}, "0100", corrupt + " is not a number of this size"},
		{&wholeRecord{}, "01020101", corrupt + "0101 is not a number of this size"},
		{&wholeRecord{}, "020affffffffffffffffff01", corrupt + "ffffffffffffffffff01 is not a number of this size"},
		{&wholeRecord{}, "0d03808004", corrupt + "808004 is not a number of this size"},
		{&wholeRecord{}, "0a0102", corrupt + "02 is not true"},
		{&wholeRecord{}, "0a00", corrupt + " is not true"},
		{&wholeRecord{}, "060150", corrupt + "50 is not an address with a port"},
		{&wholeRecord{}, "06050102030050", corrupt + "010203 is not an address"},
		{&wholeRecord{}, "0803010203", corrupt + "010203 is not an address"},
	} {
		payload, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.into.parse(payload); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v,\nwant %s", c.hex, err, c.want)
		}
	}
}

// FuzzMessages reads any fields as any message. What can be read is written and read again as the same.
func FuzzMessages(f *testing.F) {
	vectors := slices.Concat(version1, version2)
	for _, v := range vectors {
		f.Add(v.message.append(nil))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, v := range vectors {
			read := empty(v.message)
			if read.parse(payload) != nil {
				continue
			}
			written, again := read.append(nil), empty(v.message)
			if err := again.parse(written); err != nil || !bytes.Equal(again.append(nil), written) {
				t.Fatalf("%+v was written, and read as %+v, %v", read, again, err)
			}
		}
	})
}

// FuzzFrames makes frames of a text, each of so many bytes as the one before it ends with, and has a byte of them be
// another one. It reads them in two parts.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x02hello\x01"), uint16(3), uint16(9), byte(0))
	f.Add([]byte("\x13hello, and something longer\x82\x01"), uint16(12), uint16(20), byte(1))
	f.Fuzz(func(t *testing.T, text []byte, split, at uint16, damage byte) {
		var frames framer
		var all []byte
		for next := 1; len(text) > 0; {
			payload := text[:min(next, len(text))]
			text = text[len(payload):]
			last := payload[len(payload)-1]
			next = int(last%16) + 1
			all = frames.append(all, kind(last%byte(len(kindNames)-1))+1, payload, last&0x80 != 0)
		}
		want, _, wantErr := (&assembler{limits: Limits{}.filled()}).collect(nil, all)
		changed := bytes.Clone(all)
		if len(all) > 0 {
			changed[int(at)%len(all)] ^= damage
		}
		cut := int(split) % (len(all) + 1)
		a := assembler{limits: Limits{}.filled()}
		got, rest, err := a.collect(nil, changed[:cut])
		if err == nil {
			got, _, err = a.collect(got, append(bytes.Clone(rest), changed[cut:]...))
		}
		if !begins(want, got) {
			t.Fatalf("%v was read, want %v", got, want)
		}
		if damage == 0 && (len(got) < len(want) || fmt.Sprint(err) != fmt.Sprint(wantErr)) {
			t.Fatalf("%d of %d messages were read: %v, and %v", len(got), len(want), err, wantErr)
		}
	})
}
