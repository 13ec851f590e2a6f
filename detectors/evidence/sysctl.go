package evidence

import (
	"fmt"
	"iter"
	"regexp"
	"strings"
)

// Setting is one line of `sysctl -a`. A value of several lines is several settings with the same key.
type Setting struct {
	Key, Value string
	// Pos is its place in the file.
	Pos Pos
}

// unread is what sysctl says of a setting that it may not read, where its messages go into the same file (`sysctl -a 2>&1`).
var unread = regexp.MustCompile(`^sysctl: (?:error: )?(?:permission denied on|reading) key ['"]([^'"]+)['"]`)

// UnreadSysctl returns the key in a message of sysctl's on a setting that could not be read; ok is false for other lines.
func UnreadSysctl(line string) (key string, ok bool) {
	message := unread.FindStringSubmatch(line)
	if message == nil {
		return "", false
	}
	return message[1], true
}

// Sysctls yields the settings of a node, from SysctlFile; one that could not be read has no value. An error is yielded last.
func (b *Bundle) Sysctls(node string) iter.Seq2[Setting, error] {
	return func(yield func(Setting, error) bool) {
		err := b.lines(node, SysctlFile, func(line string, at Pos) error {
			key, value, ok := strings.Cut(line, "=")
			key = strings.TrimSuffix(key, " ")
			if name, is := UnreadSysctl(line); is {
				key, value, ok = name, "", true
			}
			if !ok || !strings.Contains(key, ".") || strings.ContainsAny(key, " \t\r\x00") {
				return fmt.Errorf(`want "key = value", found %.20q`, line)
			}
			if !yield(Setting{Key: key, Value: strings.TrimPrefix(value, " "), Pos: at}, nil) {
				return errStop
			}
			return nil
		})
		if err != nil {
			yield(Setting{}, err)
		}
	}
}
