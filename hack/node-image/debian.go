package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// suite is the Debian release of all root file systems: its systemd (252) still runs on control groups v1.
const suite = "bookworm"

var mirrors = []string{
	"deb http://deb.debian.org/debian " + suite + " main",
	"deb http://deb.debian.org/debian " + suite + "-updates main",
	"deb http://deb.debian.org/debian-security " + suite + "-security main",
}

// nodePackages are what kind's base image has (kind v0.33.0, images/base/Dockerfile) and a container runtime; then what
// commands and scenarios run in a node, dockerd among it.
var nodePackages = []string{
	"systemd", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "util-linux", "mount", "kmod", "libseccomp2",
	"pigz", "bash", "ca-certificates", "curl", "jq", "procps", "containerd", "runc",
	"docker.io", "ipset", "iputils-ping", "socat", "tcpdump",
}

// basePackages are what kube-proxy and flanneld run.
var basePackages = []string{"iptables", "nftables", "conntrack", "iproute2", "ipset", "kmod"}

// debian makes a root file system as a tar file, unless it is there: the component base is kept from build to build.
func (b builder) debian(ctx context.Context, what, output string, flags ...string) error {
	if _, err := os.Stat(output); err == nil {
		return nil
	}
	say("mmdebstrap %s: Debian %s for the %s", filepath.Base(output), suite, what)
	partial := output + ".partial"
	if err := removeIfThere(partial); err != nil {
		return err
	}
	args := []string{
		"--quiet", "--format=tar", "--skip=output/mknod",
		// A root that is merged from the beginning needs no usrmerge, which brings all of Perl.
		"--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--include=usr-is-merged",
		"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright",
	}
	args = append(append(append(args, flags...), suite, partial), mirrors...)
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		return errors.New("mmdebstrap is not installed: `netfault doctor --fix` installs it, or your distribution's package of that name")
	}
	args = append([]string{"mmdebstrap"}, args...)
	if os.Geteuid() != 0 {
		args = append([]string{"sudo"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin = os.Stdin // for sudo's question
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mmdebstrap, for the %s: %w\n%s", what, err, lastLines(out, 12))
	}
	return os.Rename(partial, output)
}

// baseFlags leave out what the images' programs never read, since every node unpacks them.
func baseFlags() []string {
	return []string{
		"--variant=essential", "--include=" + strings.Join(basePackages, ","),
		"--dpkgopt=path-exclude=/usr/lib/*/gconv/*", "--dpkgopt=path-exclude=/usr/share/info/*",
	}
}

func (b builder) nodeFlags() []string {
	return []string{
		"--variant=minbase", "--include=" + strings.Join(nodePackages, ","),
		"--customize-hook=tar-in " + b.overlayTar() + " /",
		`--customize-hook=chroot "$1" /bin/sh /kind/setup.sh`,
	}
}

// baseTar has its flags in its name, so that one made with others is not taken for it.
func (b builder) baseTar() string {
	flags := sha256.Sum256([]byte(strings.Join(baseFlags(), " ")))
	return filepath.Join(b.dir, fmt.Sprintf("component-base-%s-%x.tar", suite, flags[:4]))
}

func (b builder) nodeTar() string       { return filepath.Join(b.dir, "node-root.tar") }
func (b builder) overlayTar() string    { return filepath.Join(b.dir, "overlay.tar") }
func (b builder) componentsTar() string { return filepath.Join(b.dir, "components.tar") }
