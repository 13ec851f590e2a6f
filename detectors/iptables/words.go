package iptables

import "strings"

// words reads a text word by word. Words end at a space or the end of the line; in double quotes, as iptables-save writes
// comments, they may hold both, and a backslash takes the next character as it is (xtables_save_string in iptables 1.8.9).
type words struct {
	text string
	pos  int
	// line is that of pos, from 1.
	line int
	// unclosed says that the text ended within quotes.
	unclosed bool
}

func (w *words) skipSpaces() {
	for w.pos < len(w.text) && w.text[w.pos] == ' ' {
		w.pos++
	}
}

// next returns the next word of the line without its quotes, but with its backslashes.
func (w *words) next() (word string, ok bool) {
	w.skipSpaces()
	if w.pos == len(w.text) || w.text[w.pos] == '\n' {
		return "", false
	}
	if w.text[w.pos] == '"' {
		return w.quoted(), true
	}
	start := w.pos
	for w.pos < len(w.text) && w.text[w.pos] > ' ' {
		w.pos++
	}
	if w.pos == start {
		w.pos++ // a control character is a word of its own
	}
	return w.text[start:w.pos], true
}

func (w *words) quoted() string {
	w.pos++
	start := w.pos
	for w.pos < len(w.text) {
		switch w.text[w.pos] {
		case '\\':
			w.pos++
		case '\n':
			w.line++
		case '"':
			word := w.text[start:w.pos]
			w.pos++
			return word
		}
		w.pos++
	}
	w.pos = len(w.text)
	w.unclosed = true
	return w.text[start:]
}

// peek returns the next word and stays where it is.
func (w *words) peek() (word string, ok bool) {
	saved := *w
	word, ok = w.next()
	*w = saved
	return word, ok
}

// restOfLine returns what is left of the line, without the line break.
func (w *words) restOfLine() string {
	rest, _, _ := strings.Cut(w.text[w.pos:], "\n")
	w.pos += len(rest)
	return rest
}
