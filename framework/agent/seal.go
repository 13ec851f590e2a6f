package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// SealedProgram is this program's path in the machines of a sealed lab, whose processes bear its name.
const SealedProgram = "/usr/local/bin/noded"

// sealedLogs is where the first machine of a sealed lab keeps the logs of all.
const sealedLogs = "/var/log/machines"

// Seal is what a sealed lab's machines have beside this machine's /usr: paths there to paths on this machine. They see nothing
// else of it, so that who works there as root finds neither what made the lab nor what is being done to it.
type Seal struct {
	// Programs are single files, and Trees folders with all that is in them.
	Programs map[string]string `json:"programs"`
	Trees    map[string]string `json:"trees,omitempty"`
}

// String is the seal as an argument of init.
func (s Seal) String() string {
	text, _ := json.Marshal(s) // maps of strings always can
	return string(text)
}

// newRoot is where the sealed root is put together: a folder that every machine has, in a mount namespace of its own.
const newRoot = "/run"

// apply makes a root folder for this process and all that it starts, and executes the program anew in it, by its name there. It
// returns only if it fails.
func (s Seal) apply(o InitOptions) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := ownTmpfs(newRoot, "755"); err != nil {
		return err
	}
	for _, dir := range []string{"/run", "/usr", "/etc", "/dev", "/proc", "/sys", "/tmp", "/var", "/root", "/home", "/opt", "/srv", "/mnt", "/media", "/old"} {
		if err := os.Mkdir(newRoot+dir, 0o755); err != nil {
			return err
		}
	}
	for _, step := range []func() error{
		s.system, func() error { return CopyNameless(self, newRoot+SealedProgram) }, s.programs, sealedEtc, sealedDev, sealedVar, sealedKernel,
		enterNewRoot,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	argv := []string{SealedProgram, "init", "--lab=" + o.Lab, "--machine=" + o.Machine, "--logs=" + sealedLogs}
	return unix.Exec(SealedProgram, argv, []string{"PATH=" + Path})
}

// system brings this machine's programs and libraries, without what was installed by hand.
func (s Seal) system() error {
	if err := bind("/usr", newRoot+"/usr"); err != nil {
		return err
	}
	for _, dir := range []string{"/usr/local", "/usr/src"} {
		if _, err := os.Stat(newRoot + dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := ownTmpfs(newRoot+dir, "755"); err != nil {
			return err
		}
	}
	// Links to folders of /usr, or folders where a distribution has not merged them.
	for _, name := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"} {
		info, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			if err := errors.Join(os.Mkdir(newRoot+name, 0o755), bind(name, newRoot+name)); err != nil {
				return err
			}
			continue
		}
		target, err := os.Readlink(name)
		if err := errors.Join(err, os.Symlink(target, newRoot+name)); err != nil {
			return err
		}
	}
	return nil
}

