package evidence

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// Release is a kernel's release.
type Release struct {
	// Text is what `uname -r` prints, such as "3.10.0-1160.el7.x86_64".
	Text string
	// Major and Minor are its first two numbers.
	Major, Minor int
}

// Before reports whether r is of a version before major.minor.
func (r Release) Before(major, minor int) bool {
	return r.Major < major || r.Major == major && r.Minor < minor
}

var release = regexp.MustCompile(`^([0-9]{1,4})\.([0-9]{1,4})([.+_-][A-Za-z0-9.+_~-]*)?$`)

// Uname returns the release of a node's kernel, from UnameFile, which a bundle need not have.
func (b *Bundle) Uname(node string) (Release, error) {
	var r Release
	err := b.lines(node, UnameFile, func(line string, _ Pos) error {
		parts := release.FindStringSubmatch(line)
		if parts == nil {
			return fmt.Errorf("%.20q is no kernel release: want what `uname -r` prints", line)
		}
		if r.Text != "" {
			return errors.New("a second line: want what `uname -r` prints")
		}
		r.Text = line
		r.Major, _ = strconv.Atoi(parts[1])
		r.Minor, _ = strconv.Atoi(parts[2])
		return nil
	})
	if err != nil {
		return Release{}, err
	}
	return r, nil
}
