package iptables

import "strings"

// Word is one word of a line of iptables-save.
type Word struct {
	// Text is the word without quotes, but with its backslashes.
	Text string
	// Quoted says that it stands in quotes.
	Quoted bool
}

// Rewrite returns text, which Parse accepts, with other words: comment gives another line for each that is one, and line
// changes the words of each other. Lines keep their number, and what stands between words stays.
func Rewrite(text string, comment func(string) string, line func([]Word)) string {
	var out strings.Builder
	out.Grow(len(text))
	w := words{text: text, line: 1}
	var found []Word
	var gaps []string
	for w.pos < len(text) {
		if text[w.pos] == '#' {
			out.WriteString(comment(w.restOfLine()))
		} else {
			found, gaps = found[:0], gaps[:0]
			for {
				start := w.pos
				w.skipSpaces()
				gap := text[start:w.pos]
				quoted := w.pos < len(text) && text[w.pos] == '"'
				word, ok := w.next()
				gaps = append(gaps, gap)
				if !ok {
					break
				}
				found = append(found, Word{Text: word, Quoted: quoted})
			}
			line(found)
			for i, word := range found {
				out.WriteString(gaps[i])
				writeWord(&out, word)
			}
			out.WriteString(gaps[len(found)])
		}
		if w.pos < len(text) {
			out.WriteByte('\n')
			w.pos++
		}
	}
	return out.String()
}

func writeWord(out *strings.Builder, w Word) {
	if w.Quoted {
		out.WriteString(`"` + w.Text + `"`)
		return
	}
	out.WriteString(w.Text)
}
