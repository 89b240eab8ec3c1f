package lineman_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// heldByName ends the names of functions that want a lock held.
const heldByName = "Locked"

var (
	underLock = regexp.MustCompile(`under the lock|under the connection's lock`)
	heldByDoc = regexp.MustCompile(`\block held\b|\bmu held\b`)
	byConn    = regexp.MustCompile(`(?i)guarded by the connection's lock`)
	guards    = regexp.MustCompile(`^// guards (.*)`)
	unguarded = regexp.MustCompile(`(?i)owned by|immutable|changed by the loop|read anywhere`)
)

// TestLocked holds what the names of functions say: who wants a lock held, by its documentation or because it uses what
// a lock guards without taking it, ends in Locked, and only such functions and those that take a lock call it. Who
// needs none, such as what makes a value that nobody else knows yet, says in its documentation why it goes "without the
// lock"; whose name an interface gives, that it is called "under the connection's lock". A function literal may do what
// the function does that it is given to: one that is documented to run it "under the lock".
func TestLocked(t *testing.T) {
	for _, wrong := range unlocked(t, sources(t, ".go")) {
		t.Error(wrong)
	}
}

// TestLockedFinds has the check find what is wrong in a program that was made for it, and nothing else.
func TestLockedFinds(t *testing.T) {
	const program = `package p

type own struct {
	free int

	mu   sync.Mutex // guards the following
	held int

	apart int
}

// part is a part of a connection, guarded by the connection's lock.
type part struct { a int }

type some struct {
	// Owned by the loop.
	loops int

	// Guarded by the connection's lock.
	x int
	y int // changed by the loop

	z int
}

func (o *own) wrong1() int { return o.held }
func (p *part) wrong2() int { return p.a }
func (s *some) wrong3() int { return s.x }
func wrong4(s *some) { s.fineLocked() }

// wrong5 wants the lock held.
func wrong5() {}

func (o *own) right1() int { return o.free + o.apart }
func (o *own) right2() int { o.mu.Lock(); defer o.mu.Unlock(); return o.held }
func (s *some) right3() int { return s.loops + s.y + s.z }
func (s *some) fineLocked() int { return s.x }

// right4 makes one without the lock: nobody knows it yet.
func right4(s *some) { s.x = 1 }
`
	found := unlocked(t, map[string][]byte{"p/p.go": []byte(program)})
	for i, wrong := range found {
		if !strings.Contains(wrong, fmt.Sprintf(" wrong%d ", i+1)) {
			t.Errorf("it finds %s", wrong)
		}
	}
	if len(found) != 5 {
		t.Errorf("it finds %d faults, want 5", len(found))
	}
}

// unlocked are the functions of some files whose names do not say what they want of a lock, and why.
func unlocked(t *testing.T, files map[string][]byte) (all []string) {
	t.Helper()
	fset := token.NewFileSet()
	folders := parsed(t, fset, files)
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		guarded, lends := map[string]guard{}, map[string]bool{}
		for _, f := range folders[folder] {
			findGuards(fset, f, guarded)
			findLenders(f, lends)
		}
		for _, f := range folders[folder] {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
					for _, wrong := range misnamed(fn, guarded, lends) {
						all = append(all, fmt.Sprintf("%s: %s %s", fset.Position(fn.Pos()), fn.Name.Name, wrong))
					}
				}
			}
		}
	}
	return all
}

// parsed are the files of a program, without its tests, by their folders and in order.
func parsed(t *testing.T, fset *token.FileSet, files map[string][]byte) map[string][]*ast.File {
	t.Helper()
	folders := map[string][]*ast.File{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, files[name], parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		folders[path.Dir(name)] = append(folders[path.Dir(name)], f)
	}
	return folders
}

// guard is the fields of a struct that a lock guards: its own, or that of the connection that the struct is a part of.
type guard struct{ fields map[string]bool }

// findGuards reads the comments of a file's structs: those of the lock, and of fields that are not its after all.
func findGuards(fset *token.FileSet, f *ast.File, guarded map[string]guard) {
	ast.Inspect(f, func(n ast.Node) bool {
		decl, ok := n.(*ast.GenDecl)
		if !ok || len(decl.Specs) != 1 {
			return true
		}
		spec, ok := decl.Specs[0].(*ast.TypeSpec)
		if !ok {
			return true
		}
		s, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		if byConn.MatchString(flat(decl.Doc)) {
			guarded[spec.Name.Name] = guard{fieldsBehind(fset, s.Fields.List, -1, "the following")}
		}
		for i, field := range s.Fields.List {
			if byConn.MatchString(flat(field.Doc)) {
				guarded[spec.Name.Name] = guard{fieldsBehind(fset, s.Fields.List[i:], -1, "the following")}
			}
			if said := guards.FindStringSubmatch(lineComment(field)); said != nil {
				guarded[spec.Name.Name] = guard{fieldsBehind(fset, s.Fields.List, i, said[1])}
			}
		}
		return true
	})
}

