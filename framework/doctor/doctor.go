// Package doctor says what this machine lacks to run a lab, and can install it.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/tools"
)

// Check is one thing that a lab needs.
type Check struct {
	// Name is the thing; Why is what it is needed for.
	Name, Why string
	// Missing says what is wrong; nil if all is well.
	Missing error
	// Packages are the Debian packages that bring it; none if none does.
	Packages []string
	// Tool is set for a program that is built from a pinned source.
	Tool *tools.Tool
	// Optional says what is done without it; empty for what a lab cannot do without.
	Optional string
}

// Run makes the checks for labs of one kind, or with lab empty those for both: what only kind labs need is optional then.
// Those of the kernel need root and are told to be unknown without it.
func Run(ctx context.Context, lab labs.Kind) []Check {
	checks := []Check{
		{Name: "Linux", Why: "labs are made of Linux namespaces", Missing: linux()},
		{Name: "go", Why: "what runs in labs is built from source", Missing: onPath("go")},
	}
	if lab != labs.KIND {
		checks = append(checks, embeddedChecks(ctx)...)
	}
	if lab != labs.Netns {
		checks = append(checks, kindChecks(ctx, lab == "")...)
	}
	for _, t := range tools.HandTools {
		checks = append(checks, Check{
			Name: t.Name, Why: "who is logged in to a machine of an exercise looks with it", Packages: []string{t.Package}, Missing: onPath(t.Name),
			Optional: "learners have to look with other tools",
		})
	}
	return checks
}

func embeddedChecks(ctx context.Context) []Check {
	var checks []Check
	for _, p := range netns.Programs {
		checks = append(checks, Check{Name: p.Name, Why: p.Why, Packages: []string{p.Package}, Missing: onPath(p.Name)})
	}
	for _, p := range []struct{ program, why string }{
		{"gcc", "flanneld has C code, in its UDP backend"},
		{"git", "go fetches and stamps versions with it"},
	} {
		checks = append(checks, Check{Name: p.program, Why: p.why, Packages: []string{p.program}, Missing: onPath(p.program)})
	}
	checks = append(checks,
		Check{Name: "C library headers", Why: "flanneld is linked with them", Packages: []string{"libc6-dev"}, Missing: readable(libcHeader)},
		Check{Name: "kernel", Why: "the lab needs network namespaces, veth, bridges, VXLAN and bridge netfilter", Missing: kernel()},
		Check{Name: "open files", Why: "what runs in a lab has the limit of who makes the lab", Missing: netns.Files()},
		Check{Name: "cgroup limits", Why: "a lab's processes are in the cgroup of who makes the lab", Missing: netns.Limits(os.DirFS("/"), usualNodes)},
		Check{Name: "neighbour table", Why: "all network namespaces of a machine share the kernel's, a lab's among them", Missing: neighbourTable(ctx)},
	)
	return append(append(checks, toolChecks()...), dockerCheck())
}

// libcHeader is one of the C library's.
const libcHeader = "/usr/include/stdio.h"

// kindChecks are those of kind labs. Where there is no container engine, Podman will do: it needs no daemon. What builds a
// node image is needed only where none can be pulled.
func kindChecks(ctx context.Context, optional bool) []Check {
	checks := []Check{
		{Name: "container engine", Why: "kind clusters run in Docker, Podman or nerdctl", Packages: engine.PodmanPackages(), Missing: noEngine(ctx)},
		{Name: engine.ModulesDir, Why: "kind shows it to its nodes", Missing: readable(engine.ModulesDir)},
		{Name: "inotify instances", Why: "what runs in a kind cluster's nodes watches files, all of it as one user", Missing: inotify()},
	}
	if optional {
		for i := range checks {
			checks[i].Optional = "there are embedded labs and no kind clusters"
		}
	}
	const pulled = "node images have to come from a registry"
	return append(checks,
		Check{Name: "mmdebstrap", Why: "`make node-image` makes file systems with it", Packages: []string{"mmdebstrap"}, Missing: onPath("mmdebstrap"), Optional: pulled},
		Check{Name: "C compiler", Why: "`make node-image` builds flanneld, which has C code", Packages: []string{"gcc", "libc6-dev"},
			Missing: errors.Join(onPath("gcc"), readable(libcHeader)), Optional: pulled},
	)
}

// noEngine says why no container engine answers. Labs ask it as root: one that is there and does not answer this user may
// answer them, and none is to be installed beside it.
func noEngine(ctx context.Context) error {
	_, err := engine.Find(ctx)
	if err == nil || os.Geteuid() == 0 {
		return err
	}
	if onPath("podman") == nil || onPath("nerdctl") == nil || readable(dockerSocket) == nil {
		return fmt.Errorf("%w (to this user: %w)", ErrUnknown, err)
	}
	return err
}

// dockerSocket is where Docker's daemon answers (dockerd(8), --host).
const dockerSocket = "/var/run/docker.sock"

// dockerd is fetched, and not installed.
const dockerd = "dockerd"

func dockerCheck() Check {
	_, err := tools.FindDocker()
	return Check{
		Name: dockerd, Why: "labs with pods on docker0 run it", Missing: err,
		Optional: "rules recorded from a real dockerd are written in its place",
	}
}

func toolChecks() []Check {
	flanneld, err := tools.Flanneld(tools.BuiltFlannel(tools.FlannelVersion()))
	if err != nil {
		return []Check{{Name: "flanneld", Why: "FLANNEL_VERSION", Missing: err}}
	}
	var checks []Check
	for _, t := range []tools.Tool{tools.Etcd(), tools.CoreDNS(), flanneld} {
		_, err := t.Find()
		checks = append(checks, Check{Name: t.Name + " " + t.Version, Why: "the lab runs it", Missing: err, Tool: &t})
	}
	return checks
}

func linux() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("this is %s", runtime.GOOS)
	}
	return nil
}

// onPath looks in the sbin folders too, which are not on everybody's PATH, and where Go's own installer puts it, which is
// not on sudo's.
func onPath(program string) error {
	for _, dir := range append(strings.Split(os.Getenv("PATH"), ":"), "/usr/sbin", "/sbin", "/usr/local/go/bin") {
		if info, err := os.Stat(dir + "/" + program); err == nil && info.Mode().IsRegular() {
			return nil
		}
	}
	return errors.New("not installed")
}

func readable(path string) error {
	_, err := os.Stat(path)
	return err
}
