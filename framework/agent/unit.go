package agent

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// environment is what the service's process gets: the machine's own, the service's, then its files'.
func (s Service) environment() ([]string, error) {
	env := append(os.Environ(), s.Env...)
	for _, file := range s.EnvironmentFiles {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		variables, err := parseEnvironment(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		env = append(env, variables...)
	}
	return env, nil
}

// parseEnvironment reads lines NAME=value or NAME="value"; empty lines and comments are passed over (systemd.exec(5),
// EnvironmentFile=; escapes and lines that go on in the next are not needed here and refused).
func parseEnvironment(content []byte) ([]string, error) {
	var variables []string
	lines := bufio.NewScanner(bytes.NewReader(content))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.Contains(value, "\\") {
			return nil, fmt.Errorf("line %d is not NAME=value: %q", n, line)
		}
		for _, quote := range []string{`"`, "'"} {
			if len(value) >= 2 && strings.HasPrefix(value, quote) && strings.HasSuffix(value, quote) {
				value = value[1 : len(value)-1]
				break
			}
		}
		variables = append(variables, name+"="+value)
	}
	return variables, lines.Err()
}

// expand replaces each "$NAME" that is a word of its own by the words of that variable, the last of that name in env.
func expand(argv, env []string) []string {
	var words []string
	for _, word := range argv {
		name, ok := strings.CutPrefix(word, "$")
		if !ok {
			words = append(words, word)
			continue
		}
		value := ""
		for _, variable := range env {
			if v, ok := strings.CutPrefix(variable, name+"="); ok {
				value = v
			}
		}
		words = append(words, strings.Fields(value)...)
	}
	return words
}
