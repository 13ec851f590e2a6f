package kind

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/engine"
)

// Volumes are told apart by the node's name in their label: a lab's name may itself end like a node's.
func TestVolumesThatContainersLeave(t *testing.T) {
	calls := filepath.Join(t.TempDir(), "calls")
	fakeProgram(t, "podman", `echo "$*" >>`+calls+`
case "$*" in
"volume ls "*) cat <<END
[{"Name":"a1","Labels":{"netfault-a-worker2":"true"}}, {"Name":"a2","Labels":{"netfault-a-control-plane":"true"}},
 {"Name":"b1","Labels":{"netfault-a-worker-worker":"true"}}, {"Name":"c1","Labels":{"theirs-worker":"true"}},
 {"Name":"d1","Labels":{"netfault-data":"true"}}, {"Name":"e1","Labels":{}}]
END
;;
esac
`)
	podman := engine.Engine{Name: "podman"}
	loose, err := looseVolumes(t.Context(), podman)
	if err != nil {
		t.Fatal(err)
	}
	if names := slices.Sorted(maps.Keys(loose)); !slices.Equal(names, []string{"a", "a-worker"}) || !slices.Equal(loose["a"], []string{"a1", "a2"}) {
		t.Errorf("volumes by lab: %v", loose)
	}
	for _, name := range []string{"a", "none"} {
		if err := removeVolumes(t.Context(), podman, name); err != nil {
			t.Errorf("lab %s: %v", name, err)
		}
	}
	text, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); strings.Count(got, "volume rm") != 1 || !strings.Contains(got, "volume rm a1 a2\n") || !strings.Contains(got, "dangling=true") {
		t.Errorf("podman was asked:\n%s", got)
	}
	// The other engines' go with the container.
	if loose, err := looseVolumes(t.Context(), engine.Engine{Name: "docker"}); err != nil || loose != nil {
		t.Errorf("docker: %v, %v", loose, err)
	}
}

func TestVolumesOfAPodmanThatFails(t *testing.T) {
	for script, want := range map[string]string{
		"echo no space left >&2; exit 125": "no space left",
		"echo '{'":                         "podman volume ls",
	} {
		fakeProgram(t, "podman", script)
		if _, err := looseVolumes(t.Context(), engine.Engine{Name: "podman"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", script, err, want)
		}
	}
	fakeProgram(t, "podman", "exit 0")
	if loose, err := looseVolumes(t.Context(), engine.Engine{Name: "podman"}); err != nil || len(loose) != 0 {
		t.Errorf("no volume: %v, %v", loose, err)
	}
}
