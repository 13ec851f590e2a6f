package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/tools"
)

// confVariable names the one file that Podman reads its configuration from (containers.conf(5)).
const confVariable = "CONTAINERS_CONF"

// needs is what of Podman's defaults does not work on this machine.
type needs struct {
	// netavark: Podman 4 may choose CNI, for which there are no plugins.
	netavark bool
	// runc: crun 1.8 refuses control groups v1 that have an empty v2 hierarchy beside them.
	runc bool
	// cgroupfs: without systemd nobody makes control groups on request.
	cgroupfs bool
	// limits are the rlimits that containers get, since Podman's default raises them, which needs CAP_SYS_RESOURCE.
	limits []string
}

// setUpPodman writes the containers.conf that this machine needs into netfault's cache folder and names it in this
// process's environment, which kind's calls of podman inherit. Where the user has set CONTAINERS_CONF, or nothing is
// needed, it does nothing. /etc is never changed.
func setUpPodman() error {
	if os.Getenv(confVariable) != "" {
		return nil
	}
	n, err := detect()
	if err != nil || n.none() {
		return err
	}
	cache, err := tools.OwnCache()
	if err != nil {
		return err
	}
	dir := filepath.Join(cache, "podman")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, "containers.conf")
	content := n.conf(filepath.Join(dir, "networks"))
	if have, err := os.ReadFile(path); err != nil || string(have) != content {
		if err := writeWhole(path, content, 0o644); err != nil {
			return err
		}
	}
	return os.Setenv(confVariable, path)
}

// writeWhole leaves either the old file or the whole new one, since another netfault may read it now.
func writeWhole(path, content string, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func detect() (needs, error) {
	var n needs
	unified, err := unifiedCgroups()
	if err != nil {
		return n, err
	}
	n.runc = !unified
	n.cgroupfs = !exists("/run/systemd/system")
	n.netavark = !existsAny("/usr/lib/cni/bridge", "/usr/libexec/cni/bridge", "/opt/cni/bin/bridge") &&
		existsAny("/usr/lib/podman/netavark", "/usr/libexec/podman/netavark")
	raise, err := MayRaiseLimits()
	if err != nil || raise {
		return n, err
	}
	files, err := hardLimit(unix.RLIMIT_NOFILE)
	if err != nil {
		return n, err
	}
	processes, err := hardLimit(unix.RLIMIT_NPROC)
	if err != nil {
		return n, err
	}
	// Podman 4.3 lowers its own limit of processes to the greatest process ID, and cannot raise it again (measured).
	content, err := os.ReadFile("/proc/sys/kernel/pid_max")
	if err != nil {
		return n, err
	}
	greatest, err := strconv.ParseUint(strings.TrimSpace(string(content)), 10, 64)
	if err != nil {
		return n, fmt.Errorf("/proc/sys/kernel/pid_max: %w", err)
	}
	processes = min(processes, greatest)
	n.limits = []string{fmt.Sprintf("nofile=%d:%d", files, files), fmt.Sprintf("nproc=%d:%d", processes, processes)}
	return n, nil
}

// podmanLimit is what Podman asks for where it may, of open files and of processes (containers.conf(5), v4.3).
const podmanLimit = 1 << 20

func hardLimit(resource int) (uint64, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(resource, &r); err != nil {
		return 0, fmt.Errorf("rlimit %d: %w", resource, err)
	}
	return min(r.Max, podmanLimit), nil
}

func (n needs) none() bool { return !n.netavark && !n.runc && !n.cgroupfs && len(n.limits) == 0 }

// conf is a containers.conf. Where netavark is chosen here, the networks' definitions are kept in networks, since the
// default is a folder in /etc.
func (n needs) conf(networks string) string {
	var b strings.Builder
	b.WriteString("# Written by netfault for this machine. CONTAINERS_CONF names it; nothing else reads it.\n")
	if len(n.limits) > 0 {
		fmt.Fprintf(&b, "[containers]\ndefault_ulimits = [%s]\n", quoted(n.limits))
	}
	if n.netavark {
		fmt.Fprintf(&b, "[network]\nnetwork_backend = \"netavark\"\nnetwork_config_dir = %q\n", networks)
	}
	if n.runc || n.cgroupfs {
		b.WriteString("[engine]\n")
	}
	if n.runc {
		b.WriteString("runtime = \"runc\"\n")
	}
	if n.cgroupfs {
		b.WriteString("cgroup_manager = \"cgroupfs\"\n")
	}
	return b.String()
}

func quoted(values []string) string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = fmt.Sprintf("%q", v)
	}
	return strings.Join(all, ", ")
}

// unifiedCgroups reports whether the machine has control groups v2 alone (cgroups(7)).
func unifiedCgroups() (bool, error) {
	var s unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &s); err != nil {
		return false, fmt.Errorf("/sys/fs/cgroup: %w", err)
	}
	return s.Type == unix.CGROUP2_SUPER_MAGIC, nil
}

// MayRaiseLimits reports whether CAP_SYS_RESOURCE can be had here. Without it, neither can rlimits be raised nor
// oom_score_adj be lowered (capabilities(7)), and containers that ask for that don't start.
func MayRaiseLimits() (bool, error) {
	have, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, unix.CAP_SYS_RESOURCE, 0, 0, 0)
	if err != nil {
		return false, fmt.Errorf("capability bounding set: %w", err)
	}
	return have == 1, nil
}

func existsAny(paths ...string) bool {
	for _, p := range paths {
		if exists(p) {
			return true
		}
	}
	return false
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
