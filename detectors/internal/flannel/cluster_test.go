package flannel

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/cases"
	"github.com/netfault/netfault/detectors/evidence"
)

// Who stops says that he did, and of how many nodes nothing was said.
func TestEachNodeStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var why detectors.Doubts
	EachNode(ctx, []string{"n1", "n2"}, &why, func(int, string) { t.Error("a node is judged") })
	if found := why.Findings(); len(found) != 1 || !strings.Contains(found[0].Summary, "stopped before 2 of 2 nodes") {
		t.Errorf("found %+v", found)
	}
}

func TestNames(t *testing.T) {
	var nodes []string
	for i := range maxNamed + 1 {
		nodes = append(nodes, fmt.Sprintf("n%d", i+1))
	}
	for n, want := range map[int]string{maxNamed: "n1, n2, n3, n4, n5, n6, n7, n8", maxNamed + 1: "n1, n2, n3, n4, n5, n6, n7, n8 and 1 more"} {
		if got := Names(nodes[:n]); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A folder of a node that has no link of flannel's is no node of the cluster's without a lease.
func TestAHostOutsideIsNotUnleased(t *testing.T) {
	files := cases.Healthy()
	for name, want := range map[string]int{"lo": 0, "flannel.1": 1} {
		files[evidence.NodeFile("host", evidence.LinkFile)] = &fstest.MapFile{Data: fmt.Appendf(nil, `[{"ifindex":1,"ifname":%q,"flags":["UP"],"address":"0e:00:00:00:00:09"}]`, name)}
		if got := Of(evidence.New(files)).Unleased(); len(got) != want {
			t.Errorf("a host with %s: %+v", name, got)
		}
	}
}

// Where as many nodes have links of one VNI as of another, it is the lower.
func TestCommonVNI(t *testing.T) {
	of := func(names ...string) (links [][]evidence.Link) {
		for _, name := range names {
			links = append(links, []evidence.Link{{Name: name}})
		}
		return links
	}
	for want, links := range map[int][][]evidence.Link{1: of(), 3: of("flannel.5", "flannel.3", "flannel.3"), 2: of("flannel.4", "flannel.2")} {
		if got := commonVNI([]VTEP{{}}, links); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
}
