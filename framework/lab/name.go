package lab

import (
	"fmt"
	"regexp"
)

// name keeps names short enough for paths, host names and the names of containers.
var name = regexp.MustCompile(`^[a-z0-9][-a-z0-9]{0,30}$`)

// CheckName returns an error unless a lab can have the name.
func CheckName(s string) error {
	if !name.MatchString(s) {
		return fmt.Errorf("%q cannot be a lab's name: want up to 31 lower-case letters, digits and '-'", s)
	}
	return nil
}
