package stalevtep

import (
	"fmt"
	"maps"
	"slices"

	"github.com/netfault/netfault/detectors"
)

// doubtVNIs adds to why the nodes whose lease has another VNI than most: a VXLAN link takes frames of its own VNI alone, so that
// they and the others do not hear each other, whatever their entries say. It is flannel's configuration that was changed, and not
// every flanneld was started since; which of the two VNIs is the new one is in no file.
func (c *comparison) doubtVNIs(why *detectors.Doubts) {
	nodes := map[int]int{}
	for i := range c.vteps {
		nodes[c.vteps[i].Lease.VNI]++
	}
	most := slices.MaxFunc(slices.Sorted(maps.Keys(nodes)), func(a, b int) int { return nodes[a] - nodes[b] })
	for i := range c.vteps {
		if l := c.vteps[i].Lease; l.VNI != most {
			why.Add(l.Node, detectors.Line{File: l.File, At: l.Pos, Text: fmt.Sprintf(
				"%s's lease has the VNI %d, and %d others have %d: a link takes no frames of another VNI, until flanneld is restarted on the nodes that have the old one",
				l.Node, l.VNI, nodes[most], most)})
		}
	}
}
