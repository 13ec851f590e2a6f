package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Hints are copied and run, so that one about a lab names it, unless it is the lab that is meant without: lab.Command knows. Here
// nothing in the program writes such a command by itself.
func TestHintsNameTheirLab(t *testing.T) {
	var commands []string
	var collect func(*cobra.Command)
	collect = func(c *cobra.Command) {
		if f := c.Flags().Lookup("lab"); f != nil && strings.HasPrefix(f.Usage, "which lab") {
			commands = append(commands, c.CommandPath())
		}
		for _, sub := range c.Commands() {
			collect(sub)
		}
	}
	collect(newRoot())
	if len(commands) < 8 {
		t.Fatalf("only %q take a lab: the test looks at nothing", commands)
	}
	literals := 0
	for _, root := range []string{"../../cmd", "../../framework", "../../scenarios"} {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || filepath.Ext(path) != ".go" {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Errorf("%s: %v", set.Position(literal.Pos()), err)
				}
				literals++
				if hint := unnamed(text, commands); hint != "" {
					t.Errorf("%s: %q names no lab: make it by lab.Command", set.Position(literal.Pos()), hint)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if literals < 1000 {
		t.Fatalf("only %d texts were looked at", literals)
	}
}

// unnamed returns the command of a hint in the text that names no lab, if there is one.
func unnamed(text string, commands []string) string {
	for _, c := range commands {
		for _, begin := range []string{"`", "`sudo ", "bin/"} {
			for _, rest := range strings.Split(text, begin+c)[1:] {
				if !strings.HasPrefix(rest, " --lab=") {
					return c
				}
			}
		}
	}
	return ""
}
