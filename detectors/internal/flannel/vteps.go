package flannel

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/parallel"
)

// VTEP is the VXLAN tunnel end point of one node: what flannel's lease says of it, and the link that the node has.
type VTEP struct {
	Lease evidence.Lease
	// Dev is the link's name, flannel.<VNI> or flannel-v6.<VNI>, or what it was renamed to.
	Dev string
	// Addr is the VTEP IP: the network address of the pod CIDR.
	Addr     netip.Addr
	PublicIP netip.Addr
	// Announced is the lease's VtepMAC.
	Announced evidence.MAC
	// Collected says that the bundle has a folder for the node, and Wanted that it is about it.
	Collected, Wanted bool
	State             LinkState
	// Live is the link's address and Flags what `ip link` prints of them, if the link is there.
	Live  evidence.MAC
	Flags []string
	// OtherHost counts the frames that the link dropped because they were for another address.
	OtherHost uint64
	// LinkIPv6 says that the node has a link of flannel's for IPv6, too, which is another VTEP.
	LinkIPv6 bool
	// LinkErr is why the link could not be read.
	LinkErr error
	linkPos evidence.Pos
}

// LinkState is what is known of a VTEP's link.
type LinkState uint8

// The states of a link. One whose file was not collected or cannot be read is unread.
const (
	LinkUnread LinkState = iota
	LinkMissing
	LinkDown
	LinkUp
)

// Node is the name of the VTEP's node.
func (v *VTEP) Node() string { return v.Lease.Node }

// Drifted reports whether the link is there with another address than the lease announces.
func (v *VTEP) Drifted() bool { return v.Live != 0 && v.Live != v.Announced }

// Broken reports whether the link is missing, down or another than the lease announces, which covers the entries that its
// node has for others.
func (v *VTEP) Broken() bool { return v.Drifted() || v.State == LinkMissing || v.State == LinkDown }

// Unseen reports whether nothing is known of the link since the bundle is not about its node.
func (v *VTEP) Unseen() bool { return !v.Wanted && !v.Collected }

// ErrNoVXLAN says that no lease is of flannel's VXLAN backend.
var ErrNoVXLAN = errors.New("no lease is of flannel's vxlan backend")

// IPv6 reports whether it is the VTEP of IPv6, flannel-v6.<VNI>.
func (v *VTEP) IPv6() bool { return v.Addr.Is6() }

// VTEPs returns the VTEP of each lease of flannel's VXLAN backend, sorted by node; all of their leases have a VNI. It returns
// ErrNoVXLAN if no lease is of that backend, and a *LeftOverError if flannel is not what carries the pods' packets.
func (c *Cluster) VTEPs() ([]VTEP, error) {
	r := c.vteps()
	return r.ipv4, r.err
}

// VTEPsIPv6 returns those of flannel-v6.<VNI>, of the leases of a dual stack; none where VTEPs returns an error. Where no node that was
// collected has such a link, the leases say of IPv6 what flannel noted before it was switched off, and there are none.
func (c *Cluster) VTEPsIPv6() []VTEP { return c.vteps().ipv6 }

type bothVTEPs struct {
	ipv4, ipv6 []VTEP
	err        error
}

func (c *Cluster) vteps() bothVTEPs {
	type key struct{}
	return evidence.Shared(c.b, key{}, func() (r bothVTEPs) {
		r.ipv4, r.ipv6, r.err = c.readVTEPs()
		return r
	})
}

// Comparable returns the VTEPs for a detector that compares what nodes have of each other, and adds to why all that cannot be
// compared. Where nothing can be, it returns what there is to say of that in their place.
func (c *Cluster) Comparable(why *detectors.Doubts) (vteps []VTEP, instead []detectors.Finding) {
	if found := c.OnlyIPv6(); found != nil {
		return nil, found
	}
	vteps, err := c.VTEPs()
	if _, left := errors.AsType[*LeftOverError](err); left || errors.Is(err, ErrNoVXLAN) {
		return nil, []detectors.Finding{{Verdict: detectors.NotApplicable, Summary: err.Error()}}
	}
	if err != nil {
		why.AddError("", err)
		return nil, why.Findings()
	}
	c.doubtVTEPs(vteps, why)
	return vteps, nil
}

