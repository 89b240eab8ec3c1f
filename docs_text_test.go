package lineman_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// theCode stands for the files of the root, without tests, in which a list of the code is wherever it is.
const theCode = "the code of the root"

// textOf is a file, or theCode.
func textOf(t *testing.T, file string) string {
	t.Helper()
	if file != theCode {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var code strings.Builder
	files := sources(t, ".go")
	for _, name := range rootFiles(files) {
		code.Write(files[name])
	}
	return code.String()
}

// between is what stands in a file between two texts.
func between(t *testing.T, file, begin, end string) string {
	t.Helper()
	return within(t, file, textOf(t, file), begin, end)
}

// within is what stands in a text of some place between two texts.
func within(t *testing.T, place, text, begin, end string) string {
	t.Helper()
	_, after, found := strings.Cut(text, begin)
	said, _, ended := strings.Cut(after, end)
	if !found || !ended {
		t.Fatalf("%s: there is nothing between %q and %q", place, begin, end)
	}
	return said
}

// commentOf is the documentation of a type of the root, in one line.
func commentOf(t *testing.T, kind string) string {
	t.Helper()
	files := sources(t, ".go")
	maps.DeleteFunc(files, func(name string, _ []byte) bool { return path.Dir(name) != "." })
	for _, f := range parsed(t, token.NewFileSet(), files)["."] {
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE && g.Specs[0].(*ast.TypeSpec).Name.Name == kind {
				return flat(g.Doc)
			}
		}
	}
	t.Fatalf("there is no type %s", kind)
	return ""
}

// section is what stands below a heading of a document.
func section(t *testing.T, file, heading string) string {
	t.Helper()
	return between(t, file, "\n## "+heading+"\n", "\n## ")
}

// firstCells are the first cells of the first table in a text, a line each.
func firstCells(text string) string {
	_, table, _ := strings.Cut(text, "\n|---")
	var cells []string
	for line := range strings.Lines(table) {
		if rest, ok := strings.CutPrefix(line, "| "); ok {
			cell, _, _ := strings.Cut(rest, " |")
			cells = append(cells, cell)
		} else if len(cells) > 0 {
			break
		}
	}
	return strings.Join(cells, "\n")
}

// functions are those that a file declares.
func functions(t *testing.T, file string) (found []*ast.FuncDecl) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			found = append(found, fn)
		}
	}
	return found
}

// rootFunctions are those of package lineman.
func rootFunctions(t *testing.T) (found []*ast.FuncDecl) {
	t.Helper()
	for _, name := range rootFiles(sources(t, ".go")) {
		found = append(found, functions(t, name)...)
	}
	return found
}

// callsIn are the methods that a function calls, by the variables that it calls them on.
func callsIn(fn *ast.FuncDecl) map[string][]string {
	calls := map[string][]string{}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if s, ok := call.Fun.(*ast.SelectorExpr); ok {
				if on, ok := s.X.(*ast.Ident); ok {
					calls[on.Name] = append(calls[on.Name], s.Sel.Name)
				}
			}
		}
		return true
	})
	return calls
}

// fieldsOf are the fields of a struct, and of those that it embeds, whose names match.
func fieldsOf[T any](names *regexp.Regexp) (found []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if !f.Anonymous && names.MatchString(f.Name) {
			found = append(found, f.Name)
		}
	}
	return found
}

// cases are the strings of the cases of a function's switch over a variable.
func cases(fn *ast.FuncDecl, over string) (found []string) {
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		s, ok := n.(*ast.SwitchStmt)
		if !ok || s.Tag == nil || types.ExprString(s.Tag) != over {
			return true
		}
		for _, clause := range s.Body.List {
			for _, value := range clause.(*ast.CaseClause).List {
				if text, err := strconv.Unquote(types.ExprString(value)); err == nil {
					found = append(found, text)
				}
			}
		}
		return true
	})
	return found
}

// literals are the strings that a function has.
func literals(fn *ast.FuncDecl) (text string) {
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if said, err := strconv.Unquote(lit.Value); err == nil {
				text += said
			}
		}
		return true
	})
	return text
}

// TestDocSays has the documents say what no program can show: what is lost whatever a server does, what a client sees
// that was cut, and which states there are that nobody mends by himself.
func TestDocSays(t *testing.T) {
	for _, c := range []struct{ file, about, says string }{
		{"docs/push.md", "who closes without reading", `system throws away what it has not sent yet`},
		{"docs/backends.md", "likewise", `writes, reads no answer and closes may lose .{0,80} no server can mend that`},
		{"docs/pages.md", "a page that does not read", `sees 4102 behind all that waits .{0,150} the page sees 1006`},
		{"docs/operations.md", "a failed reload", `A reload can fail half way,.{0,400} Nothing is undone by itself`},
		{"docs/push.md", "pages that stay through a break", `redis\.gap.{0,80} they are told`},
		{"docs/scaling.md", "a revocation without an answer", `may have taken effect`},
		{"docs/security.md", "the origin null", `null.{0,120} sandboxed frame`},
		{"README.md", "requests and reloads", `TestGoodbyeAfterReading`},
	} {
		text := strings.Join(strings.Fields(textOf(t, c.file)), " ")
		if !regexp.MustCompile(c.says).MatchString(text) {
			t.Errorf("%s says nothing about %s: want %q", c.file, c.about, c.says)
		}
	}
}
