package stalevtep

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
)

// sharing is a value that several leases have, and that only one may have.
type sharing struct {
	// what it is, as a summary calls it, and the value.
	what, value string
	vteps       []int
}

// sharings returns what several leases have in common, of each kind in the order of the first lease. Only one node can be found
// by a VTEP MAC, by a public IP or by an address of a pod CIDR.
func (c *comparison) sharings() []sharing {
	var all []sharing
	add := func(what string, value func(*flannel.VTEP) string) {
		by := map[string][]int{}
		var order []string
		for i := range c.vteps {
			v := value(&c.vteps[i])
			if by[v] == nil {
				order = append(order, v)
			}
			by[v] = append(by[v], i)
		}
		for _, v := range order {
			if len(by[v]) > 1 {
				all = append(all, sharing{what, v, by[v]})
			}
		}
	}
	add("VTEP MAC", func(v *flannel.VTEP) string { return v.Announced.String() })
	add("public IP", func(v *flannel.VTEP) string { return v.PublicIP.String() })
	return append(all, c.overlaps()...)
}

// overlaps returns the pod CIDRs that hold another's.
func (c *comparison) overlaps() []sharing {
	cidr := func(i int) netip.Prefix { return netip.MustParsePrefix(c.vteps[i].Lease.PodCIDR) }
	order := make([]int, len(c.vteps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cidr(a).Addr().Compare(cidr(b).Addr()), cidr(a).Bits()-cidr(b).Bits())
	})
	var all []sharing
	for i := 0; i < len(order); {
		end := i + 1
		for end < len(order) && cidr(order[i]).Overlaps(cidr(order[end])) {
			end++
		}
		if end > i+1 {
			all = append(all, sharing{"pod CIDR", cidr(order[i]).String(), slices.Sorted(slices.Values(order[i:end]))})
		}
		i = end
	}
	return all
}

// sharedFindings reports each set of nodes whose leases have something in common as one fault.
func (c *comparison) sharedFindings() []detectors.Finding {
	all := c.sharings()
	if len(all) == 0 {
		return nil
	}
	// set[i] is the first node of the set that node i is in.
	set := make([]int, len(c.vteps))
	for i := range set {
		set[i] = i
	}
	for _, s := range all {
		low := set[s.vteps[0]]
		for _, i := range s.vteps {
			low = min(low, set[i])
		}
		for _, i := range s.vteps {
			for j, from := 0, set[i]; j < len(set); j++ {
				if set[j] == from {
					set[j] = low
				}
			}
		}
	}
	var found []detectors.Finding
	for first := range set {
		var nodes []int
		for i := range set {
			if set[i] == first {
				nodes = append(nodes, i)
			}
		}
		if len(nodes) > 1 {
			mine := slices.DeleteFunc(slices.Clone(all), func(s sharing) bool { return set[s.vteps[0]] != first })
			found = append(found, c.sharedFinding(nodes, mine))
		}
	}
	return found
}

// sharedFinding reports nodes whose leases have values in common.
func (c *comparison) sharedFinding(nodes []int, shared []sharing) detectors.Finding {
	var values []string
	for _, s := range shared {
		values = append(values, fmt.Sprintf("%s %s (%s)", s.what, s.value, c.names(s.vteps)))
	}
	f := detectors.Finding{
		Verdict: detectors.Problem, Severity: detectors.Critical, Case: LeaseShared, Node: c.vteps[nodes[0]].Node(),
		Summary: fmt.Sprintf("the leases of %d nodes have in common what only one may have: %s: each other node sends to one of them only",
			len(nodes), strings.Join(values, "; ")),
		Expected: "a value of its own in each lease",
		Actual:   strings.Join(values, "; "),
	}
	if len(nodes) == 2 {
		f.Peer = c.vteps[nodes[1]].Node()
	}
	for n, i := range nodes {
		v := &c.vteps[i]
		if n < maxPairs {
			f.Evidence = append(f.Evidence, flannel.LeaseLine(v.Lease))
		}
		f.Breaks = append(f.Breaks, detectors.LostAround(v.Node())...)
	}
	for _, s := range shared {
		if s.what != "VTEP MAC" {
			return f // which address or network a node should have is not in the bundle
		}
	}
	for _, s := range shared {
		for _, i := range s.vteps[1:] {
			f.Remedy = append(f.Remedy, c.ownAddress(i)...)
		}
	}
	return f
}

// ownAddress lets flanneld make a VTEP's link anew, with an address that it draws: without the annotation it knows no old one.
func (c *comparison) ownAddress(i int) []detectors.Command {
	v := &c.vteps[i]
	var commands []detectors.Command
	if v.Lease.Source != evidence.FromEtcd {
		commands = append(commands, detectors.Command{
			Argv: []string{"kubectl", "annotate", "node", v.Node(), "flannel.alpha.coreos.com/backend-data-"},
			Why:  fmt.Sprintf("flanneld forgets the address that %s shares", v.Node()),
		})
	}
	return append(commands,
		detectors.Command{Node: v.Node(), Argv: []string{"ip", "link", "del", v.Dev}, Why: "the link with the shared address goes"},
		c.cluster.Restart(v.Node(), v.Lease.Source, fmt.Sprintf("flanneld makes %s's %s anew with an address of its own, and announces it in the lease", v.Node(), v.Dev)),
	)
}

func (c *comparison) names(vteps []int) string {
	var names []string
	for _, i := range vteps {
		names = append(names, c.vteps[i].Node())
	}
	return flannel.Names(names)
}