// ComparableIPv6 is Comparable for a cluster of IPv6 alone.
func (c *Cluster) ComparableIPv6(why *detectors.Doubts) (vteps []VTEP, instead []detectors.Finding) {
	if c.NodesErr != nil {
		why.AddError("", c.NodesErr)
		return nil, why.Findings()
	}
	vteps = c.VTEPsIPv6()
	c.doubtVTEPs(vteps, why)
	return vteps, nil
}

func (c *Cluster) doubtVTEPs(vteps []VTEP, why *detectors.Doubts) {
	c.DoubtUncollected(why, "vxlan")
	for i := range vteps {
		if err := vteps[i].LinkErr; err != nil {
			why.AddError(vteps[i].Node(), err)
		}
	}
	c.DoubtOdd(why)
	if c.KubeErr != nil {
		why.AddError("", c.KubeErr)
	}
}

func (c *Cluster) readVTEPs() (vteps, ipv6 []VTEP, err error) {
	if len(c.IPv6Only) > 0 && c.NodesErr == nil {
		return nil, c.vtepsOfIPv6Only(), c.LeaseErr
	}
	if c.LeaseErr != nil {
		return nil, nil, c.LeaseErr
	}
	vxlan := func(l evidence.Lease) bool { return l.BackendType == "vxlan" }
	if !slices.ContainsFunc(c.Leases, vxlan) {
		return nil, nil, ErrNoVXLAN
	}
	if c.NodesErr != nil {
		return nil, nil, c.NodesErr
	}
	for _, l := range c.Leases {
		if vxlan(l) {
			vteps = append(vteps, c.newVTEP(l))
		}
	}
	links, linksIPv6 := make([][]evidence.Link, len(vteps)), make([][]evidence.Link, len(vteps))
	parallel.Do(len(vteps), func(_, i int) {
		if v := &vteps[i]; v.Collected {
			links[i], linksIPv6[i], v.LinkErr = c.links(v.Node())
			v.LinkIPv6 = len(linksIPv6[i]) > 0
		}
	})
	vni := commonVNI(vteps, links)
	usesIPv6 := slices.ContainsFunc(vteps, func(v VTEP) bool { return v.LinkIPv6 || v.LinkErr != nil })
	for i := range vteps {
		v := &vteps[i]
		if v.Lease.VNI == 0 {
			v.Lease.VNI = vni
		}
		v.Dev = fmt.Sprintf("%s%d", linkPrefix, v.Lease.VNI)
		linkErr := v.LinkErr
		if v.Collected && v.LinkErr == nil {
			v.LinkErr = c.findLink(v, links[i])
		}
		lease, ok := v.Lease.OfIPv6()
		if !ok || !usesIPv6 {
			continue
		}
		v6 := c.newVTEP(lease)
		v6.Lease.VNI = cmp.Or(v6.Lease.VNI, v.Lease.VNI)
		v6.Dev = fmt.Sprintf("%s%d", linkPrefixIPv6, v6.Lease.VNI)
		if v6.LinkErr = linkErr; v6.Collected && linkErr == nil {
			v6.LinkErr = c.findLink(&v6, linksIPv6[i])
		}
		ipv6 = append(ipv6, v6)
	}
	if way, ok := c.leftOver(vteps, links); ok {
		return nil, nil, &LeftOverError{way}
	}
	return vteps, ipv6, nil
}

