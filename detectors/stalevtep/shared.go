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
	"github.com/netfault/netfault/detectors/internal/parallel"
)

// sharing is a value that several leases have, and that only one may have.
type sharing struct {
	// what it is, as a summary calls it, and the value.
	what, value string
	vteps       []int
}

// vtepMAC is what a sharing of the one value is called that flanneld can draw anew.
const vtepMAC = "VTEP MAC"

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
	add(vtepMAC, func(v *flannel.VTEP) string { return v.Announced.String() })
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
	for _, i := range nodes[:min(len(nodes), maxPairs)] {
		f.Evidence = append(f.Evidence, flannel.LeaseLine(c.vteps[i].Lease))
	}
	for _, s := range shared {
		if s.what != vtepMAC { // which address or network a node should have is not in the bundle
			for _, i := range nodes {
				f.Breaks = append(f.Breaks, detectors.LostAround(c.vteps[i].Node())...)
			}
			return f
		}
	}
	c.settleMAC(&f, nodes)
	return f
}

// settleMAC adds to a finding about nodes that share a VTEP MAC and nothing else what it breaks, and what heals. A VTEP drops what
// comes from its own address (vxlan_set_mac in drivers/net/vxlan/vxlan_core.c), so between these nodes all is lost. Each other node
// has one FDB row for the MAC, and reaches the one to which it leads. The one that most rows lead to keeps the MAC.
func (c *comparison) settleMAC(f *detectors.Finding, nodes []int) {
	rows := c.rowsOf(nodes)
	keeper, most := nodes[0], 0
	for _, i := range nodes {
		reached := 0
		for _, r := range rows {
			if r.leadsTo(&c.vteps[i]) {
				reached++
			}
		}
		if reached > most {
			keeper, most = i, reached
		}
		if reached == 0 {
			f.Breaks = append(f.Breaks, detectors.LostAround(c.vteps[i].Node())...)
			continue
		}
		for _, j := range nodes {
			if j != i {
				f.Breaks = append(f.Breaks, detectors.LostBetween(c.vteps[i].Node(), c.vteps[j].Node())...)
			}
		}
		for _, r := range rows {
			if !r.leadsTo(&c.vteps[i]) {
				f.Breaks = append(f.Breaks, detectors.LostBetween(c.vteps[i].Node(), c.vteps[r.observer].Node())...)
			}
		}
	}
	for _, i := range nodes {
		if i != keeper {
			f.Remedy = append(f.Remedy, c.ownAddress(i)...)
		}
	}
	for _, r := range rows[:min(len(rows), maxPairs)] {
		f.Evidence = append(f.Evidence, r.line(&c.vteps[r.observer], &c.vteps[keeper]))
	}
	for _, r := range rows {
		if !r.leadsTo(&c.vteps[keeper]) {
			f.Remedy = append(f.Remedy, c.vteps[r.observer].SetFDB(&c.vteps[keeper]))
		}
	}
}

// sharedRow is where an observer forwards a MAC that several VTEPs have.
type sharedRow struct {
	observer int
	dsts     []netip.Addr
	pos      evidence.Pos
}

func (r *sharedRow) leadsTo(v *flannel.VTEP) bool { return slices.Contains(r.dsts, v.PublicIP) }

// line quotes the first of the observer's rows for the MAC that v has.
func (r *sharedRow) line(observer, v *flannel.VTEP) detectors.Line {
	l := detectors.Line{File: evidence.NodeFile(observer.Node(), evidence.FDBFile), At: r.pos, Text: fmt.Sprintf("no entry for %s dev %s", v.Announced, observer.Dev)}
	if len(r.dsts) > 0 {
		l.Text = fmt.Sprintf("%s dev %s dst %s", v.Announced, observer.Dev, r.dsts[0])
	}
	return l
}

// rowsOf returns where every observer forwards the MAC that nodes share, but for themselves. One whose FDB cannot be read is in
// doubt already.
func (c *comparison) rowsOf(nodes []int) []sharedRow {
	read := make([]*sharedRow, len(c.vteps))
	parallel.Do(len(c.vteps), func(_, i int) {
		v := &c.vteps[i]
		if !v.Collected || slices.Contains(nodes, i) {
			return
		}
		row := &sharedRow{observer: i}
		for r, err := range c.b.FDB(v.Node()) {
			if err != nil {
				return
			}
			mac, macErr := evidence.ParseMAC(r.MAC)
			dst, ok := parseAddr(r.Dst)
			if macErr != nil || !ok || string(r.Dev) != v.Dev || mac != c.vteps[nodes[0]].Announced {
				continue
			}
			if len(row.dsts) == 0 {
				row.pos = r.Pos
			}
			row.dsts = append(row.dsts, dst)
		}
		read[i] = row
	})
	var rows []sharedRow
	for _, r := range read {
		if r != nil {
			rows = append(rows, *r)
		}
	}
	return rows
}

// ownAddress lets flanneld make a VTEP's link anew, with an address that it draws: without the annotation it knows no old one.
func (c *comparison) ownAddress(i int) []detectors.Command {
	v := &c.vteps[i]
	var commands []detectors.Command
	if v.Lease.Source != evidence.FromEtcd {
		annotation := "flannel.alpha.coreos.com/backend-data"
		if v.IPv6() {
			annotation = "flannel.alpha.coreos.com/backend-v6-data"
		}
		commands = append(commands, detectors.Command{
			Argv: []string{"kubectl", "annotate", "node", v.Node(), annotation + "-"},
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
