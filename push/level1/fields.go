package level1

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// maxFields is how many fields a frame may have.
const maxFields = 64

type field struct{ name, value []byte }

// fields are those of a frame, each as it is written. The first one that is not what it should be is err, and later
// ones are not looked at. A frame costs no memory unless it has very many.
type fields struct {
	few  [16]field
	n    int     // of few that are used
	more []field // those that come behind them
	err  error
}

// readFields reads the fields of an object that was checked.
func readFields(object []byte) (f fields) {
	for name, value := range jsontext.Fields(object) {
		switch {
		case f.n < len(f.few):
			f.few[f.n] = field{name, value}
			f.n++
		case f.n+len(f.more) < maxFields:
			f.more = append(f.more, field{name, value})
		default:
			f.err = fmt.Errorf("more than %d fields", maxFields)
			return f
		}
	}
	return f
}

// raw is the value of a field as it is written, also null, of the last one of this name; nil if there is none.
func (f *fields) raw(name string) []byte {
	if f.err != nil {
		return nil
	}
	for _, x := range slices.Backward(f.more) {
		if string(x.name) == name {
			return x.value
		}
	}
	for _, x := range slices.Backward(f.few[:f.n]) {
		if string(x.name) == name {
			return x.value
		}
	}
	return nil
}

// get is raw, but nil for null.
func (f *fields) get(name string) []byte {
	if value := f.raw(name); string(value) != "null" {
		return value
	}
	return nil
}

// wrong notes what is wrong with a field.
func (f *fields) wrong(name, want string) { f.err = fmt.Errorf("%q: want %s", name, want) }

// op is what the frame is. Of those that are said often no copy is made.
func (f *fields) op() Op {
	if value := f.get("op"); value != nil {
		inside, _ := jsontext.Plain(value)
		for _, often := range [...]Op{OpMsg, OpPub, OpSay} {
			if string(inside) == string(often) {
				return often
			}
		}
	}
	return Op(f.text("op"))
}

func (f *fields) text(name string) string {
	value := f.get(name)
	if value == nil {
		return ""
	}
	text, ok := stringOf(value)
	if !ok {
		f.wrong(name, "a string")
	}
	return text
}

// stringOf is what a JSON string says.
func stringOf(value []byte) (text string, ok bool) {
	if inside, plain := jsontext.Plain(value); plain {
		return string(inside), true
	}
	if value[0] != '"' {
		return "", false
	}
	return unquoted(value)
}

// unquoted is stringOf for one with escapes.
func unquoted(value []byte) (text string, ok bool) {
	err := json.Unmarshal(value, &text)
	return text, err == nil
}

// integer is a whole number of at least least; 0 if it is missing.
func (f *fields) integer(name string, least, most int64) int64 {
	value := f.get(name)
	if value == nil {
		return 0
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n < least || n > most {
		f.wrong(name, fmt.Sprintf("an integer from %d to %d", least, most))
		return 0
	}
	return n
}

func (f *fields) flag(name string) bool {
	switch value := f.get(name); string(value) {
	case "true":
		return true
	case "", "false":
	default:
		f.wrong(name, "true or false")
	}
	return false
}

// target is whom a frame is about. It must be there.
func (f *fields) target(name string) push.Target {
	t := push.Target(f.text(name))
	if f.err == nil {
		f.err = t.Check()
	}
	return t
}

func (f *fields) position(name string) (p push.Position) {
	text := f.text(name)
	if f.err != nil || text == "" {
		return p
	}
	p, err := push.ParsePosition(text)
	if err != nil {
		f.err = fmt.Errorf("%q: %w", name, err)
	}
	return p
}

func (f *fields) since(name string) push.Since {
	text := f.text(name)
	if f.err != nil {
		return push.Since{}
	}
	s, err := push.ParseSince(text)
	if err != nil {
		f.err = fmt.Errorf("%q: %w", name, err)
	}
	return s
}

// maxSeconds bounds instants and spans: it is in the year 9999.
const maxSeconds = 253_402_300_799

// unix is an instant that is given in seconds.
func (f *fields) unix(name string) time.Time {
	if n := f.integer(name, 0, maxSeconds); n > 0 {
		return time.Unix(n, 0)
	}
	return time.Time{}
}

// span is a time that is given in some unit.
func (f *fields) span(name string, unit time.Duration) time.Duration {
	return time.Duration(f.integer(name, 0, maxSpan)) * unit
}

// maxSpan is how many units a span may have: a hundred years of seconds fit into a time.Duration.
const maxSpan = 100 * 366 * 24 * 3600

// id is that of the request which a frame answers; 0 if there is none.
func (f *fields) id() int64 { return f.integer("id", 0, math.MaxInt64) }

func (f *fields) count(name string) int { return int(f.integer(name, 0, math.MaxInt32)) }

func (f *fields) gap() push.Gap { return push.Gap(f.text("gap")) }

// objects are those of a list.
func (f *fields) objects(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		value := f.get(name)
		if value == nil {
			return
		}
		if value[0] != '[' {
			f.wrong(name, "an array of objects")
			return
		}
		for v := range jsontext.Elements(value) {
			if v[0] != '{' {
				f.wrong(name, "an array of objects")
				return
			}
			if !yield(v) {
				return
			}
		}
	}
}
