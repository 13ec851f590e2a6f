package netns

import (
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// CoreDNS is built with the plugins that the lab's Corefile names, and no others.
func TestCorefileNamesPluginsThatAreBuilt(t *testing.T) {
	main := filepath.Join("..", "..", "..", "hack", "tools", "coredns", "main.go")
	file, err := parser.ParseFile(token.NewFileSet(), main, nil, parser.ImportsOnly)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("it reads the source of that program, as go test has it beside")
	}
	if err != nil {
		t.Fatal(err)
	}
	var built, named []string
	for _, i := range file.Imports {
		if _, plugin, ok := strings.Cut(strings.Trim(i.Path.Value, `"`), "/plugin/"); ok {
			built = append(built, plugin)
		}
	}
	const indent = "    "
	for line := range strings.Lines((&Lab{}).corefile()) {
		plugin, ok := strings.CutPrefix(line, indent)
		if ok && !strings.HasPrefix(plugin, " ") && !strings.HasPrefix(plugin, "}") {
			named = append(named, strings.Fields(plugin)[0])
		}
	}
	slices.Sort(built)
	slices.Sort(named)
	if len(named) == 0 || !slices.Equal(named, built) {
		t.Errorf("the Corefile names %v, but %s builds %v", named, main, built)
	}
}
