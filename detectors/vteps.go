package detectors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
)

// vtep is the VXLAN tunnel end point of one node: what flannel's lease says of it, and the link that the node has.
type vtep struct {
	lease evidence.Lease
	// dev is the link's name, flannel.<VNI>.
	dev string
	// addr is the VTEP IP: the network address of the pod CIDR.
	addr     evidence.IPv4
	publicIP evidence.IPv4
	// announced is the lease's VtepMAC.
	announced evidence.MAC
	// collected says that the bundle has a folder for the node.
	collected bool
	state     linkState
	// live is the link's address and flags what `ip link` prints of them, if the link is there.
	live  evidence.MAC
	flags []string
	// otherHost counts the frames that the link dropped because they were for another address.
	otherHost uint64
}

// linkState is what is known of a VTEP's link.
type linkState uint8

const (
	linkUnread linkState = iota
	linkMissing
	linkDown
	linkUp
)

func (v *vtep) node() string { return v.lease.Node }

// drifted reports whether the link is there with another address than the lease announces.
func (v *vtep) drifted() bool { return v.live != 0 && v.live != v.announced }

// readVTEPs returns the VTEP of each lease of flannel's VXLAN backend, sorted by node, and adds to why what could not be
// read of them and which nodes should have a lease but have none. It returns errNoVXLAN if no lease is of that backend.
func readVTEPs(ctx context.Context, b *evidence.Bundle, why *doubts) ([]vtep, error) {
	leases, err := b.Leases()
	if err != nil {
		return nil, err
	}
	vxlan := func(l evidence.Lease) bool { return l.BackendType == "vxlan" }
	if !slices.ContainsFunc(leases, vxlan) {
		return nil, errNoVXLAN
	}
	folders, err := b.Nodes()
	if err != nil {
		return nil, err
	}
	var vteps []vtep
	for _, l := range leases {
		if vxlan(l) {
			vteps = append(vteps, newVTEP(l, folders))
		}
	}
	slices.SortFunc(vteps, func(a, b vtep) int { return strings.Compare(a.node(), b.node()) })

	failed := make([]error, len(vteps))
	parallel(len(vteps), func(_, i int) {
		if vteps[i].collected && ctx.Err() == nil {
			failed[i] = vteps[i].readLink(b)
		}
	})
	for i := range vteps {
		v := &vteps[i]
		switch {
		case !v.collected:
			why.add(v.node(), Line{File: path.Join("nodes", v.node()), Text: v.node() + " has a lease, but no folder in the bundle"})
		case failed[i] != nil:
			why.add(v.node(), unusable("", failed[i]))
		}
	}
	doubtUnleased(b, leases, folders, why)
	return vteps, nil
}

var errNoVXLAN = errors.New("no lease is of flannel's vxlan backend")

// newVTEP takes over what l says, which evidence.Leases has checked.
func newVTEP(l evidence.Lease, folders []string) vtep {
	addr, _ := evidence.ParseIPv4(netip.MustParsePrefix(l.PodCIDR).Addr().String())
	public, _ := evidence.ParseIPv4(l.PublicIP)
	announced, _ := evidence.ParseMAC(l.VtepMAC)
	_, collected := slices.BinarySearch(folders, l.Node)
	return vtep{
		lease:     l,
		dev:       fmt.Sprintf("flannel.%d", l.VNI),
		addr:      addr,
		publicIP:  public,
		announced: announced,
		collected: collected,
	}
}

// readLink sets what the node's ip-link.json says of the link, and leaves it unread if it returns an error.
func (v *vtep) readLink(b *evidence.Bundle) error {
	link, err := findLink(b, v.node(), evidence.LinkFile, v.dev)
	if err != nil {
		return err
	}
	if link == nil {
		v.state = linkMissing
		return nil
	}
	v.live, err = evidence.ParseMAC(link.Address)
	if err != nil || v.live == 0 {
		v.live = 0
		return &evidence.FileError{
			File: evidence.NodeFile(v.node(), evidence.LinkFile),
			Err:  fmt.Errorf("%s has the link address %q", v.dev, link.Address),
		}
	}
	v.flags = link.Flags
	v.state = linkDown
	if slices.Contains(link.Flags, "UP") {
		v.state = linkUp
	}
	if link.Stats != nil {
		v.otherHost = link.Stats.RX.OtherHost
	}
	return nil
}

// findLink returns the link of that name in one of a node's link files, nil if there is none.
func findLink(b *evidence.Bundle, node, file, name string) (found *evidence.Link, err error) {
	for link, err := range b.Links(node, file) {
		if err != nil {
			return nil, err
		}
		if link.Name != name {
			continue
		}
		if found != nil {
			return nil, &evidence.FileError{File: evidence.NodeFile(node, file), Err: fmt.Errorf("two links are named %s", name)}
		}
		found = &link
	}
	return found, nil
}

// flannelLink matches the name of flannel's IPv4 VXLAN link.
var flannelLink = regexp.MustCompile(`^flannel\.[0-9]+$`)

// doubtUnleased adds to why the nodes that have no lease but should: those of cluster/nodes.json without flannel's
// annotations, and those whose folder shows a link of flannel's. A folder without one may be a host outside the cluster.
func doubtUnleased(b *evidence.Bundle, leases []evidence.Lease, folders []string, why *doubts) {
	known := map[string]bool{}
	for _, l := range leases {
		known[l.Node] = true
	}
	unleased, err := b.Unleased()
	if err != nil {
		why.add("", unusable(evidence.NodesFile, err))
	}
	for _, node := range unleased {
		if !known[node] {
			known[node] = true
			why.add(node, Line{File: evidence.NodesFile, Text: node + " lacks flannel's annotations, so it has no lease"})
		}
	}
	for _, node := range folders {
		if known[node] {
			continue
		}
		link, err := anyFlannelLink(b, node)
		switch {
		case err != nil:
			why.add(node, unusable("", err))
		case link != "":
			why.add(node, Line{
				File: evidence.NodeFile(node, evidence.LinkFile),
				Text: fmt.Sprintf("%s has %s, but no lease", node, link),
			})
		}
	}
}

// anyFlannelLink returns the name of a flannel link of a node, or "".
func anyFlannelLink(b *evidence.Bundle, node string) (name string, err error) {
	for link, err := range b.Links(node, evidence.LinkFile) {
		if err != nil {
			return "", err
		}
		if name == "" && flannelLink.MatchString(link.Name) && (link.Info == nil || link.Info.Kind == "vxlan") {
			name = link.Name
		}
	}
	return name, nil
}

// otherHostLine quotes the count of frames that v's link dropped because they were for another address, and how it grew
// if the bundle has the links twice. It returns nothing where nothing was dropped: older kernels do not count.
func (v *vtep) otherHostLine(b *evidence.Bundle) []Line {
	later, err := findLink(b, v.node(), evidence.LinkLaterFile, v.dev)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []Line{unusable("", err)}
	}
	if later != nil && later.Stats != nil && later.Stats.RX.OtherHost > v.otherHost {
		return []Line{{
			File: evidence.NodeFile(v.node(), evidence.LinkLaterFile),
			Text: fmt.Sprintf("%s rx.otherhost grew from %d to %d: frames for another address", v.dev, v.otherHost, later.Stats.RX.OtherHost),
		}}
	}
	if v.otherHost == 0 {
		return nil
	}
	return []Line{{
		File: evidence.NodeFile(v.node(), evidence.LinkFile),
		Text: fmt.Sprintf("%s rx.otherhost %d: frames for another address", v.dev, v.otherHost),
	}}
}
