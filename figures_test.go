package lineman_test

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

var beside = flag.String("beside", "", "another checkout, whose figures TestFigures prints beside ours")

// figure is a measure of how the code reads: a count, and how high it may be.
type figure struct {
	name  string
	most  int
	count int
	found []string // what was counted
}

// TestFigures holds what can be counted of how the code reads. It serves the reader: where a figure and a clear reading
// disagree, the clear reading wins, and figures says why. This prints them beside those of another checkout:
//
//	go test -count=1 -v -run TestFigures . -beside ../before
func TestFigures(t *testing.T) {
	ours := figures(t, ".")
	before := make([]figure, len(ours))
	if *beside != "" {
		before = figures(t, *beside)
	}
	for i, f := range ours {
		was := ""
		if *beside != "" {
			was = fmt.Sprintf(", was %d", before[i].count)
		}
		t.Logf("%4d of at most %3d%s: %s", f.count, f.most, was, f.name)
		if f.count > f.most {
			t.Errorf("%d, more than %d: %s:\n\t%s", f.count, f.most, f.name, strings.Join(f.found, "\n\t"))
		}
	}
}

// figures are those of a checkout. Of tests, only the lengths of lines count.
func figures(t *testing.T, root string) []figure {
	t.Helper()
	files := sourcesOf(t, root, ".go")
	fset := token.NewFileSet()
	folders := parsed(t, fset, files)
	methods := methodsOf(fset, folders["."], "Conn")
	length, longest := longestFunction(fset, folders)
	return []figure{
		of("methods of Conn", 60, methods),
		of("files that have methods of Conn", 12, filesIn(methods)),
		of("checks of the type of a session or a transport, outside the file of that type", 8,
			typeChecks(fset, folders["."])),
		of("functions that want a lock held and do not say so", 0, unlocked(t, files)),
		of("lines of more than 120 columns", 0, longLines(files)),
		of("files in the root", 67, rootFiles(files)),
		{"lines of the longest function", 60, length, longest},
	}
}

func of(name string, most int, found []string) figure { return figure{name, most, len(found), found} }

// methodsOf are the methods of a type, as "file:line: name".
func methodsOf(fset *token.FileSet, files []*ast.File, kind string) (found []string) {
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if _, of := receiverOf(fn); of == kind {
				found = append(found, fmt.Sprintf("%s: %s", at(fset, fn), fn.Name.Name))
			}
		}
	}
	return found
}

func at(fset *token.FileSet, n ast.Node) string {
	p := fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// filesIn are the files of what was found.
func filesIn(found []string) []string {
	files := map[string]bool{}
	for _, f := range found {
		name, _, _ := strings.Cut(f, ":")
		files[name] = true
	}
	return slices.Sorted(maps.Keys(files))
}

// contracts are the interfaces of the root whose values are asked what to do, not what they are.
var contracts = []string{"session", "transport"}

// typeChecks are the type assertions, and the cases of type switches, on values of the contracts. What a type's own
// file asks is its own affair.
func typeChecks(fset *token.FileSet, files []*ast.File) (found []string) {
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	lenient := types.Config{
		Importer: noImports{},
		Error:    func(error) {}, // of what is imported, and of files for several systems
	}
	_, _ = lenient.Check(module, fset, files, info) // likewise
	check := func(value, kind ast.Expr) {
		if !isContract(info.Types[value].Type) ||
			fset.File(declaration(info.Types[kind].Type)) == fset.File(kind.Pos()) {
			return
		}
		found = append(found, fmt.Sprintf("%s: %s", at(fset, kind), types.ExprString(kind)))
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeAssertExpr:
				if n.Type != nil {
					check(n.X, n.Type)
				}
			case *ast.TypeSwitchStmt:
				value := switched(n)
				for _, clause := range n.Body.List {
					for _, kind := range clause.(*ast.CaseClause).List {
						check(value, kind)
					}
				}
			}
			return true
		})
	}
	return found
}

// switched is the value that a type switch is about.
func switched(s *ast.TypeSwitchStmt) ast.Expr {
	switch assign := s.Assign.(type) {
	case *ast.AssignStmt:
		return assign.Rhs[0].(*ast.TypeAssertExpr).X
	case *ast.ExprStmt:
		return assign.X.(*ast.TypeAssertExpr).X
	}
	return nil
}

func isContract(t types.Type) bool {
	named, ok := t.(*types.Named)
	return ok && slices.Contains(contracts, named.Obj().Name())
}

// declaration is where a type, or what a pointer points to, is declared.
func declaration(t types.Type) token.Pos {
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if named, ok := t.(*types.Named); ok {
		return named.Obj().Pos()
	}
	return token.NoPos
}

// noImports makes packages without anything in them: types of the root's own are all that matters.
type noImports struct{}

func (noImports) Import(name string) (*types.Package, error) {
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}

func longLines(files map[string][]byte) (found []string) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		found = append(found, wideLines(name, files[name])...)
	}
	return found
}

// rootFiles are the files of package lineman but for tests.
func rootFiles(files map[string][]byte) (found []string) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Dir(name) == "." && !strings.HasSuffix(name, "_test.go") {
			found = append(found, name)
		}
	}
	return found
}

// longestFunction is how many lines the longest one has, and which ones are the longest.
func longestFunction(fset *token.FileSet, folders map[string][]*ast.File) (most int, found []string) {
	type function struct {
		name  string
		lines int
	}
	var all []function
	for _, files := range folders {
		for _, f := range files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					lines := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1
					all = append(all, function{fmt.Sprintf("%s: %s", at(fset, fn), fn.Name.Name), lines})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b function) int { return cmp.Or(b.lines-a.lines, strings.Compare(a.name, b.name)) })
	for _, f := range all[:min(len(all), 5)] {
		found = append(found, fmt.Sprintf("%s, %d lines", f.name, f.lines))
	}
	return all[0].lines, found
}
