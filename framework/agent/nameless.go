package agent

import (
	"bytes"
	"os"
	"path/filepath"
)

// otherNames are put in the place of what Go keeps of names in a program: import paths, and packages and types whose names would tell of a
// fault. All are as long as what they replace, so that nothing moves; the program does not look at them. What it has to say stays, such
// as the names of the kernel's settings.
//
// Package reflect finds types by their names, which are sorted: those of types stay in their order, since no other package's begin with
// "tw", and no other type of package evidence with "TW".
var otherNames = [][2]string{
	{"github.com/netfault/netfault", "node.local/noded/noded/noded"},
	{"/cmd/netfault-agent", "/cmd/noded-commands"},
	{"twrecycle.", "twsockets."},
	{"/twrecycle", "/twsockets"},
	{"evidence.TWRecycle", "evidence.TWSockets"},
}

// CopyNameless copies this program to where people can take it apart who are not to read there what it is a part of.
func CopyNameless(from, to string) error {
	program, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	for _, names := range otherNames {
		program = bytes.ReplaceAll(program, []byte(names[0]), []byte(names[1]))
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, program, 0o755)
}
