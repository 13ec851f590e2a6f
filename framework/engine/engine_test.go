package engine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCandidates(t *testing.T) {
	for provider, want := range map[string][]string{
		"": {"docker", "nerdctl", "podman"}, "podman": {"podman"}, "finch": {"finch"},
	} {
		if got, err := candidates(provider); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", provider, got, err, want)
		}
	}
	if _, err := candidates("lxc"); err == nil || !strings.Contains(err.Error(), "docker, podman") {
		t.Errorf("error %v does not say what there is", err)
	}
}

// fakeEngine puts a program on the PATH, which has nothing else.
func fakeEngine(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// A client without its daemon is no engine, though kind would take it.
func TestClientWithoutDaemon(t *testing.T) {
	t.Setenv("PATH", "")
	t.Setenv(ProviderVariable, "")
	fakeEngine(t, "docker", "echo cannot connect to the daemon >&2; exit 1\n")
	_, err := Find(t.Context())
	if err == nil || !strings.Contains(err.Error(), "cannot connect") || !strings.Contains(err.Error(), "podman is not installed") {
		t.Fatalf("error %v does not say why no engine answers", err)
	}
	fakeEngine(t, "nerdctl", "echo 2\n")
	if e, err := Find(t.Context()); err != nil || e != (Engine{Name: "nerdctl"}) {
		t.Errorf("found %+v, %v; want nerdctl, which answers", e, err)
	}
}

// A client whose daemon does not answer must not hold up netfault for long, nor a client beside it; that it hangs is said.
// The sleep is a child of the client's: it must not be waited for, either.
func TestClientThatHangs(t *testing.T) {
	const limit = 200 * time.Millisecond
	t.Setenv(ProviderVariable, "")
	t.Setenv(confVariable, "/the/user's")
	hangs := "/bin/sleep 60; echo 2\n"
	begun := time.Now()
	t.Setenv("PATH", "")
	fakeEngine(t, "docker", hangs)
	fakeEngine(t, "podman", hangs)
	var told []string
	_, err := find(Telling(t.Context(), func(what string) { told = append(told, what) }), limit)
	if want := []string{"waiting for `docker info` to answer, for 200ms at most"}; !slices.Equal(told, want) {
		t.Errorf("while it waits it tells %q, want %q", told, want)
	}
	none, ok := errors.AsType[*NoEngineError](err)
	if !ok || !strings.Contains(none.Hangs, "docker hangs") || !strings.Contains(err.Error(), "podman hangs") || strings.Contains(none.Hangs, "nerdctl") {
		t.Errorf("error %v does not say which clients hang", err)
	}
	fakeEngine(t, "podman", "echo v2\n")
	if e, err := find(t.Context(), limit); err != nil || e.Name != "podman" || !strings.Contains(e.Hangs, "docker hangs") {
		t.Errorf("found %+v, %v; want podman, which answers, and docker named", e, err)
	}
	if took := time.Since(begun); took > 10*limit {
		t.Errorf("two times took %v", took)
	}
	fakeEngine(t, "docker", "echo 2\n")
	fakeEngine(t, "podman", hangs)
	begun = time.Now()
	told = nil
	e, err := find(Telling(t.Context(), func(what string) { told = append(told, what) }), time.Minute)
	took := time.Since(begun)
	if err != nil || e.Name != "docker" || took > 10*time.Second {
		t.Errorf("found %+v, %v after %v; want docker at once", e, err, took)
	}
	if took < tellAfter && len(told) > 0 {
		t.Errorf("after %v it tells %q already", took, told)
	}
}

func TestPodmanIsSetUpByItsOwnFile(t *testing.T) {
	t.Setenv("NETFAULT_CACHE", t.TempDir())
	t.Setenv("SUDO_UID", "") // nothing goes into root's own cache
	t.Setenv(ProviderVariable, "podman")
	t.Setenv(confVariable, "/the/user's")
	fakeEngine(t, "podman", "echo v1\n")
	if e, err := Find(t.Context()); err != nil || e != (Engine{Name: "podman", CgroupV1: true}) {
		t.Fatalf("found %+v, %v", e, err)
	}
	if got := os.Getenv(confVariable); got != "/the/user's" {
		t.Errorf("the user's %s became %q", confVariable, got)
	}
}

func TestConf(t *testing.T) {
	all := needs{netavark: true, runc: true, cgroupfs: true, limits: []string{"nofile=20000:20000", "nproc=32768:32768"}}
	want := `# Written by netfault for this machine. CONTAINERS_CONF names it; nothing else reads it.
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[network]
network_backend = "netavark"
network_config_dir = "/cache/networks"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
`
	if got := all.conf("/cache/networks"); got != want {
		t.Errorf("containers.conf:\n%s", got)
	}
	one := needs{runc: true}.conf("/x")
	if !strings.HasSuffix(one, "[engine]\nruntime = \"runc\"\n") || strings.Contains(one, "[network]") {
		t.Errorf("runc alone:\n%s", one)
	}
	if !(needs{}).none() || all.none() {
		t.Error("none is wrong")
	}
}
