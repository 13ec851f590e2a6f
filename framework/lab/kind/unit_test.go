package kind

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/kind/nodeimage"
	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/tools"
)

func TestClusterConfig(t *testing.T) {
	plain, err := clusterConfig(Options{Nodes: 3, KubeProxy: lab.IPTables}, false, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(plain.Nodes) != 3 || !plain.Networking.DisableDefaultCNI || len(plain.KubeadmConfigPatches)+len(plain.ContainerdConfigPatches) != 0 {
		t.Errorf("what only some machines need is baked in: %+v", plain)
	}
	poor, err := clusterConfig(Options{Nodes: 5, KubeProxy: lab.NFTables}, true, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(poor.Nodes) != 5 || poor.Nodes[4].Role != "worker" {
		t.Errorf("5 nodes: %+v", poor.Nodes)
	}
	if plain.Networking.KubeProxyMode != "iptables" || poor.Networking.KubeProxyMode != "nftables" {
		t.Errorf("kube-proxy's modes: %q, %q", plain.Networking.KubeProxyMode, poor.Networking.KubeProxyMode)
	}
	if len(poor.KubeadmConfigPatches) != 1 || len(poor.ContainerdConfigPatches) != 1 {
		t.Errorf("control groups v1 and no CAP_SYS_RESOURCE: %+v", poor)
	}
	if two, err := clusterConfig(Options{Nodes: 2, KubeProxy: lab.IPTables}, false, true); err != nil || len(two.Nodes) != 2 || two.Nodes[0].Role != "control-plane" {
		t.Errorf("2 nodes: %+v, %v", two, err)
	}
}

const manifestText = `
kind: Namespace
apiVersion: v1
metadata:
  name: kube-flannel
  labels: {k8s-app: flannel}
---
kind: ConfigMap
apiVersion: v1
metadata: {name: kube-flannel-cfg, namespace: kube-flannel}
data:
  net-conf.json: |
    {"Network": "10.244.0.0/16", "EnableNFTables": false}
  cni-conf.json: |
    {"name": "cbr0", "cniVersion": "1.0.0", "plugins": []}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kube-flannel-ds, namespace: kube-flannel}
spec:
  template:
    spec:
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
            - matchExpressions: [{key: kubernetes.io/os, operator: In, values: [linux]}]
      containers:
      - name: kube-flannel
        readinessProbe: {initialDelaySeconds: 5, periodSeconds: 10}
`

// putManifest puts a manifest into netfault's cache, where it is found before Go's module cache is asked.
func putManifest(t *testing.T, version, text string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("NETFAULT_CACHE", dir)
	t.Setenv("SUDO_UID", "") // root's own cache is not this test's
	if err := os.Mkdir(filepath.Join(dir, "manifests"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifests", "kube-flannel-"+version+".yml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestManifest(t *testing.T) {
	for _, offline := range []bool{false, true} {
		putManifest(t, tools.DefaultFlannel, manifestText)
		m, err := readManifest(t.Context(), openly, tools.DefaultFlannel, offline, lab.IPTables, netip.Prefix{})
		if err != nil {
			t.Fatal(err)
		}
		pod := m.daemonSet.Spec.Template.Spec
		rules := pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions
		if len(rules) != 2 || rules[0].Key != "kubernetes.io/os" || rules[1].Key != "netfault.github.io/without-flannel" {
			t.Errorf("node affinity: %+v; want the manifest's own and the lab's", rules)
		}
		if p := pod.Containers[0].ReadinessProbe; p.InitialDelaySeconds != 0 || p.PeriodSeconds != 1 {
			t.Errorf("readiness: %+v", p)
		}
		want := `"cniVersion": "1.0.0"`
		if offline {
			want = `"cniVersion": "0.3.1"`
		}
		if got := m.others[1].(*corev1.ConfigMap).Data["cni-conf.json"]; !strings.Contains(got, want) {
			t.Errorf("offline %v: %s; want %s", offline, got, want)
		}
		if got := m.others[0].GetLabels(); got["netfault.github.io/flannel"] != tools.DefaultFlannel || got["netfault.github.io/offline"] != fmt.Sprint(offline) {
			t.Errorf("the namespace does not tell what is installed: %v", got)
		}
	}
}

func TestManifestWithNFTables(t *testing.T) {
	putManifest(t, tools.DefaultFlannel, manifestText)
	m, err := readManifest(t.Context(), openly, tools.DefaultFlannel, true, lab.NFTables, netip.Prefix{})
	if err != nil {
		t.Fatal(err)
	}
	config := m.others[1].(*corev1.ConfigMap).Data
	if got := config["net-conf.json"]; !strings.Contains(got, `"EnableNFTables": true`) || !strings.Contains(got, `"10.244.0.0/16"`) {
		t.Errorf("net-conf.json: %s", got)
	}
	if got := m.others[0].GetLabels()["netfault.github.io/flannel-rules"]; got != "nftables" {
		t.Errorf("the namespace does not tell which rules flannel writes: %q", got)
	}
	if got := (&flannel{manifest: m}).String(); got != "flannel "+tools.DefaultFlannel+" with nftables rules" {
		t.Errorf("people are told %q", got)
	}
	// A manifest of a flannel that knows no such rules.
	putManifest(t, "v0.24.0", strings.Replace(manifestText, `, "EnableNFTables": false`, "", 1))
	if _, err := readManifest(t.Context(), openly, "v0.24.0", false, lab.NFTables, netip.Prefix{}); err == nil || !strings.Contains(err.Error(), "EnableNFTables") {
		t.Errorf("a flannel without nftables: %v", err)
	}
}

func TestKubeProxyMode(t *testing.T) {
	for text, want := range map[string]lab.Rules{
		"mode: nftables\n": lab.NFTables, "mode: \"\"\n": lab.IPTables, "clusterCIDR: 10.244.0.0/16\n": lab.IPTables, "mode: ipvs\n": "ipvs",
	} {
		if got, err := kubeProxyMode(text); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestManifestThatCannotBeUsed(t *testing.T) {
	if _, err := readManifest(t.Context(), openly, "v0.25.7", true, lab.IPTables, netip.Prefix{}); err == nil || !strings.Contains(err.Error(), tools.DefaultFlannel) {
		t.Errorf("another flannel with the offline image: %v", err)
	}
	for name, text := range map[string]string{
		"no DaemonSet": strings.Split(manifestText, "---\napiVersion: apps/v1")[0],
		"no namespace": strings.Replace(manifestText, "kind: Namespace", "kind: ServiceAccount", 1),
		"no affinity":  strings.Replace(manifestText, "nodeAffinity", "podAffinity", 1),
	} {
		putManifest(t, "v0.25.7", text)
		if _, err := readManifest(t.Context(), openly, "v0.25.7", false, lab.IPTables, netip.Prefix{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestLeaseOf(t *testing.T) {
	node := corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "w1", Annotations: map[string]string{
			annotationType: "vxlan", annotationPublicIP: "10.89.0.2", annotationData: `{"VNI":1,"VtepMAC":"0e:11:22:33:44:55"}`,
		}},
		Spec: corev1.NodeSpec{PodCIDR: "fd00::/64", PodCIDRs: []string{"fd00::/64", "10.244.1.0/24"}},
	}
	want := evidence.Lease{
		Node: "w1", PodCIDR: "10.244.1.0/24", PublicIP: "10.89.0.2", BackendType: "vxlan", VNI: 1, VtepMAC: "0e:11:22:33:44:55",
		Source: evidence.FromAnnotation,
	}
	if got, err := leaseOf(node); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	node.Annotations[annotationData] = "{"
	if _, err := leaseOf(node); err == nil || !strings.Contains(err.Error(), "w1") {
		t.Errorf("an annotation that cannot be read: %v", err)
	}
	delete(node.Annotations, annotationData)
	if got, err := leaseOf(node); err != nil || got.VtepMAC != "" || got.PublicIP == "" {
		t.Errorf("without backend-data: %+v, %v", got, err)
	}
}

func TestFailure(t *testing.T) {
	p := &Place{name: "w1"}
	var failed *machine.ExitError
	if err := p.failure(3, []string{"ip", "link"}, "no such link\n"); !errors.As(err, &failed) || failed.Code != 3 || failed.Stderr != "no such link" {
		t.Errorf("exit status 3 is told as %v", err)
	}
	for _, code := range []int{125, 126, 127} {
		err := p.failure(code, []string{"ip"}, "not found")
		if err == nil || errors.As(err, &failed) || !strings.Contains(err.Error(), "not found") {
			t.Errorf("exit status %d of the engine is told as %v", code, err)
		}
	}
	if err := p.failure(0, []string{"ip"}, ""); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{}, {Name: "Upper"}, {Name: "a", Nodes: 1}, {Name: "a", Nodes: MaxNodes + 1}} {
		if _, err := Up(t.Context(), o); err == nil {
			t.Errorf("%+v makes a lab", o)
		}
	}
}

func TestUseOf(t *testing.T) {
	name := fmt.Sprintf("unit-%d", os.Getpid())
	if use, err := UseOf(name); err != nil || use != owner.Abandoned {
		t.Errorf("a lab without a folder: %v, %v", use, err)
	}
	if err := os.MkdirAll(StateDir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := owner.RemoveFolder(StateDir(name)); err != nil {
			t.Error(err)
		}
	})
	self, err := owner.This()
	if err != nil {
		t.Fatal(err)
	}
	for want, process := range map[owner.Use]owner.Process{
		owner.Standing: {}, owner.Owned: self, owner.Abandoned: {PID: self.PID, Start: self.Start + 1},
	} {
		if err := (record{Name: name, Owner: process}).write(); err != nil {
			t.Fatal(err)
		}
		if use, err := UseOf(name); err != nil || use != want {
			t.Errorf("owner %+v: %v, %v; want %v", process, use, err, want)
		}
		if err := owner.Keep(StateDir(name)); err != nil {
			t.Fatal(err)
		}
		if use, err := UseOf(name); err != nil || use != owner.Standing {
			t.Errorf("owner %+v, kept: %v, %v; want that it stands", process, use, err)
		}
		if r, err := readRecord(name); err != nil || r.Name != name {
			t.Errorf("keeping lost what else the record says: %+v, %v", r, err)
		}
	}
}

// fakeEngine puts an engine on the PATH that says what the script says.
func fakeEngine(t *testing.T, script string) {
	t.Helper()
	fakeProgram(t, "docker", script)
	t.Setenv(engine.ProviderVariable, "docker")
}

func fakeProgram(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// A cluster that has a lab's name, but neither a folder nor netfault's label, is somebody else's.
func TestRemoveLeavesStrangersAlone(t *testing.T) {
	calls := filepath.Join(t.TempDir(), "calls")
	fakeEngine(t, `echo "$*" >>`+calls+`
case "$*" in
info*) echo 2 ;;
*label=`+labLabel+`*) ;;
*kind.cluster*) echo netfault-theirs ;;
esac
`)
	err := Remove(t.Context(), "theirs")
	if err == nil || !strings.Contains(err.Error(), "not made by netfault") {
		t.Errorf("a stranger's cluster: %v", err)
	}
	if names, _, err := List(t.Context()); err != nil || slices.Contains(names, "theirs") {
		t.Errorf("a stranger's cluster is listed: %v, %v", names, err)
	}
	if said, err := os.ReadFile(calls); err != nil || strings.Contains(string(said), "rm ") {
		t.Errorf("calls of the engine: %s, %v", said, err)
	}
}

func TestFindImage(t *testing.T) {
	progress := func(string) {}
	e := engine.Engine{Name: "docker"}
	t.Setenv("NETFAULT_CACHE", t.TempDir())
	t.Setenv("SUDO_UID", "")
	fakeEngine(t, `case "$*" in *`+nodeimage.Repository+`*) echo stamp ;; *) exit 1 ;; esac`)
	if image, err := FindImage(t.Context(), e, progress); err != nil || image != nodeimage.Reference {
		t.Errorf("the offline image is loaded: %q, %v", image, err)
	}
	fakeEngine(t, `case "$*" in *kindest*) echo id ;; *) exit 1 ;; esac`)
	if image, err := FindImage(t.Context(), e, progress); err != nil || !strings.HasPrefix(image, "kindest/node:") {
		t.Errorf("kind's own image is there: %q, %v", image, err)
	}
	t.Setenv(ImageVariable, "kindest/node:v1.2.3")
	fakeEngine(t, `case "$*" in *localhost*) echo stamp ;; "pull --quiet kindest/node:v1.2.3") ;; *) exit 1 ;; esac`)
	if image, err := FindImage(t.Context(), e, progress); err != nil || image != "kindest/node:v1.2.3" {
		t.Errorf("%s names another one, which can be pulled: %q, %v", ImageVariable, image, err)
	}
	t.Setenv(ImageVariable, "")
	fakeEngine(t, "exit 1\n")
	if _, err := FindImage(context.Background(), e, progress); err == nil || !strings.Contains(err.Error(), "make node-image") {
		t.Errorf("there is none: %v", err)
	}
}

func TestLoggerPassesStepsOn(t *testing.T) {
	var steps []string
	l := &logger{progress: func(s string) { steps = append(steps, s) }}
	l.V(0).Infof(" • %s  ...\n", "Preparing nodes 📦 📦")
	l.V(0).Info(" ✓ Preparing nodes")
	l.V(1).Info(" • detail")
	if len(steps) != 1 || steps[0] != "kind: Preparing nodes" {
		t.Errorf("%q", steps)
	}
	l.Warnf("cgroup %s", "v1")
	if !strings.Contains(l.end(), "cgroup v1") {
		t.Errorf("warnings are lost: %q", l.end())
	}
}

// A program of the engine that goes on after its netfault was killed is waited for.
func TestStraggler(t *testing.T) {
	name := fmt.Sprintf("straggler-%d", os.Getpid())
	if err := noStraggler(name); err != nil {
		t.Fatalf("nothing makes containers yet: %v", err)
	}
	// The shell's $0 and $1 are what the engine is given.
	run := exec.Command("sh", "-c", "read line", "run", clusterLabel+"="+openly.cluster(name))
	stdin, err := run.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	if err := noStraggler(name); err == nil {
		t.Error("a program that makes containers is not seen")
	}
	if err := errors.Join(stdin.Close(), ignoreExit(run.Wait())); err != nil {
		t.Fatal(err)
	}
	if err := waitForStragglers(t.Context(), name); err != nil {
		t.Error(err)
	}
}

func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// A program that needs a C library cannot run in the lab's pods, which have none.
func TestCheckStatic(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	static := filepath.Join(dir, "static")
	build := exec.Command("go", "build", "-o", static, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	if err := checkStatic(static); err != nil {
		t.Error(err)
	}
	if err := checkStatic("/bin/sh"); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("/bin/sh, which needs a C library: %v", err)
	}
}

func TestStoppedContainers(t *testing.T) {
	expected := append(nodeNames("netfault-x", 3), "netfault-x-host")
	for list, want := range map[string]map[string]string{
		"netfault-x-control-plane Up 2 minutes\nnetfault-x-worker Up 2 minutes\nnetfault-x-worker2 Up\nnetfault-x-host Up 2 minutes ago\n": nil,
		"netfault-x-control-plane Exited (137) 3 seconds ago\nnetfault-x-worker Up 5 seconds (Paused)\nnetfault-x-host Up\n": {
			"netfault-x-control-plane": "the container netfault-x-control-plane does not run (Exited (137) 3 seconds ago)",
			"netfault-x-worker":        "the container netfault-x-worker does not run (Up 5 seconds (Paused))",
			"netfault-x-worker2":       "the container netfault-x-worker2 is gone",
		},
	} {
		if got := stoppedContainers(expected, list); !maps.Equal(got, want) {
			t.Errorf("%q: %q, want %q", list, got, want)
		}
	}
}

// A node without dockerd says so, whichever shell its image has: kind's own have dash.
func TestNoDocker(t *testing.T) {
	for _, shell := range []string{"dash", "bash"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		cmd := exec.Command(path, "-c", dockerVersion)
		cmd.Env = []string{"PATH=" + t.TempDir()}
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("%s: %v, want exit code 1", shell, err)
		}
	}
}