// vtepsOfIPv6Only are the VTEPs of a cluster of IPv6 alone.
func (c *Cluster) vtepsOfIPv6Only() []VTEP {
	vteps := make([]VTEP, len(c.IPv6Only))
	parallel.Do(len(vteps), func(_, i int) {
		v := &vteps[i]
		*v = c.newVTEP(c.IPv6Only[i])
		v.Lease.VNI = max(v.Lease.VNI, 1)
		v.Dev = fmt.Sprintf("%s%d", linkPrefixIPv6, v.Lease.VNI)
		if !v.Collected {
			return
		}
		var links []evidence.Link
		if _, links, v.LinkErr = c.links(v.Node()); v.LinkErr == nil {
			v.LinkErr = c.findLink(v, links)
		}
	})
	return vteps
}

// newVTEP takes over what l says, which evidence.Leases has checked.
func (c *Cluster) newVTEP(l evidence.Lease) VTEP {
	announced, _ := evidence.ParseMAC(l.VtepMAC)
	return VTEP{
		Lease:     l,
		Addr:      netip.MustParsePrefix(l.PodCIDR).Addr(),
		PublicIP:  netip.MustParseAddr(l.PublicIP),
		Announced: announced,
		Collected: c.Collected(l.Node),
		Wanted:    c.Wanted(l.Node),
	}
}

// commonVNI is the VNI of leases that do not say it, as those of flannel before v0.13.1: it is in flannel's configuration, of
// which there is one. Other leases tell it, or else the nodes' links; 1 is flannel's default.
func commonVNI(vteps []VTEP, links [][]evidence.Link) int {
	for i := range vteps {
		if vteps[i].Lease.VNI != 0 {
			return vteps[i].Lease.VNI
		}
	}
	nodes := map[int]int{}
	for _, of := range links {
		for _, l := range of {
			if vni, err := strconv.Atoi(strings.TrimPrefix(l.Name, linkPrefix)); err == nil {
				nodes[vni]++
			}
		}
	}
	best := 1
	for _, vni := range slices.Sorted(maps.Keys(nodes)) {
		if nodes[vni] > nodes[best] {
			best = vni
		}
	}
	return best
}

// links returns a node's links that have the name of flannel's, and are of the kind vxlan where that is told, apart those of IPv6.
func (c *Cluster) links(node string) (ipv4, ipv6 []evidence.Link, err error) {
	for link, err := range c.b.Links(node, evidence.LinkFile) {
		if err != nil {
			return nil, nil, err
		}
		switch {
		case link.Info != nil && link.Info.Kind != "vxlan":
		case IsLink(link.Name):
			ipv4 = append(ipv4, link)
		case linkNameIPv6.MatchString(link.Name):
			ipv6 = append(ipv6, link)
		}
	}
	return ipv4, ipv6, nil
}

// findLink sets what v's link is, which is one of links or, where none of these has its name, the VXLAN link that has its VNI and the
// address of its lease: somebody has renamed it, and packets do not care.
func (c *Cluster) findLink(v *VTEP, links []evidence.Link) error {
	if err := v.setLink(links); err != nil || v.State != LinkMissing {
		return err
	}
	for link, err := range c.b.Links(v.Node(), evidence.LinkFile) {
		if err != nil {
			return err
		}
		mac, err := evidence.ParseMAC(link.Address)
		if err != nil || mac != v.Announced || !interfaceName.MatchString(link.Name) || link.Info == nil || link.Info.Kind != "vxlan" || link.Info.Data.ID != v.Lease.VNI {
			continue
		}
		v.Dev = link.Name
		return v.setLink([]evidence.Link{link})
	}
	return nil
}

// setLink sets what the node's links, all read, say of the VTEP's, and leaves it unread if it returns an error.
func (v *VTEP) setLink(links []evidence.Link) error {
	link, err := named(v.Node(), evidence.LinkFile, v.Dev, links)
	if err != nil {
		return err
	}
	if link == nil {
		v.State = LinkMissing
		return nil
	}
	v.Live, err = evidence.ParseMAC(link.Address)
	if err != nil || v.Live == 0 {
		v.Live = 0
		return &evidence.FileError{
			File: evidence.NodeFile(v.Node(), evidence.LinkFile),
			Err:  fmt.Errorf("%s has the link address %q", v.Dev, link.Address),
		}
	}
	v.Flags, v.linkPos = link.Flags, link.Pos
	v.State = LinkDown
	if slices.Contains(link.Flags, "UP") {
		v.State = LinkUp
	}
	if link.Stats != nil {
		v.OtherHost = link.Stats.RX.OtherHost
	}
	return nil
}