// programs are not bound, since /proc/self/mountinfo says where a bound file is in its file system: an overlay of its folder, which
// is named by ".", tells nothing. They are not copied, since they are a hundred megabytes.
func (s Seal) programs() error {
	for to, from := range s.Programs {
		if err := os.MkdirAll(filepath.Dir(newRoot+to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(newRoot+to, nil, 0o755); err != nil {
			return err
		}
		stage := newRoot + "/media"
		if err := overlayOf(filepath.Dir(from), stage); err != nil {
			return err
		}
		err := bind(filepath.Join(stage, filepath.Base(from)), newRoot+to)
		if err := errors.Join(err, unix.Unmount(stage, unix.MNT_DETACH)); err != nil {
			return fmt.Errorf("%s: %w", to, err)
		}
	}
	for to, from := range s.Trees {
		if err := os.MkdirAll(newRoot+to, 0o755); err != nil {
			return err
		}
		if err := overlayOf(from, newRoot+to); err != nil {
			return err
		}
	}
	return nil
}

// overlayOf mounts what is in a folder at target, without its path. An overlay that cannot be written to needs a second folder.
func overlayOf(dir, target string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if err := unix.Mount("overlay", target, "overlay", unix.MS_RDONLY, "lowerdir=.:"+newRoot+"/mnt"); err != nil {
		return fmt.Errorf("overlay of %s: %w", dir, err)
	}
	return os.Chdir("/")
}

// sealedDev has the devices that programs need, and none that leads out, such as disks.
func sealedDev() error {
	dev := newRoot + "/dev"
	if err := ownTmpfs(dev, "755"); err != nil {
		return err
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty", "ptmx", "net/tun"} {
		if _, err := os.Stat("/dev/" + name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		target := filepath.Join(dev, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := errors.Join(os.WriteFile(target, nil, 0o666), bind("/dev/"+name, target)); err != nil {
			return err
		}
	}
	for _, name := range []string{"pts", "shm"} {
		if err := os.Mkdir(filepath.Join(dev, name), 0o755); err != nil {
			return err
		}
	}
	// Terminals are this machine's, whose are those of whoever looks in.
	if err := bind("/dev/pts", dev+"/pts"); err != nil {
		return err
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return ownTmpfs(dev+"/shm", "1777")
}

// sealedVar holds the logs of all machines; each has a /var of its own above it.
func sealedVar() error {
	return errors.Join(ownTmpfs(newRoot+"/var", "755"), os.MkdirAll(newRoot+sealedLogs, 0o755))
}

// sealedKernel mounts /proc, /sys and the control groups, of which only those below this process's are seen.
func sealedKernel() error {
	if err := unix.Mount("proc", newRoot+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("sealed /proc: %w", err)
	}
	if err := unix.Mount("sysfs", newRoot+"/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("sealed /sys: %w", err)
	}
	// Of the calling thread, which is the one that executes the program anew.
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("control groups: %w", err)
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	return mountGroups(strings.Fields(string(groups)))
}

// mountGroups mounts hierarchies as they stand in /proc/self/cgroup, ID:controllers:path; cgroups(7).
func mountGroups(hierarchies []string) error {
	const base = newRoot + "/sys/fs/cgroup"
	if len(hierarchies) == 1 && strings.HasPrefix(hierarchies[0], "0::") {
		return unix.Mount("cgroup2", base, "cgroup2", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	}
	if err := ownTmpfs(base, "755"); err != nil {
		return err
	}
	for _, h := range hierarchies {
		_, rest, _ := strings.Cut(h, ":")
		controllers, _, _ := strings.Cut(rest, ":")
		kind, name := "cgroup", strings.TrimPrefix(controllers, "name=")
		if controllers == "" {
			kind, name = "cgroup2", "unified"
		}
		dir := filepath.Join(base, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(kind, dir, kind, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, controllers); err != nil {
			return fmt.Errorf("control groups %s: %w", name, err)
		}
	}
	return nil
}

// enterNewRoot leaves the old root folder behind, and lets nothing be written in the new one but where machines have their own.
func enterNewRoot() error {
	if err := unix.PivotRoot(newRoot, newRoot+"/old"); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/old", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	if err := os.Remove("/old"); err != nil {
		return err
	}
	readOnly := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	for path, flags := range map[string]uint{"/usr": unix.AT_RECURSIVE, "/": 0} {
		if err := unix.MountSetattr(unix.AT_FDCWD, path, flags, readOnly); err != nil {
			return fmt.Errorf("make %s read-only: %w", path, err)
		}
	}
	return nil
}

// ownFolders gives a machine of a sealed lab what others share with this machine's file system.
func ownFolders() error {
	for dir, mode := range map[string]string{"/tmp": "1777", "/var": "755", "/root": "700", "/home": "755", "/opt": "755", "/srv": "755"} {
		if err := ownTmpfs(dir, mode); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/var/cache", "/var/lib", "/var/log", "/var/spool", "/var/tmp"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	return errors.Join(os.Symlink("/run", "/var/run"), os.Symlink("/run/lock", "/var/lock"))
}

func bind(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s: %w", from, err)
	}
	return nil
}

// ownTmpfs mounts an empty folder. What fills it takes memory: no more than this.
func ownTmpfs(dir, mode string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID, "mode="+mode+",size=128m"); err != nil {
		return fmt.Errorf("tmpfs for %s: %w", dir, err)
	}
	return nil
}
