package push_test

import (
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// TestCheckPattern takes what some channel can match.
func TestCheckPattern(t *testing.T) {
	for pattern, good := range map[string]bool{
		"*": true, "chat:*": true, "chat:42": true, "u*": true, "é": true,
		"": false, "**": false, "a*b": false, "a**": false, "u:*": false, "u:7": false, "g:*": false, "c:5f3a.1": false,
		"a\nb": false, "a\xff": false, "\ufffd*": false,
		strings.Repeat("x", 256): false, strings.Repeat("x", 255): true,
	} {
		if err := push.CheckPattern(pattern); (err == nil) != good {
			t.Errorf("%.20q: %v", pattern, err)
		}
	}
}
