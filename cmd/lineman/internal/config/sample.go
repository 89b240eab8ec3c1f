package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Sample is a file with every setting, what it is, and its default, commented out. With a secret it has that one in
// token.secrets, in force.
func Sample(secret string) string {
	c := Default()
	c.Dev = true // as it is there
	b := &sample{config: reflect.ValueOf(c), secret: secret}
	b.WriteString("# The push server: lineman start --config FILE. A setting is in force without the # before it. " +
		"Each can also be said by the\n# environment, LINEMAN_TEXT_LISTEN for text.listen, and, but for secrets, " +
		"api.keys, namespaces, hooks and pusher.apps, by a flag:\n" +
		"# --tls-cert for tls.cert. The later of file, environment and flags wins. Sizes are written as 64KiB, " +
		"durations as 10s.\n")
	b.settings(settings(), "")
	return b.String()
}

// sample is a file that is being written.
type sample struct {
	strings.Builder
	config reflect.Value
	secret string
}

func (b *sample) settings(all []setting, indent string) {
	for _, s := range all {
		b.WriteString("\n")
		b.comment(indent, s.document())
		switch {
		case s.below != nil:
			fmt.Fprintf(b, "%s%s:\n", indent, s.name())
			b.settings(s.below, indent+"  ")
		case s.key == "token.secrets" && b.secret != "":
			fmt.Fprintf(b, "%s%s: [%s]\n", indent, s.name(), flow(b.secret))
		default:
			fmt.Fprintf(b, "%s#%s: %s\n", indent, s.name(), flow(plain(&s, s.of(b.config))))
		}
	}
}

// comment writes a text in lines of a bearable length.
func (b *sample) comment(indent, text string) {
	const width = 100
	line := indent + "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

// document is what there is to say about a setting, and about what is in it.
func (s *setting) document() string {
	text := s.doc
	if s.size {
		text += "; a size"
	}
	if s.positive {
		text += "; more than 0"
	}
	if len(s.words) > 0 {
		text += "; of the words " + strings.Join(s.words, ", ")
	}
	if s.composed() {
		text += ". Each has"
		for i, f := range leaves(s.inside("")) {
			if i > 0 {
				text += ";"
			}
			text += " " + f.key + ": " + strings.ReplaceAll(f.document(), "; ", ", ")
		}
	}
	return text
}

// Setting is a setting as the manual has it.
type Setting struct{ Key, Document, Default string }

// Settings are all of them, in the order of Config.
func Settings() (list []Setting) {
	c := Default()
	for _, s := range leaves(settings()) {
		list = append(list, Setting{s.key, s.document(), flow(plain(&s, c.value(&s)))})
	}
	return list
}
