package jsontext

// Object is a text that is a JSON object, and where its members lie in it.
type Object struct {
	Text    []byte
	members []member
}

// member is where one of an object lies: its name without the quotes, and its value.
type member struct {
	name, nameEnd, value, end int
	nameEscaped               bool
	plain                     bool // the value is a string without escapes
}

// Parse is Check of a text, which reports as ErrInvalid also what is no object, and notes what is at its top. It uses
// the memory for members again.
func (o *Object) Parse(text []byte) error {
	o.Text, o.members = text, o.members[:0]
	c := checker{text: text, object: o}
	return c.check()
}

// Forget leaves nothing but memory for the next text, unless that is much.
func (o *Object) Forget() {
	if o.Text = nil; cap(o.members) > keptMembers {
		o.members = nil
	}
}

// keptMembers is for how many members an Object keeps room.
const keptMembers = 64

// Len is how many members there are.
func (o *Object) Len() int { return len(o.members) }

// Name is that of a member, decoded.
func (o *Object) Name(i int) []byte {
	m := &o.members[i]
	if m.nameEscaped {
		return decode(o.Text[m.name-1 : m.nameEnd+1])
	}
	return o.Text[m.name:m.nameEnd]
}

// Value is that of a member, as it is written.
func (o *Object) Value(i int) []byte { return o.Text[o.members[i].value:o.members[i].end] }

// Plain is Plain of the value of a member.
func (o *Object) Plain(i int) (inside []byte, plain bool) {
	m := &o.members[i]
	if !m.plain {
		return nil, false
	}
	return o.Text[m.value+1 : m.end-1], true
}

// noted is an object at the top, whose members are noted.
func (c *checker) noted() bool {
	c.at++
	if c.peek() == '}' {
		c.at++
		return true
	}
	for {
		c.space()
		m := member{name: c.at + 1}
		if c.escaped = false; !c.str() {
			return false
		}
		m.nameEnd, m.nameEscaped = c.at-1, c.escaped
		if c.space(); !c.takes(':') {
			return false
		}
		c.space()
		m.value, c.escaped = c.at, false
		if !c.value(1) {
			return false
		}
		m.end, m.plain = c.at, c.text[m.value] == '"' && !c.escaped
		c.object.members = append(c.object.members, m)
		if c.space(); !c.takes(',') {
			return c.takes('}')
		}
	}
}
