package detectortest

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/cases"
)

// quotations holds that every quotation that has a line stands in its file at that line: the addresses that its text begins with
// are there. A text that is not JSON's is quoted by its words.
func quotations(t *testing.T, d detectors.Detector, c cases.Case) {
	for _, f := range judge(t.Context(), d, c.Files) {
		for _, l := range f.Evidence {
			file := c.Files[l.File]
			if l.Line == 0 {
				continue
			}
			if file == nil {
				t.Errorf("%s quotes line %d of %s, which is not in the bundle", f.ID, l.Line, l.File)
				continue
			}
			entry, ok := entryAt(string(file.Data), l.Line, strings.HasSuffix(l.File, ".json"))
			if !ok {
				t.Errorf("%s quotes line %d of %s, which is shorter", f.ID, l.Line, l.File)
				continue
			}
			entry = strings.Map(printable, entry)
			for _, word := range telling(l) {
				if !strings.Contains(strings.ToLower(entry), strings.ToLower(word)) {
					t.Errorf("%s quotes %q, but %s has no %q at line %d: %s", f.ID, l.Text, l.File, word, l.Line, entry)
				}
			}
		}
	}
}

// printable is how a finding shows a character of foreign text.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}

// entryAt returns the line with that number or, of JSON, the lines of the value that begins there.
func entryAt(text string, number int, isJSON bool) (string, bool) {
	lines := strings.SplitAfter(text, "\n")
	if number > len(lines) || lines[number-1] == "" {
		return "", false
	}
	entry := ""
	for _, line := range lines[number-1:] {
		entry += line
		if !isJSON || strings.Count(entry, "{") <= strings.Count(entry, "}") {
			break
		}
	}
	return entry, true
}

var addresses = regexp.MustCompile(`\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b|\b[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+\b`)

// remark is what a quotation says beside what it quotes, in brackets at its end or behind a colon.
var remark = regexp.MustCompile(` \([^()]*\)$`)

// telling are the words of a quotation that must stand in its file: the addresses and, of lines of text, the keys and rules.
func telling(l detectors.Line) []string {
	text := remark.ReplaceAllString(l.Text, "")
	if strings.HasPrefix(text, "the first of them: ") || strings.HasPrefix(text, "undecided for ") {
		return nil // a sentence on the entry, which the next line quotes
	}
	if strings.HasSuffix(l.File, ".json") {
		return addresses.FindAllString(text, -1)
	}
	if i := strings.Index(text, "-A "); i >= 0 {
		return strings.Fields(text[i:])
	}
	first, _, _ := strings.Cut(text, ",")
	if key, _, ok := strings.Cut(first, " = "); ok {
		return []string{key}
	}
	return nil
}
