package evidence

import (
	"fmt"
	"testing"
)

// RKE2's servers keep in an annotation how they were started, as a list in JSON.
func TestRKE2ThatWasToldToHaveFlannel(t *testing.T) {
	for _, c := range []struct {
		key, value string
		want       bool
	}{
		{"rke2.io/node-args", `["server","--cni","flannel"]`, true},
		{"rke2.io/node-args", `["server","--cni","flannel","--token","x"]`, true},
		{"rke2.io/node-args", `["server","--cni","canal"]`, false},
		{"rke2.io/node-args", `["server"]`, false},
		{"k3s.io/node-args", `["server","--cni","flannel"]`, false},
	} {
		nodes, err := bundleOf(NodesFile, fmt.Sprintf(
			`{"items":[{"metadata":{"name":"a","annotations":{"first":"1",%q:%q,"last":"1"}},"spec":{"podCIDR":"10.244.1.0/24"}}]}`, c.key, c.value)).KubeNodes()
		if err != nil || len(nodes) != 1 || nodes[0].RKE2Flannel != c.want {
			t.Errorf("%s=%s: %+v, %v, want %t", c.key, c.value, nodes, err, c.want)
		}
	}
}
