package twrecycle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Native returns the value of the kernel's own setting in the calling thread's network namespace, and whether this kernel
// has it: those before 4.12 do.
func Native() (value string, present bool, err error) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_tw_recycle")
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read tcp_tw_recycle: %w", err)
	}
	return strings.TrimSpace(string(text)), true, nil
}

// Describe says whose setting it is: "native", or "emulated (Linux 6.18 has no such setting)".
func Describe() (string, error) {
	_, present, err := Native()
	if err != nil {
		return "", err
	}
	if present {
		return "native", nil
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return fmt.Sprintf("emulated (Linux %s has no such setting)", version(unix.ByteSliceToString(name.Release[:]))), nil
}

// version returns the first two numbers of a kernel release: "6.18" of "6.18.44-generic".
func version(release string) string {
	parts := strings.SplitN(release, ".", 3)
	if len(parts) < 2 {
		return release
	}
	minor := strings.IndexFunc(parts[1], func(r rune) bool { return r < '0' || r > '9' })
	if minor < 0 {
		minor = len(parts[1])
	}
	return parts[0] + "." + parts[1][:minor]
}
