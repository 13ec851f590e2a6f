package framework_test

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/netfault/netfault/"

// Imports run one way: cmd → scenarios → framework → detectors.
func TestImportsRunOneWay(t *testing.T) {
	layers := []string{"detectors", "framework", "scenarios", "cmd"}
	for i, layer := range layers {
		for _, line := range imports(t, layer) {
			pkg, imported, _ := strings.Cut(line, " ")
			for _, higher := range layers[i+1:] {
				if strings.HasPrefix(imported, module+higher) {
					t.Errorf("%s imports %s", pkg, imported)
				}
			}
		}
	}
}

// Other programs import the detectors, and must not get a test framework or a Kubernetes client with them.
func TestDetectorsStandAlone(t *testing.T) {
	for _, line := range imports(t, "detectors") {
		pkg, imported, _ := strings.Cut(line, " ")
		for _, bad := range []string{"github.com/onsi/", "sigs.k8s.io/", "k8s.io/", "github.com/vishvananda/"} {
			if strings.HasPrefix(imported, bad) {
				t.Errorf("%s imports %s", pkg, imported)
			}
		}
	}
}

// imports returns "package import" for everything that the packages of a layer need, tests aside.
func imports(t *testing.T, layer string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{$p := .ImportPath}}{{range .Deps}}{{$p}} {{.}}{{"\n"}}{{end}}`, "../"+layer+"/...").Output()
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
