package gate

import (
	"errors"
	"strings"
)

// Words splits a command as a POSIX shell does, by blanks, quotes and backslashes, and does nothing else that one does.
func Words(command string) ([]string, error) {
	var all []string
	var word strings.Builder
	inWord := false
	quote := rune(0) // the one that is open
	escaped := false
	for _, r := range command {
		switch {
		case escaped:
			// In double quotes, a backslash is one but before these.
			if quote == '"' && !strings.ContainsRune("\"\\$`", r) {
				word.WriteRune('\\')
			}
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case strings.ContainsRune(" \t\n", r):
			if inWord {
				all = append(all, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	switch {
	case quote != 0:
		return nil, errors.New("a quote is not closed")
	case escaped:
		return nil, errors.New("a backslash stands at the end")
	case inWord:
		all = append(all, word.String())
	}
	if len(all) == 0 {
		return nil, errors.New("there is no program in it")
	}
	return all, nil
}
