package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/netfault/netfault/framework/twrecycle"
)

// recycleKey is a setting that Linux has no more since 4.12.
const recycleKey = "net.ipv4.tcp_tw_recycle"

// Sysctl is the lab's own sysctl. Where the kernel has no net.ipv4.tcp_tw_recycle, it reads and writes the emulated one of
// the node's pods. Where it has one for each network namespace (Linux 4.11), a node's is written to its pods, too: in the
// kernels before, one was in force in all. Everything else it leaves to the real sysctl, in whose place the calling process
// goes on.
func Sysctl(ctx context.Context, out io.Writer, args []string) error {
	request, ours := parseSysctl(args)
	_, native, err := twrecycle.Native()
	if err != nil {
		return err
	}
	if !ours || native && !request.write {
		return realSysctl(args)
	}
	on := request.value == "1"
	if request.write {
		if request.value != "0" && !on {
			return fmt.Errorf("%s is 0 or 1, not %q", recycleKey, request.value)
		}
		if err := setRecycle(ctx, on); err != nil {
			return err
		}
		if native {
			return realSysctl(args)
		}
	} else if on, err = recycleOn(ctx); err != nil {
		return err
	}
	value := recycleValue(on)
	switch {
	case request.quiet:
		return nil
	case request.bare:
		_, err = fmt.Fprintln(out, value)
	default:
		_, err = fmt.Fprintf(out, "%s = %s\n", recycleKey, value)
	}
	return err
}

type sysctlRequest struct {
	write, quiet, bare bool
	value              string
}

// parseSysctl says whether the command is about recycleKey and nothing else, and what it wants.
func parseSysctl(args []string) (sysctlRequest, bool) {
	var r sysctlRequest
	keys := 0
	for _, a := range args {
		switch a {
		case "-w", "--write":
		case "-q", "--quiet":
			r.quiet = true
		case "-n", "--values":
			r.bare = true
		default:
			key, value, write := strings.Cut(a, "=")
			if strings.ReplaceAll(strings.TrimSpace(key), "/", ".") != recycleKey {
				return sysctlRequest{}, false
			}
			r.write, r.value = write, strings.TrimSpace(value)
			keys++
		}
	}
	return r, keys == 1
}

// realSysctl returns only if there is none.
func realSysctl(args []string) error {
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin", "/bin"} {
		path := filepath.Join(dir, "sysctl")
		if _, err := os.Stat(path); err == nil {
			return syscall.Exec(path, append([]string{"sysctl"}, args...), os.Environ())
		}
	}
	return errors.New("this machine has no sysctl: Debian's package procps brings it")
}
