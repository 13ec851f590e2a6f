package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/progress"
)

// check returns the check of that name among those for a kind of lab, on a machine without any program.
func check(t *testing.T, lab labs.Kind, name string) (Check, bool) {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
	t.Setenv("NETFAULT_CACHE", t.TempDir())
	t.Setenv("KIND_EXPERIMENTAL_PROVIDER", "")
	all := Run(t.Context(), lab)
	i := slices.IndexFunc(all, func(c Check) bool { return c.Name == name })
	if i < 0 {
		return Check{}, false
	}
	return all[i], true
}

func TestChecksOfEachKind(t *testing.T) {
	if _, ok := check(t, labs.Netns, "container engine"); ok {
		t.Error("an embedded lab asks for a container engine")
	}
	if _, ok := check(t, labs.KIND, "kernel"); ok {
		t.Error("a kind lab asks for what an embedded one needs of the kernel")
	}
	engine, ok := check(t, labs.KIND, "container engine")
	if !ok || engine.Missing == nil || engine.Optional != "" || !slices.Contains(engine.Packages, "podman") {
		t.Errorf("a kind lab without an engine: %+v", engine)
	}
	// `netfault doctor` by itself: embedded labs will do, so that nothing is lacking, and --fix brings Podman.
	engine, ok = check(t, "", "container engine")
	if !ok || engine.Missing == nil || engine.Optional == "" || !slices.Contains(engine.Packages, "podman") {
		t.Errorf("for both kinds, without an engine: %+v", engine)
	}
}

// An engine that does not answer an ordinary user may answer root, who makes the labs.
func TestEngineOfAnotherUser(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("an ordinary user only: what root is told is true of labs")
	}
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("NETFAULT_CACHE", t.TempDir())
	t.Setenv("KIND_EXPERIMENTAL_PROVIDER", "podman")
	if err := os.WriteFile(filepath.Join(bin, "podman"), []byte("#!/bin/sh\necho no subordinate IDs >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := noEngine(t.Context())
	if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "no subordinate IDs") {
		t.Errorf("%v; want unknown, and why", err)
	}
	var log bytes.Buffer
	check := Check{Name: "container engine", Missing: err, Packages: []string{"podman"}}
	if err := Fix(t.Context(), &log, []Check{check}); err != nil || strings.Contains(log.String(), "installing") {
		t.Errorf("%v: installed beside it: %s", err, log.String())
	}
}

// What is to be done as root is said where root cannot be had.
func TestFixWithoutSudo(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("an ordinary user only: root needs no sudo")
	}
	t.Setenv("PATH", t.TempDir())
	board, stop := progress.Start(io.Discard)
	defer stop()
	err := command(t.Context(), board, "apt-get", "update")
	if err == nil || !strings.Contains(err.Error(), "as root: apt-get update") {
		t.Errorf("%v; want what to run as root", err)
	}
}

// What is optional and cannot be had stops nothing; what is needed does.
func TestFixWithoutAptGet(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	checks := []Check{{Name: "x", Missing: context.Canceled, Packages: []string{"x"}, Optional: "it goes on"}}
	var log bytes.Buffer
	if err := Fix(t.Context(), &log, checks); err != nil || !strings.Contains(log.String(), "going on without it") {
		t.Errorf("optional: %v, %s", err, log.String())
	}
	checks[0].Optional = ""
	if err := Fix(t.Context(), &log, checks); err == nil {
		t.Error("what is needed is missing, and that is no error")
	}
}

// What a lab shares with the machine is looked at for the kind of lab that takes it, and is unknown where only root can look.
func TestLimitsOfTheMachine(t *testing.T) {
	for _, c := range []struct {
		name string
		lab  labs.Kind
		not  labs.Kind
	}{{"neighbour table", labs.Netns, labs.KIND}, {"inotify instances", labs.KIND, labs.Netns}} {
		if _, ok := check(t, c.lab, c.name); !ok {
			t.Errorf("a lab of the kind %s does not look at %s", c.lab, c.name)
		}
		if _, ok := check(t, c.not, c.name); ok {
			t.Errorf("a lab of the kind %s looks at %s", c.not, c.name)
		}
	}
	if err := known(fmt.Errorf("other namespaces: %w", os.ErrPermission)); !errors.Is(err, ErrUnknown) {
		t.Errorf("what only root can see: %v", err)
	}
	if err := known(context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("another error: %v", err)
	}
}

// Go builds while apt-get installs, but for what needs the C compiler, which waits for it. Here apt-get ends only once the other
// two are built.
func TestFixBuildsWhilePackagesAreInstalled(t *testing.T) {
	bin, dir := t.TempDir(), t.TempDir()
	t.Chdir(filepath.Join("..", ".."))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("NETFAULT_CACHE", dir)
	t.Setenv("SUDO_UID", "")
	t.Setenv("DIR", dir)
	const await = "n=0; while [ ! -e $DIR/%[1]s ]; do n=$((n+1)); [ $n -lt 300 ] || { echo %[1]s did not come >&2; exit 1; }; sleep 0.2; done\n"
	for name, script := range map[string]string{
		"sudo":    "exec \"$@\"\n",
		"apt-get": "if [ $1 = install ]; then " + fmt.Sprintf(await, "etcd-built") + fmt.Sprintf(await, "coredns-built") + "touch $DIR/installed; fi\n",
		"go": "case $PWD in\n" +
			"*/etcd) touch $DIR/etcd-built ;;\n" +
			"*/coredns) touch $DIR/coredns-built ;;\n" +
			"*/flannel-*) [ -e $DIR/installed ] || { echo no compiler yet >&2; exit 1; } ;;\n" +
			"esac\n" +
			"[ $1 != list ] || [ $2 != -m ] || echo $DIR\n" +
			"while [ $# -gt 0 ]; do [ $1 != -o ] || touch $2; shift; done\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// As in flannel's module, where the script lies.
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "dist"), 0o755), os.WriteFile(filepath.Join(dir, "dist", "mk-docker-opts.sh"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	missing := errors.New("not installed")
	checks := append(toolChecks(),
		Check{Name: "gcc", Missing: missing, Packages: []string{"gcc"}}, Check{Name: "headers", Missing: missing, Packages: []string{"gcc"}},
		Check{Name: "tcpdump", Missing: missing, Packages: []string{"tcpdump"}, Optional: "nobody looks"})
	var log bytes.Buffer
	if err := Fix(t.Context(), &log, checks); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	for _, c := range checks {
		if c.Tool != nil && !strings.Contains(log.String(), c.Name+": built in") {
			t.Errorf("%s was not built:\n%s", c.Name, log.String())
		}
	}
	// Each package is named once, and the lists are fetched once.
	for _, want := range []string{"apt-get update -q\n", "--no-install-recommends gcc\n", "--no-install-recommends tcpdump\n"} {
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("%q is there %d times, want once:\n%s", want, n, log.String())
		}
	}
}