// named returns the link of that name, nil if there is none.
func named(node, file, name string, links []evidence.Link) (found *evidence.Link, err error) {
	for i := range links {
		if links[i].Name != name {
			continue
		}
		if found != nil {
			return nil, &evidence.FileError{File: evidence.NodeFile(node, file), Err: fmt.Errorf("two links are named %s", name)}
		}
		found = &links[i]
	}
	return found, nil
}

// laterLink returns v's link in the node's later look, nil if there is none.
func (v *VTEP) laterLink(b *evidence.Bundle) (*evidence.Link, error) {
	var links []evidence.Link
	for link, err := range b.Links(v.Node(), evidence.LinkLaterFile) {
		if err != nil {
			return nil, err
		}
		if link.Name == v.Dev {
			links = append(links, link)
		}
	}
	return named(v.Node(), evidence.LinkLaterFile, v.Dev, links)
}

// linkPrefix stands before the VNI in the name of flannel's IPv4 VXLAN link.
const linkPrefix = "flannel."

// linkPrefixIPv6 stands before it in that of IPv6's.
const linkPrefixIPv6 = "flannel-v6."

// linkName and linkNameIPv6 match the names of flannel's VXLAN links.
var (
	linkName     = regexp.MustCompile(`^flannel\.[0-9]+$`)
	linkNameIPv6 = regexp.MustCompile(`^flannel-v6\.[0-9]+$`)
)

// IsLink reports whether an interface has the name of flannel's IPv4 VXLAN link.
func IsLink(name string) bool { return linkName.MatchString(name) }

// IsLikeDev reports whether an interface is v's, or has the name of a VXLAN link of flannel's, of v's family.
func (v *VTEP) IsLikeDev(name string) bool {
	if name == v.Dev {
		return true
	}
	if v.IPv6() {
		return linkNameIPv6.MatchString(name)
	}
	return linkName.MatchString(name)
}

// LinkLine quotes v's link.
func (v *VTEP) LinkLine() detectors.Line {
	l := detectors.Line{File: evidence.NodeFile(v.Node(), evidence.LinkFile), At: v.linkPos}
	switch {
	case v.Unseen():
		l.Text = v.Dev + " was not looked at: the bundle is not about " + v.Node()
	case v.State == LinkUnread:
		l.Text = v.Dev + " could not be read"
	case v.State == LinkMissing:
		l.Text = "no link " + v.Dev
	default:
		l.Text = fmt.Sprintf("%s <%s> address %s", v.Dev, detectors.OneLine(strings.Join(v.Flags, ",")), v.Live)
	}
	return l
}

// OtherHostLine quotes the count of frames that v's link dropped because they were for another address, and how it grew
// if the bundle has the links twice. It returns nothing where nothing was dropped: older kernels do not count.
func (v *VTEP) OtherHostLine(b *evidence.Bundle) []detectors.Line {
	later, err := v.laterLink(b)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []detectors.Line{detectors.Unreadable("", err)}
	}
	if later != nil && later.Stats != nil && later.Stats.RX.OtherHost > v.OtherHost {
		return []detectors.Line{{
			File: evidence.NodeFile(v.Node(), evidence.LinkLaterFile), At: later.Pos,
			Text: fmt.Sprintf("%s rx.otherhost grew from %d to %d: frames for another address", v.Dev, v.OtherHost, later.Stats.RX.OtherHost),
		}}
	}
	if v.OtherHost == 0 {
		return nil
	}
	return []detectors.Line{{
		File: evidence.NodeFile(v.Node(), evidence.LinkFile), At: v.linkPos,
		Text: fmt.Sprintf("%s rx.otherhost %d: frames for another address", v.Dev, v.OtherHost),
	}}
}
