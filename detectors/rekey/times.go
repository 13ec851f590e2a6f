package rekey

import (
	"regexp"
	"time"
)

// when moves a point in time in RFC 3339. What is none stays, as it does in the original.
func (n *Names) when(s string) string {
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || n.by == 0 {
		return s
	}
	return at.Add(n.by).Format(time.RFC3339Nano)
}

var printedAt = regexp.MustCompile(saveTime + `$`)

// printed moves the time at which rules were printed. Where it is in a language of its own it goes.
func (n *Names) printed(comment string) string {
	if n.by == 0 {
		return comment
	}
	return printedAt.ReplaceAllStringFunc(comment, func(on string) string {
		const layout = " on " + time.ANSIC
		at, err := time.Parse(layout, on)
		if err != nil {
			return ""
		}
		return at.Add(n.by).Format(layout)
	})
}
