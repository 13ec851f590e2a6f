package evidence

import (
	"bufio"
	"io"
	"path"
	"strings"
)

// maxErrors is how many bytes of an ErrorsFile are looked at; its lines are as many as a node has files.
const maxErrors = 64 << 10

// missing is the reason of a file that is not there.
type missing struct {
	// why is what the collection says of it, empty if it says nothing.
	why string
}

func (m missing) Error() string {
	if m.why == "" {
		return "missing"
	}
	return "missing: " + m.why
}

// whyMissing returns what the ErrorsFile beside file says of it: its line, or else that of the whole node. An ErrorsFile that
// cannot be read says nothing, as does one that is not there.
func (b *Bundle) whyMissing(file string) string {
	dir, name := path.Split(file)
	if dir == "" || name == ErrorsFile {
		return ""
	}
	f, err := b.open(path.Join(dir, ErrorsFile))
	if err != nil {
		return ""
	}
	defer f.Close()
	node := ""
	for lines := bufio.NewScanner(io.LimitReader(f, maxErrors)); lines.Scan(); {
		of, why, ok := strings.Cut(lines.Text(), ": ")
		switch {
		case !ok:
		case of == name:
			return why
		case of == WholeNode:
			node = why
		}
	}
	return node
}
