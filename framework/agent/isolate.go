package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// LogDir is where a machine sees its log folder.
const LogDir = "/run/machine/logs"

// isolate gives the machine its own /run (flannel's subnet file and the xtables lock live there), /proc and /sys, its own
// copies of /etc and /opt, and its host name. The rest of the file system is shared with the real machine, but in a sealed lab.
func isolate(o InitOptions, self string) error {
	if err := unix.Sethostname([]byte(o.Machine)); err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	logs, err := unix.Open(o.LogDir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("log folder %s: %w", o.LogDir, err)
	}
	defer unix.Close(logs)
	sealed, options := self == SealedProgram, "mode=755"
	if sealed {
		options += ",size=512m" // whoever fills it up is to notice, and not this machine
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID, options); err != nil {
		return fmt.Errorf("own /run: %w", err)
	}
	for _, dir := range []string{LogDir, BinDir, "/run/lock", "/run/flannel"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	// Options of services stand in /etc, and container engines write there and to /opt.
	copies := []string{"/etc", "/opt"}
	if sealed {
		copies = []string{"/etc"}
		if err := ownFolders(); err != nil {
			return err
		}
	}
	for _, dir := range copies {
		if err := ownCopy(dir); err != nil {
			return err
		}
	}
	if !sealed { // which has nothing of this machine's /etc that is not listed
		if err := ownDockerSettings(); err != nil {
			return err
		}
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", logs), LogDir, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("log folder: %w", err)
	}
	// /proc is mounted again after the log folder, which is found through the old one.
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("own /proc: %w", err)
	}
	if err := ownSys(); err != nil {
		return err
	}
	for _, name := range []string{"systemctl", "journalctl", "sysctl"} {
		if err := os.Symlink(self, filepath.Join(BinDir, name)); err != nil {
			return err
		}
	}
	return nil
}

// dockerSettings is where dockerd reads what is set for it, and where versions before 23 keep a key that root alone can read.
const dockerSettings = "/etc/docker"

// ownDockerSettings hides those of this machine's own dockerd: the lab's is none of its, and may not even be allowed to read them.
func ownDockerSettings() error {
	if err := os.MkdirAll(dockerSettings, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dockerSettings, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=755"); err != nil {
		return fmt.Errorf("own %s: %w", dockerSettings, err)
	}
	return nil
}

// ownCopy lets the machine write to its own copy of a folder, which is in memory. A folder that is not there stays away.
func ownCopy(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	upper, work := "/run/machine/own"+dir, "/run/machine/own-work"+dir
	for _, d := range []string{upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dir, upper, work)
	if err := unix.Mount("overlay", dir, "overlay", 0, options); err != nil {
		return fmt.Errorf("own %s: overlay: %w", dir, err)
	}
	return nil
}

// ownSys mounts a /sys that shows this network namespace's links, and keeps the control groups, without which no
// container engine starts.
func ownSys() error {
	const aside = "/run/machine/cgroup"
	if err := os.Mkdir(aside, 0o755); err != nil {
		return err
	}
	kept := true
	if err := unix.Mount("/sys/fs/cgroup", aside, "", unix.MS_BIND|unix.MS_REC, ""); errors.Is(err, unix.ENOENT) {
		kept = false
	} else if err != nil {
		return fmt.Errorf("keep control groups: %w", err)
	}
	err := unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if err != nil && !errors.Is(err, unix.EBUSY) { // this namespace's is there already, in the first machine of a sealed lab
		return fmt.Errorf("own /sys: %w", err)
	}
	if !kept {
		return nil
	}
	if err := unix.Mount(aside, "/sys/fs/cgroup", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("put control groups back: %w", err)
	}
	return nil
}
