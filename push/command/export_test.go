package command

import "time"

// Row is what the command of a name takes and answers, and the scope that it needs.
func Row(name string) (takes, answers []string, scope Scope) {
	for _, r := range rows[noConn]() {
		if r.name == name {
			return r.fields, r.answers, r.scope
		}
	}
	return nil, nil, ""
}

// noConn stands for a connection where there is none.
type noConn struct{}

func (noConn) ID() uint64 { return 0 }

// Parses reads a request both ways: plainly, which is nil if it is not plain, and by encoding/json.
func Parses(text []byte, cmd string) (plain, other *Request, err error) {
	t := New[noConn](nil, Options{Revoke: func(string, time.Time, func(error)) {}})
	o, err := parseObject(text, &t.parsed)
	if err != nil {
		return nil, nil, err
	}
	plain, _ = t.parsePlain(o, cmd)
	other, _, err = t.parseAny(o, cmd)
	if plain != nil && plain.text != nil {
		text := string(plain.text)
		plain.Text, plain.text = &text, nil
	}
	return plain, other, err
}