// findLenders finds the functions that run what they are given under the lock.
func findLenders(f *ast.File, lends map[string]bool) {
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && underLock.MatchString(flat(fn.Doc)) {
			lends[fn.Name.Name] = true
		}
	}
}

// flat is a text without its ends of lines.
func flat(doc *ast.CommentGroup) string { return strings.Join(strings.Fields(doc.Text()), " ") }

func lineComment(f *ast.Field) string {
	if f.Comment == nil {
		return ""
	}
	return f.Comment.List[0].Text
}

// fieldsBehind are those that a lock guards: the named ones, or those up to the next empty line.
func fieldsBehind(fset *token.FileSet, all []*ast.Field, lock int, said string) map[string]bool {
	fields := map[string]bool{}
	following := strings.HasPrefix(said, "the following")
	words := strings.FieldsFunc(said, func(r rune) bool { return r == ' ' || r == ',' })
	last := math.MaxInt - 1 // a part has no lock among its fields
	if lock >= 0 {
		last = fset.Position(all[lock].End()).Line
	}
	for _, f := range all[lock+1:] {
		begin := fset.Position(f.Pos()).Line
		if f.Doc != nil {
			begin = fset.Position(f.Doc.Pos()).Line
		}
		if begin > last+1 {
			break
		}
		last = fset.Position(f.End()).Line
		for _, name := range f.Names {
			if following && !unguarded.MatchString(lineComment(f)) || slices.Contains(words, name.Name) {
				fields[name.Name] = true
			}
		}
	}
	return fields
}

// misnamed says what a function's name should say, or what it must not call.
func misnamed(fn *ast.FuncDecl, guarded map[string]guard, lends map[string]bool) (wrong []string) {
	if strings.HasSuffix(fn.Name.Name, heldByName) {
		return nil
	}
	if heldByDoc.MatchString(flat(fn.Doc)) {
		return []string{"is documented to want a lock held: its name is to end in " + heldByName}
	}
	if doc := flat(fn.Doc); locks(fn.Body) || strings.Contains(doc, "without the lock") || underLock.MatchString(doc) {
		return nil
	}
	owners := ownersOf(fn, guarded)
	var used, called []string
	asked := map[ast.Expr]bool{} // parts that only a method is called of, which is looked at by itself
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && owners[x.Name].fields[n.Sel.Name] && !asked[n] {
				used = append(used, n.Sel.Name)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok {
				asked[f.X] = true
			}
			if name := calledName(n); strings.HasSuffix(name, heldByName) {
				called = append(called, name)
			}
			return !lends[calledName(n)]
		}
		return true
	})
	if len(used) > 0 {
		slices.Sort(used)
		wrong = append(wrong,
			"uses "+strings.Join(slices.Compact(used), ", ")+
				", which a lock guards, without taking it: its name is to end in "+heldByName)
	}
	if len(called) > 0 {
		slices.Sort(called)
		wrong = append(wrong, "calls "+strings.Join(slices.Compact(called), ", ")+" and takes no lock")
	}
	return wrong
}

// locks reports whether a body takes a lock itself.
func locks(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok &&
			slices.Contains([]string{"Lock", "RLock", "TryLock"}, calledName(call)) {
			found = true
		}
		return !found
	})
	return found
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// ownersOf are a function's receiver and parameters that have fields which a lock guards, by their names.
func ownersOf(fn *ast.FuncDecl, guarded map[string]guard) map[string]guard {
	owners := map[string]guard{}
	fields := fn.Type.Params.List
	if fn.Recv != nil {
		fields = append(slices.Clone(fn.Recv.List), fields...)
	}
	for _, f := range fields {
		of := f.Type
		if star, ok := of.(*ast.StarExpr); ok {
			of = star.X
		}
		id, ok := of.(*ast.Ident)
		if !ok {
			continue
		}
		if g, ok := guarded[id.Name]; ok {
			for _, name := range f.Names {
				owners[name.Name] = g
			}
		}
	}
	return owners
}

// receiverOf is the name of a method's receiver and of its type.
func receiverOf(fn *ast.FuncDecl) (name, kind string) {
	if fn.Recv == nil || len(fn.Recv.List[0].Names) == 0 {
		return "", ""
	}
	of := fn.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if id, ok := of.(*ast.Ident); ok {
		kind = id.Name
	}
	return fn.Recv.List[0].Names[0].Name, kind
}
