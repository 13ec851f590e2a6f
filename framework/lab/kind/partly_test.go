package kind

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/collect"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/snapshot"
)

// kubeconfig is of an API that nobody answers for.
const kubeconfig = `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c}}]
current-context: c
`

// A lab of which nothing but the containers' names can be had has all its machines all the same, and each says why it is silent.
func TestOpenPartlyByRecord(t *testing.T) {
	name := fmt.Sprintf("partly-%d", os.Getpid())
	cluster := openly.cluster(name)
	control, worker := cluster+"-control-plane", cluster+"-worker"
	fakeEngine(t, `case "$*" in
info*) echo 2 ;;
"ps --all"*"{{.Names}} {{.Status}}") echo "`+control+` Exited (137) 3 seconds ago"; echo "`+cluster+`-host Up 1 minute" ;;
ps*label=`+clusterLabel+`=`+cluster+`*) echo `+control+`; echo `+cluster+`-host ;;
ps*) echo `+cluster+` ;;
*) echo no such container >&2; exit 1 ;;
esac
`)
	if err := os.MkdirAll(StateDir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := owner.RemoveFolder(StateDir(name)); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(kubeconfigPath(name), []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	recorded := func(node string, index int) recordedNode {
		address := func(last int) netip.Addr { return netip.AddrFrom4([4]byte{10, 244, byte(index), byte(last)}) }
		return recordedNode{
			Name: node, Address: netip.AddrFrom4([4]byte{10, 89, 0, byte(index + 1)}), PodCIDR: netip.PrefixFrom(address(0), 24),
			Pod:    recordedPod{"pod-" + node, address(2), lab.Service{ClusterIP: address(9), Port: 80}},
			Client: recordedPod{"client-" + node, address(3), lab.Service{ClusterIP: address(10), Port: 80}},
		}
	}
	r := record{Name: name, Nodes: 2, Made: true, Layout: &layout{
		Flannel: "v0.28.10", Docker: lab.DockerRecorded, Outside: netip.MustParseAddr("10.89.0.9"),
		Nodes: []recordedNode{recorded(control, 0), recorded(worker, 1)},
		DNS:   recordedDNS{netip.MustParseAddr("10.96.0.10"), control},
	}}
	if err := r.write(); err != nil {
		t.Fatal(err)
	}
	l, err := OpenPartly(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if nodes := l.Nodes(); len(nodes) != 2 || nodes[1].Name() != worker || nodes[1].Pod.Address.String() != "10.244.1.2" {
		t.Errorf("nodes: %+v", nodes)
	}
	for want, m := range map[string]machine.Machine{
		"the container " + control + " does not run (Exited (137) 3 seconds ago)": l.Nodes()[0].Pod,
		"the container " + worker + " is gone":                                    l.Nodes()[1],
	} {
		if err := m.Run(t.Context(), machine.Command{Argv: []string{"true"}}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", m.Name(), err, want)
		}
	}
	report, missing := judge(t, l)
	for _, want := range []string{"collect node " + worker + ": the container " + worker + " is gone", "leases: the container " + control + " does not run"} {
		if !strings.Contains(missing, want) {
			t.Errorf("what could not be had does not name %q:\n%s", want, missing)
		}
	}
	for _, f := range report.Findings {
		if f.Verdict == detectors.Clean || f.Verdict == detectors.Problem {
			t.Errorf("%s: %s: %s, of evidence that nobody has", f.Detector, f.Verdict, f.Summary)
		}
	}
}

// judge judges a lab of which a part has ended as it is now, and returns what could not be had.
func judge(t *testing.T, l lab.Lab) (report detectors.Report, missing string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bundle")
	_, err := snapshot.Take(t.Context(), l, "test", dir)
	if _, ok := errors.AsType[*collect.IncompleteError](err); !ok {
		t.Fatalf("the evidence: %v; want that a part of it could not be had", err)
	}
	bundle, errOpen := evidence.Open(dir)
	if errOpen != nil {
		t.Fatal(errOpen)
	}
	defer bundle.Close()
	return detectors.Run(t.Context(), bundle, all.Detectors()), err.Error()
}
