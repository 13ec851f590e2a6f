package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/hack/mutants/mutant"
)

const code = `package x

func f(a, b int, ok bool, all []int, why *doubts) []int {
	if a == b && !ok || a < b {
		all = append(all, a)
	}
	switch {
	case ok:
		why.Add("a", a)
	}
	return all
}
`

// Conditions, comparisons, what is appended and what is doubted: each is a mutant of its own, in the line in which it stands.
func TestMutate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.go")
	if err := os.WriteFile(path, []byte(code), 0o644); err != nil {
		t.Fatal(err)
	}
	var sites []site
	out, err := mutate("x", path, &sites)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.ParseFile(token.NewFileSet(), path, out, 0); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if strings.Count(string(out), "\n") != strings.Count(code, "\n") {
		t.Errorf("lines have other numbers:\n%s", out)
	}
	var got []string
	for _, s := range sites {
		if !strings.Contains(strings.Split(code, "\n")[s.line-1], s.text) {
			t.Errorf("line %d does not have %q", s.line, s.text)
		}
		got = append(got, s.how+" "+s.text)
	}
	want := []string{
		"inverted a == b", "inverted !ok", "inverted a < b", "shifted a < b",
		"dropped all = append(all, a)", "inverted ok", `dropped why.Add("a", a)`,
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, part := range []string{
		"(bool(a == b) != mutant.On(", "(bool(!ok) != mutant.On(", "(bool(mutant.Compare(", `, a , "<",  b)) != mutant.On(`,
		"if !mutant.On(", "{ all = append(all, a) }",
	} {
		if !strings.Contains(string(out), part) {
			t.Errorf("it lacks %s:\n%s", part, out)
		}
	}
}

// A comparison is what it was as long as it is not shifted, and then differs for equal values alone.
func TestCompare(t *testing.T) {
	is := map[string]func(a, b int) bool{
		"<":  func(a, b int) bool { return a < b },
		"<=": func(a, b int) bool { return a <= b },
		">":  func(a, b int) bool { return a > b },
		">=": func(a, b int) bool { return a >= b },
	}
	for op, right := range is {
		for a := range 3 {
			mutant.Set(0)
			if mutant.Compare(7, a, op, 1) != right(a, 1) {
				t.Errorf("%d %s 1 is wrong", a, op)
			}
			mutant.Set(7)
			if (mutant.Compare(7, a, op, 1) != right(a, 1)) != (a == 1) {
				t.Errorf("%d %s 1, shifted, is wrong", a, op)
			}
		}
	}
	mutant.Set(0)
}
