package flannel

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

// LeftOverError says that leases are there, and that the cluster has another pod network now.
type LeftOverError struct {
	// By says what has the pods' routes.
	By string
}

// Error says so.
func (e *LeftOverError) Error() string {
	return "flannel's leases are left over: no node has a link of flannel's, and pods are routed by " + e.By
}

// otherNetwork is the name of an interface by which other pod networks route from node to node.
var otherNetwork = regexp.MustCompile(`^(cilium_(host|net|vxlan|geneve|wg0)|vxlan\.calico|wireguard\.cali|tunl0|weave|antrea-gw0|antrea-tun0|kube-bridge|ovn-k8s-mp0|ovn0)$`)

// leftOver reports whether no node that was collected has a link of flannel's, and one of them routes pods by something else.
// Where all nodes lost their links at once, nothing else has the routes.
func (c *Cluster) leftOver(vteps []VTEP, links [][]evidence.Link) (by string, ok bool) {
	for i := range vteps {
		if vteps[i].Collected && (vteps[i].LinkErr != nil || len(links[i]) > 0 || vteps[i].State > LinkMissing) {
			return "", false
		}
	}
	var cidrs []netip.Prefix
	peers := map[string]bool{}
	for _, k := range c.Kube {
		if p, err := netip.ParsePrefix(k.PodCIDR); err == nil {
			cidrs = append(cidrs, p)
		}
	}
	for i := range vteps {
		cidrs = append(cidrs, netip.MustParsePrefix(vteps[i].Lease.PodCIDR))
		peers[vteps[i].Lease.PublicIP] = true
	}
	for i := range vteps {
		if !vteps[i].Collected {
			continue
		}
		own := netip.MustParsePrefix(vteps[i].Lease.PodCIDR)
		for r, err := range c.b.Routes(vteps[i].Node()) {
			if err != nil {
				break
			}
			dst, isIPv4 := routeDst(r.Dst)
			if !isIPv4 || r.IPv6 || dst.Bits() == 0 || r.Table != "" && r.Table != "main" || r.Type != "" && r.Type != "unicast" {
				continue
			}
			// A route by a peer itself, without a protocol, may be flannel's own (DirectRouting).
			toPeer := r.Gateway != "" && (!peers[r.Gateway] || r.Protocol != "") && !own.Overlaps(dst) && slices.ContainsFunc(cidrs, dst.Overlaps)
			if toPeer || otherNetwork.MatchString(r.Dev) {
				return detectors.OneLine(fmt.Sprintf("%s (%s: %s dev %s)", r.Dev, vteps[i].Node(), r.Dst, r.Dev)), true
			}
		}
	}
	return "", false
}
