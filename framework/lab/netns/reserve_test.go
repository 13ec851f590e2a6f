package netns

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/flanneld"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// A lab of the incidents' time has each node's lease where the lab wants it, in the form of that time, and says what plays
// flanneld's part.
func TestLabOfTheIncidentsTime(t *testing.T) {
	l := upWith(t, Options{Name: fmt.Sprintf("test-%d-old", os.Getpid()), Nodes: 2, Pods: lab.DockerBridge, Flannel: flanneld.Version})
	if got, want := l.Flannel().String(), "a stand-in for flanneld v0.7.1"; got != want {
		t.Errorf("the lab has %q, want %q", got, want)
	}
	values, err := l.etcd.subnets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leases, err := l.Leases(t.Context())
	if err != nil || len(leases) != 2 || len(values) != 2 {
		t.Fatalf("leases %+v of %q, %v", leases, values, err)
	}
	for i, n := range l.Nodes() {
		if leases[i].Node != n.Name() || leases[i].PodCIDR != n.PodCIDR.String() {
			t.Errorf("%s, with %s, has the lease %+v", n.Name(), n.PodCIDR, leases[i])
		}
		if _, err := net.ParseMAC(leases[i].VtepMAC); err != nil {
			t.Errorf("%s: %v", n.Name(), err)
		}
		key := "/coreos.com/network/subnets/" + strings.Replace(n.PodCIDR.String(), "/", "-", 1)
		want := fmt.Sprintf(`{"PublicIP":%q,"BackendType":"vxlan","BackendData":{"VtepMAC":%q}}`, n.Address, leases[i].VtepMAC)
		if got := string(values[key]); got != want {
			t.Errorf("etcd has %s, want %s", got, want)
		}
		routes, err := machine.Output(t.Context(), n, "ip", "route", "show", "dev", "flannel.1")
		if got := strings.TrimSpace(string(routes)); err != nil || got != podNetwork.String() {
			t.Errorf("%s's routes by flannel.1 are %q, %v; want %s alone", n.Name(), got, err, podNetwork)
		}
	}
}
