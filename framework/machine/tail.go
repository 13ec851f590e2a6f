package machine

import "strings"

// maxTail is how much of a command's standard error an ExitError quotes, in bytes.
const maxTail = 4096

// Tail is an io.Writer that keeps the end of what is written to it, for ExitError.Stderr.
type Tail struct{ kept []byte }

// Write keeps the end of b; it never fails.
func (t *Tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - maxTail; over > 0 {
		t.kept = t.kept[over:]
	}
	return len(b), nil
}

// String is what was kept, without white space around it.
func (t *Tail) String() string { return strings.TrimSpace(string(t.kept)) }
