package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/lineman-go/lineman/internal/jsontext"
)

// object is a JSON object by its names, with values that are parts of its text. Unlike a struct's, names are told apart
// by case.
type object map[string]json.RawMessage

// parseObject reads a JSON object. It refuses a name that is there twice, as programs differ in which one they take.
func parseObject(text []byte) (object, error) {
	if !jsontext.Valid(text) {
		return nil, fmt.Errorf("%w: no JSON in UTF-8", ErrMalformed)
	}
	if jsontext.Begins(text) != '{' {
		return nil, fmt.Errorf("%w: no JSON object", ErrMalformed)
	}
	o := make(object)
	for name, value := range jsontext.Fields(text) {
		if _, twice := o[string(name)]; twice {
			return nil, fmt.Errorf("%w: a name is there twice", ErrMalformed)
		}
		o[string(name)] = value
	}
	return o, nil
}

// has reports whether there is a value. null is none.
func (o object) has(name string) bool { return o[name] != nil && string(o[name]) != "null" }

// text is a string; "" if there is none.
func (o object) text(name string) (string, error) {
	if !o.has(name) {
		return "", nil
	}
	if inside, plain := jsontext.Plain(o[name]); plain {
		return string(inside), nil
	}
	var s string
	if json.Unmarshal(o[name], &s) != nil {
		return "", fmt.Errorf("%w: %s is no string", ErrMalformed, name)
	}
	return s, nil
}

// texts is a list of strings; nil if there is none.
func (o object) texts(name string) ([]string, error) {
	if !o.has(name) {
		return nil, nil
	}
	if list, plain := plainTexts(o[name]); plain {
		return list, nil
	}
	var list []string
	if json.Unmarshal(o[name], &list) != nil {
		return nil, fmt.Errorf("%w: %s is no list of strings", ErrMalformed, name)
	}
	return list, nil
}

// plainTexts is a list of strings without escapes. Any other is not plain.
func plainTexts(value []byte) (list []string, plain bool) {
	if value[0] != '[' {
		return nil, false
	}
	for element := range jsontext.Elements(value) {
		inside, plain := jsontext.Plain(element)
		if !plain {
			return nil, false
		}
		list = append(list, string(inside))
	}
	return list, list != nil
}

// oneOf reports whether a string, or a string of a list, is the one that is wanted. RFC 7519, section 4.1.3.
func (o object) oneOf(name, want string) bool {
	if s, err := o.text(name); err == nil {
		return s == want
	}
	list, err := o.texts(name)
	for _, s := range list {
		if err == nil && s == want {
			return true
		}
	}
	return false
}

// uid is a string, or an integer as it is written.
func (o object) uid(name string) (string, error) {
	if s, err := o.text(name); err == nil {
		return s, nil
	}
	if value := o[name]; isInteger(value) {
		return string(value), nil
	}
	return "", fmt.Errorf("%w: the claim is neither a string nor an integer", ErrUID)
}

func isInteger(number []byte) bool {
	digits := bytes.TrimPrefix(number, []byte("-"))
	for _, b := range digits {
		if b < '0' || b > '9' {
			return false
		}
	}
	return len(digits) > 0 && string(number) != "-0"
}

// lastInstant is the end of the year 9999, the last that time.Time can write as JSON.
const lastInstant = 253402300799

// instant is a NumericDate of RFC 7519, section 2; zero if there is none.
func (o object) instant(name string) (time.Time, error) {
	if !o.has(name) {
		return time.Time{}, nil
	}
	if whole, plain := plainSeconds(o[name]); plain {
		return time.Unix(whole, 0), nil
	}
	var seconds float64
	if json.Unmarshal(o[name], &seconds) != nil || seconds < 0 || seconds > lastInstant {
		return time.Time{}, fmt.Errorf("%w: %s is no count of seconds since 1970", ErrMalformed, name)
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)), nil
}

// plainSeconds is a whole number of them, of today and for centuries. Any other is not plain.
func plainSeconds(value []byte) (seconds int64, plain bool) {
	if !isInteger(value) || len(value) > 11 {
		return 0, false
	}
	seconds, err := strconv.ParseInt(string(value), 10, 64)
	return seconds, err == nil && seconds >= 0
}
