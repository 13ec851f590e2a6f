package cases

import (
	"fmt"
	"slices"
	"strings"
)

// patch changes text by the lines of a patch: ' ' stands before one that is there, '-' before one to remove and '+' before one
// to add. Each is looked for behind the last.
func patch(text, lines string) (string, error) {
	rest := strings.SplitAfter(text, "\n")
	var done strings.Builder
	for line := range strings.Lines(lines) {
		mark, content := line[0], line[1:]
		if mark == '+' {
			done.WriteString(content)
			continue
		}
		i := slices.Index(rest, content)
		if i < 0 {
			return "", fmt.Errorf("no line %q behind the last one that was changed", content)
		}
		done.WriteString(strings.Join(rest[:i], ""))
		if mark == ' ' {
			done.WriteString(content)
		}
		rest = rest[i+1:]
	}
	return done.String() + strings.Join(rest, ""), nil
}
