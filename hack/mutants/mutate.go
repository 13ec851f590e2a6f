package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
)

// site is a place where a part can be broken, and how.
type site struct {
	number int
	part   string
	file   string
	line   int
	how    string
	// text is what is broken: a condition, a comparison, a statement.
	text string
}

// String is without the line's number, which every change of the file above it would change.
func (s site) String() string { return fmt.Sprintf("%s: %s: %s", s.file, s.how, s.text) }

// edit puts text into a file in the place of what stands between two offsets.
type edit struct {
	from, to int
	text     string
}

// mutator writes into one file the questions whether to be broken.
type mutator struct {
	part   string
	path   string
	source []byte
	set    *token.FileSet
	edits  []edit
	sites  *[]site
	// headers are statements in the head of another, where no other statement can stand.
	headers []ast.Stmt
}

const importMutant = `; import "github.com/netfault/netfault/hack/mutants/mutant"`

// mutate returns the file with every mutant in it, and adds these to sites. The lines keep their numbers.
func mutate(part, path string, sites *[]site) ([]byte, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := mutator{part: part, path: path, source: source, set: token.NewFileSet(), sites: sites}
	file, err := parser.ParseFile(m.set, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
			ast.Inspect(f.Body, m.visit)
		}
	}
	if len(m.edits) == 0 {
		return source, nil
	}
	at := m.offset(file.Name.End())
	m.edits = append(m.edits, edit{from: at, to: at, text: importMutant})
	return m.apply(), nil
}

func (m *mutator) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		m.headers = append(m.headers, n.Init)
		m.condition(n.Cond)
	case *ast.ForStmt:
		m.headers = append(m.headers, n.Init, n.Post)
	case *ast.SwitchStmt:
		m.headers = append(m.headers, n.Init)
		if n.Tag == nil {
			for _, clause := range n.Body.List {
				for _, c := range clause.(*ast.CaseClause).List {
					m.condition(c)
				}
			}
		}
	case *ast.BinaryExpr:
		m.binary(n)
	case *ast.AssignStmt:
		if call, ok := n.Rhs[0].(*ast.CallExpr); ok && n.Tok == token.ASSIGN && len(n.Rhs) == 1 {
			if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "append" {
				m.drop(n)
			}
		}
	case *ast.ExprStmt:
		if call, ok := n.X.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "Add" || f.Sel.Name == "AddError") {
				m.drop(n)
			}
		}
	}
	return true
}

// condition inverts what is no comparison and not put together of others: those are met by themselves.
func (m *mutator) condition(e ast.Expr) {
	if _, ok := e.(*ast.BinaryExpr); !ok {
		m.invert(e)
	}
}

func (m *mutator) binary(b *ast.BinaryExpr) {
	switch b.Op {
	case token.LAND, token.LOR:
		m.condition(b.X)
		m.condition(b.Y)
	case token.EQL, token.NEQ:
		m.invert(b)
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		m.invert(b)
		n := m.site(b, "shifted")
		m.insert(b.Pos(), fmt.Sprintf("mutant.Compare(%d, ", n))
		op := m.offset(b.OpPos)
		m.edits = append(m.edits, edit{from: op, to: op + len(b.Op.String()), text: fmt.Sprintf(", %q, ", b.Op)})
		m.insert(b.End(), ")")
	}
}

func (m *mutator) invert(e ast.Expr) {
	n := m.site(e, "inverted")
	// A condition may have a type of its own, which is no bool.
	m.insert(e.Pos(), "(bool(")
	m.insert(e.End(), fmt.Sprintf(") != mutant.On(%d))", n))
}

func (m *mutator) drop(s ast.Stmt) {
	if slices.Contains(m.headers, s) {
		return
	}
	n := m.site(s, "dropped")
	m.insert(s.Pos(), fmt.Sprintf("if !mutant.On(%d) { ", n))
	m.insert(s.End(), " }")
}

// site notes a mutant and returns its number.
func (m *mutator) site(n ast.Node, how string) int {
	text := strings.Join(strings.Fields(string(m.source[m.offset(n.Pos()):m.offset(n.End())])), " ")
	s := site{len(*m.sites) + 1, m.part, m.path, m.set.Position(n.Pos()).Line, how, text}
	*m.sites = append(*m.sites, s)
	return s.number
}

func (m *mutator) insert(at token.Pos, text string) {
	m.edits = append(m.edits, edit{m.offset(at), m.offset(at), text})
}

func (m *mutator) offset(at token.Pos) int { return m.set.Position(at).Offset }

// apply makes the edits. Nodes are visited from the outside in: at one place, what closes an inner one stands before what closes an
// outer one.
func (m *mutator) apply() []byte {
	closing := func(e edit) bool { return strings.HasPrefix(e.text, ")") || e.text == " }" }
	order := map[int]int{}
	var sorted []int
	for i := range m.edits {
		order[i] = i
		if closing(m.edits[i]) {
			order[i] = -i
		}
		sorted = append(sorted, i)
	}
	slices.SortStableFunc(sorted, func(a, b int) int {
		return cmp.Or(cmp.Compare(m.edits[a].from, m.edits[b].from), cmp.Compare(order[a], order[b]))
	})
	var out []byte
	done := 0
	for _, i := range sorted {
		e := m.edits[i]
		out = append(append(out, m.source[done:e.from]...), e.text...)
		done = e.to
	}
	return append(out, m.source[done:]...)
}
