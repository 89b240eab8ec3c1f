package server_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/protocol/websocket"
	credential "github.com/lineman-go/lineman/push/token"
)

// TestCodesOfCredentials says "final" only where another try would find the same: what has expired is made anew, and
// what could not be checked may be good.
func TestCodesOfCredentials(t *testing.T) {
	for _, c := range []struct {
		err  error
		code websocket.Code
	}{
		{credential.ErrExpired, 4200},
		{fmt.Errorf("%w: the key set is away", credential.ErrUnavailable), 4105}, {credential.ErrNotYet, 4105},
		{context.DeadlineExceeded, 4105}, {fmt.Errorf("%w: %w", credential.ErrNoKey, context.Canceled), 4105},
		{credential.ErrRevoked, 4001}, {credential.ErrSignature, 4001}, {credential.ErrNoKey, 4001},
		{errors.New("no such user"), 4001},
	} {
		verify := func(context.Context, string) (server.Identity, error) { return server.Identity{}, c.err }
		r := start(t, settings(), server.Options{Credentials: open(verify)})
		told(t, r.page("anything"), c.code)
		r = start(t, settings(), server.Options{Credentials: openQuick(verify)})
		told(t, r.page("anything"), c.code)
	}
}

// TestCodesOfPlaces tells a channel that is full, which may have room later, from more places than there can be.
func TestCodesOfPlaces(t *testing.T) {
	c := devMode()
	c.Limits.Places = 2
	c.Namespaces = map[string]config.Namespace{
		"default": {Subscribe: "all"}, "small": {Subscribe: "all", MaxSubscribers: 1},
	}
	r := start(t, c, server.Options{})
	b := r.backend()
	r.visit("token=first&sub=small:x")
	r.known(b, "first")
	if reason := told(t, r.visit("token=second&sub=small:x"), 4103); !strings.Contains(reason, "retry") {
		t.Errorf("a full channel: %s", reason)
	}
	told(t, r.visit("token=third&sub=a,b,c"), 4003)
}

// TestCodesAreDocumented holds the tables of docs/pages.md against the code: that of our own codes, and that of the
// protocol's.
func TestCodesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/pages.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Close codes\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var told []int
	for _, row := range regexp.MustCompile(`(?m)^\| (\d{4}) \|`).FindAllStringSubmatch(section, -1) {
		code, _ := strconv.Atoi(row[1])
		told = append(told, code)
	}
	said := map[int]bool{int(websocket.NoStatus): true, int(websocket.Abnormal): true} // which browsers make up
	for name := range used(t, "../../../..", "../../../../protocol/websocket") {
		if code, known := protocolCodes[name]; known {
			said[int(code)] = true
		}
	}
	for _, constants := range []map[string]int{codes(t, "."), codes(t, "../../../../push")} {
		for _, code := range constants {
			said[code] = true
		}
	}
	if want := slices.Sorted(maps.Keys(said)); !slices.Equal(slices.Sorted(slices.Values(told)), want) {
		t.Errorf("docs/pages.md has the codes %v, and the code says %v", told, want)
	}
}

// protocolCodes are those of the protocol that this side could say.
var protocolCodes = map[string]websocket.Code{
	"Normal": websocket.Normal, "GoingAway": websocket.GoingAway, "ProtocolError": websocket.ProtocolError,
	"Unsupported": websocket.Unsupported, "InvalidPayload": websocket.InvalidPayload, "Policy": websocket.Policy,
	"TooBig": websocket.TooBig, "NoExtension": websocket.NoExtension, "Internal": websocket.Internal,
	"Restart": websocket.Restart, "TryAgain": websocket.TryAgain, "BadGateway": websocket.BadGateway,
}

// used are the names in the functions of folders: of Valid only those that bound a range.
func used(t *testing.T, folders ...string) map[string]bool {
	names := map[string]bool{}
	for _, folder := range folders {
		each(t, folder, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok && f.Name.Name == "Valid" {
				return false
			}
			if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
				return false
			}
			if id, ok := n.(*ast.Ident); ok {
				names[id.Name] = true
			}
			return true
		})
	}
	return names
}

// codes are the constants of a folder that are called so, and are numbers.
func codes(t *testing.T, folder string) map[string]int {
	all := map[string]int{}
	each(t, folder, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(strings.ToLower(v.Names[0].Name), "code") || len(v.Values) == 0 {
			return true
		}
		if number, ok := v.Values[0].(*ast.BasicLit); ok {
			all[v.Names[0].Name], _ = strconv.Atoi(number.Value)
		}
		return true
	})
	return all
}

// each visits the code of a folder, without its tests.
func each(t *testing.T, folder string, visit func(ast.Node) bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no code: %v", folder, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, visit)
	}
}
