package framework_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/netfault/netfault/"

// Imports run one way: cmd → scenarios → framework → detectors.
func TestImportsRunOneWay(t *testing.T) {
	layers := []string{"detectors", "framework", "scenarios", "cmd"}
	for i, layer := range layers {
		for _, line := range imports(t, "Deps", layer) {
			pkg, imported, _ := strings.Cut(line, " ")
			for _, higher := range layers[i+1:] {
				if strings.HasPrefix(imported, module+higher) {
					t.Errorf("%s imports %s", pkg, imported)
				}
			}
		}
	}
}

// folders are those of framework, from the ground up. A lab knows nothing of the probes that are sent through it: those are
// written against lab alone, and labs, which makes labs of either kind, hands them in.
var folders = []string{
	"machine", "session", "wait", "procstat", "internal", "progress", "guard", "kubeproxy", "dockerd", "flanneld", "tools", "engine",
	"capture", "collect", "kstate", "tcpskew", "twrecycle", "drops", "agent",
	"lab", "lock", "probe", "labs", "doctor", "snapshot", "undo", "fault", "gate", "training", "report",
}

// Within framework, a package imports its own folder and those before it.
func TestFrameworkImportsRunOneWay(t *testing.T) {
	level := func(pkg string) (int, bool) {
		rest, ok := strings.CutPrefix(pkg, module+"framework/")
		folder, _, _ := strings.Cut(rest, "/")
		return slices.Index(folders, folder), ok
	}
	for _, line := range imports(t, "Imports", "framework") {
		pkg, imported, _ := strings.Cut(line, " ")
		from, _ := level(pkg)
		to, ok := level(imported)
		switch {
		case from < 0:
			t.Errorf("%s is in none of the folders: say where it stands among them", pkg)
		case ok && to > from:
			t.Errorf("%s imports %s, which stands above it", pkg, imported)
		}
	}
}

// Other programs import the detectors, and must not get a test framework or a Kubernetes client with them.
func TestDetectorsStandAlone(t *testing.T) {
	for _, line := range imports(t, "Deps", "detectors") {
		pkg, imported, _ := strings.Cut(line, " ")
		for _, bad := range []string{"github.com/onsi/", "sigs.k8s.io/", "k8s.io/", "github.com/vishvananda/"} {
			if strings.HasPrefix(imported, bad) {
				t.Errorf("%s imports %s", pkg, imported)
			}
		}
	}
}

// imports returns "package import" for what the packages of a layer import, tests aside: with "Imports" by themselves, with
// "Deps" through others, too.
func imports(t *testing.T, which, layer string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{$p := .ImportPath}}{{range .`+which+`}}{{$p}} {{.}}{{"\n"}}{{end}}`, "../"+layer+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := strings.Fields(strings.ReplaceAll(strings.TrimSpace(string(out)), " ", "\x00"))
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "\x00", " ")
	}
	if len(lines) == 0 {
		t.Fatalf("no imports found below %s: the test looks at nothing", layer)
	}
	return lines
}
