package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// dockerPackages are Debian's (and Ubuntu's) packages with dockerd and the programs that it starts.
var dockerPackages = []string{"docker.io", "containerd", "runc"}

// dockerLibrary is a library that dockerd needs and that a machine may lack.
const dockerLibrary = "libdevmapper1.02.1"

// Docker is Debian's dockerd, unpacked into the cache: it is never installed, so that no service starts on this machine.
type Docker struct {
	dir, version string
	// seenAt is the folder as it is seen where dockerd runs; dir if empty.
	seenAt string
}

// FindDocker returns the unpacked dockerd. An error wraps fs.ErrNotExist when it has not been fetched.
func FindDocker() (Docker, error) {
	// The version is written last, so that it is there for a whole dockerd only.
	path, err := InCache(filepath.Join("docker", "version"))
	if errors.Is(err, fs.ErrNotExist) {
		return Docker{}, fmt.Errorf("dockerd is not unpacked: %w; run `make tools`", err)
	} else if err != nil {
		return Docker{}, err
	}
	version, err := os.ReadFile(path)
	return Docker{dir: filepath.Dir(path), version: strings.TrimSpace(string(version))}, err
}

// Version is "dockerd" with its version, such as "dockerd 20.10.24+dfsg1".
func (d Docker) Version() string { return "dockerd " + d.version }

// Dir is the folder with all of it.
func (d Docker) Dir() string { return d.dir }

// At is the same dockerd where its folder is seen at another path.
func (d Docker) At(dir string) Docker {
	d.seenAt = dir
	return d
}

// seen is a path below Dir as it is seen where dockerd runs.
func (d Docker) seen(path string) string {
	return cmp.Or(d.seenAt, d.dir) + strings.TrimPrefix(path, d.dir)
}

// Daemon is the path of dockerd.
func (d Docker) Daemon() string { return d.seen(filepath.Join(d.dir, "usr/sbin/dockerd")) }

// Env lets dockerd find containerd, runc and its libraries.
func (d Docker) Env() []string {
	env := []string{"PATH=" + d.seen(d.dir) + "/usr/sbin:" + d.seen(d.dir) + "/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, pattern := range []string{"lib/*-linux-gnu*", "usr/lib/*-linux-gnu*"} {
		// The pattern is well-formed, which is all that Glob's error is about.
		if found, _ := filepath.Glob(filepath.Join(d.dir, pattern)); len(found) > 0 {
			env = append(env, "LD_LIBRARY_PATH="+d.seen(found[0]))
		}
	}
	return env
}

// FetchDocker downloads the packages and unpacks them into the cache, unless that was done before.
func FetchDocker(ctx context.Context, log io.Writer) error {
	if d, err := FindDocker(); err == nil {
		fmt.Fprintf(log, "%s: unpacked before\n", d.Version())
		return nil
	}
	cache, err := OwnCache()
	if err != nil {
		return err
	}
	dir := filepath.Join(cache, "docker")
	fmt.Fprintf(log, "dockerd: unpacking %s into %s (nothing is installed)\n", strings.Join(dockerPackages, ", "), dir)
	// What was cut off is made anew.
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return err
	}
	if err := fetchInto(ctx, dir); err != nil {
		return errors.Join(err, os.RemoveAll(dir)) // a full disk needs the room
	}
	return nil
}

func fetchInto(ctx context.Context, dir string) error {
	if err := unpack(ctx, dir, dockerPackages...); err != nil {
		return err
	}
	d := Docker{dir: dir}
	out, err := d.run(ctx, "--version")
	if err != nil {
		if err := unpack(ctx, dir, dockerLibrary); err != nil {
			return err
		}
		if out, err = d.run(ctx, "--version"); err != nil {
			return fmt.Errorf("dockerd was unpacked and does not run: %w", err)
		}
	}
	// "Docker version 20.10.24+dfsg1, build 5d6db84"
	version, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(out)), "Docker version "), ",")
	return writeWhole(filepath.Join(dir, "version"), version+"\n", 0o644)
}

func (d Docker) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, d.Daemon(), args...)
	cmd.Env = append(os.Environ(), d.Env()...)
	return cmd.Output()
}

// unpack downloads Debian packages and unpacks them below dir.
func unpack(ctx context.Context, dir string, packages ...string) error {
	if err := run(ctx, dir, nil, append([]string{"apt-get", "download", "-q"}, packages...)...); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := run(ctx, dir, nil, "dpkg-deb", "--extract", f, "."); err != nil {
			return err
		}
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	return nil
}
