package snapshot

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/machine"
)

// kubectl is a machine on which kubectl prints its own arguments, but for those that it cannot get.
type kubectl struct {
	fails string
	mu    sync.Mutex
	ran   []string
}

func (k *kubectl) Name() string { return "api" }

func (k *kubectl) Run(_ context.Context, c machine.Command) error {
	line := strings.Join(c.Argv, " ")
	k.mu.Lock()
	k.ran = append(k.ran, line)
	k.mu.Unlock()
	_, err := io.WriteString(c.Stdout, line)
	if k.fails != "" && strings.Contains(line, k.fails) {
		return errors.New("no " + k.fails)
	}
	return err
}

func TestKubernetes(t *testing.T) {
	dir := t.TempDir()
	api := &kubectl{fails: "daemonsets"}
	err := kubernetes(t.Context(), api, dir)
	if err == nil || err.Error() != "no daemonsets" {
		t.Errorf("error is %v", err)
	}
	for file, want := range map[string]string{
		evidence.NodesFile:          "kubectl get nodes -o json",
		evidence.ServicesFile:       "kubectl get services -A -o json",
		evidence.EndpointSlicesFile: "kubectl get endpointslices -A -o json",
		evidence.PodsFile:           "kubectl get pods -A -o json",
		evidence.KubeProxyFile:      "kubectl -n kube-system get configmap kube-proxy -o json",
	} {
		if b, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", file, b, err)
		}
	}
	// What failed is missing, and not cut short.
	if left, err := os.ReadDir(filepath.Join(dir, "cluster")); err != nil || len(left) != 6 {
		t.Errorf("files are %v, %v", left, err)
	}
	why, err := os.ReadFile(filepath.Join(dir, "cluster", evidence.ErrorsFile))
	if err != nil || string(why) != "daemonsets.json: no daemonsets\n" {
		t.Errorf("%q, %v", why, err)
	}
	if slices.ContainsFunc(api.ran, func(line string) bool { return strings.Contains(line, "secret") }) {
		t.Errorf("ran %q", api.ran)
	}
}

// The commands for people are those that netfault runs.
func TestDocumentHasCommands(t *testing.T) {
	doc, err := os.ReadFile("../../docs/EVIDENCE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		line := "\nkubectl " + strings.Join(o.argv, " ") + " -o json >bundle/" + o.file + "\n"
		if !strings.Contains(string(doc), line) {
			t.Errorf("docs/EVIDENCE.md lacks %q", line)
		}
	}
}
