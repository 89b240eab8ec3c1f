package config

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var commentedOut = regexp.MustCompile(`(?m)^( *)#([a-z_]+:)`)

// TestSample has every setting in the file, which is the defaults as it is, and with every # taken away.
func TestSample(t *testing.T) {
	text := Sample("")
	want, err := Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"as it is": text, "all in force": commentedOut.ReplaceAllString(text, "$1$2"),
	} {
		l, err := loadFile(t, text)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		got := l.Config
		for _, s := range leaves(settings()) {
			if said := l.sources[s.key].kind == "file"; said != (what != "as it is") {
				t.Errorf("%s: %s comes from %s", what, s.key, l.sources[s.key])
			}
			if v := got.value(&s); (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0 {
				v.SetZero() // an empty list or map is as none
			}
		}
		if !reflect.DeepEqual(got, want.Config) {
			t.Errorf("%s: %+v, want %+v", what, got, want.Config)
		}
	}
	for _, s := range leaves(settings()) {
		words := strings.Fields(s.doc)
		if !regexp.MustCompile(`# ` + strings.Join(quoted(words[:min(3, len(words))]), `\s+(# )?`)).MatchString(text) {
			t.Errorf("%s is not explained", s.key)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if len(line) > 210 {
			t.Errorf("a long line: %s", line)
		}
	}
}

func quoted(words []string) (all []string) {
	for _, w := range words {
		all = append(all, regexp.QuoteMeta(w))
	}
	return all
}

// TestSampleSecret has a secret in force: then dev is not.
func TestSampleSecret(t *testing.T) {
	const secret = "-0123456789abcdef_"
	l, err := loadFile(t, Sample(secret))
	if err != nil || len(l.Token.Secrets) != 1 || l.Token.Secrets[0] != secret || l.Dev {
		t.Errorf("%+v, %v", l, err)
	}
}
