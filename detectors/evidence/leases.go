package evidence

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
)

// maxVNI is the largest VXLAN network identifier (RFC 7348: 24 bits).
const maxVNI = 1<<24 - 1

// OddLease is a lease that cannot be relied on. The others of its file can.
type OddLease struct {
	// Node is empty where the lease names no node, or something that is no node name.
	Node string
	// Err is why, as a *FileError.
	Err error
	// Pos is its place in the file.
	Pos Pos
	// IPv6 says that only what it says of IPv6 cannot be relied on: it stands among the others, without that.
	IPv6 bool
}

// leaseList collects the leases of a file.
type leaseList struct {
	file string
	good []Lease
	odd  []OddLease
	// ipv6 are those of IPv6 alone.
	ipv6 []Lease
}

// add takes l, which stands at a place of the file, unless it is odd: err is what is known to be wrong with it.
func (t *leaseList) add(l Lease, at Pos, err error) {
	l.File, l.Pos = t.file, at
	onlyIPv6 := l.PodCIDR == "" && l.PublicIP == "" && l.VtepMAC == "" && l.IPv6 != (LeaseIPv6{})
	switch {
	case err != nil:
	case onlyIPv6:
		if err = checkNamed(l); err == nil {
			err = checkIPv6(&l)
		}
	default:
		err = checkLease(&l)
	}
	if err != nil {
		t.addOdd(l.Node, at, err)
		return
	}
	if onlyIPv6 {
		t.ipv6 = append(t.ipv6, l)
		return
	}
	if err := checkIPv6(&l); err != nil { // its IPv4 can be relied on
		t.odd = append(t.odd, OddLease{Node: l.Node, Err: fileError(t.file, err), Pos: at, IPv6: true})
		l.IPv6 = LeaseIPv6{}
	}
	t.good = append(t.good, l)
}

func (t *leaseList) addOdd(node string, at Pos, err error) {
	if CheckNodeName(node) != nil {
		node = ""
	}
	t.odd = append(t.odd, OddLease{Node: node, Err: fileError(t.file, err), Pos: at})
}

// settle takes out all leases of a node that has several: which of them flannel goes by does not stand in the file. etcd
// keeps an old one for a day.
func (t *leaseList) settle() {
	first, twice := map[string]int{}, map[string]bool{}
	for i, l := range t.good {
		if f, ok := first[l.Node]; !ok {
			first[l.Node] = i
		} else if !twice[l.Node] {
			twice[l.Node] = true
			t.addOdd(l.Node, l.Pos, fmt.Errorf("node %s has two leases (%s and %s)", l.Node, t.good[f].PodCIDR, l.PodCIDR))
		}
	}
	t.good = slices.DeleteFunc(t.good, func(l Lease) bool { return twice[l.Node] })
	if len(t.good) > 0 {
		for _, l := range t.ipv6 {
			t.addOdd(l.Node, l.Pos, fmt.Errorf("the lease of %s is of IPv6 alone, and those of others are not", l.Node))
		}
		t.ipv6 = nil
	}
}

// Leases returns flannel's leases in the order of their file: cluster/leases.json or, where that does not exist, the
// annotations in cluster/nodes.json, passing over nodes without them (see KubeNodes). The addresses of each are IPv4, but for those
// of its IPv6, and its VtepMAC in lower case. Those that are odd are returned apart; a file with none is an error, and with odd ones alone, that
// of the first; with some of IPv6 alone, ErrIPv6Only, see LeasesIPv6. Nobody may change them.
func (b *Bundle) Leases() ([]Lease, []OddLease, error) {
	t, err := b.leaseList()
	if errors.Is(err, fs.ErrNotExist) {
		why := missing{b.whyMissing(LeasesFile)}
		if why.why == "" {
			return nil, nil, fileError(LeasesFile, fmt.Errorf("%w, and so is %s", why, NodesFile))
		}
		return nil, nil, fileError(LeasesFile, why)
	}
	switch {
	case err != nil:
		return nil, nil, err
	case len(t.good) > 0:
		return t.good, t.odd, nil
	case len(t.ipv6) > 0:
		return nil, t.odd, fileError(t.file, ErrIPv6Only)
	case len(t.odd) > 0:
		return nil, nil, t.odd[0].Err
	}
	return nil, nil, fileError(t.file, ErrNoLease)
}

// LeasesIPv6 returns the leases of a cluster of IPv6 alone, of which only the IPv6 is set; none of another.
func (b *Bundle) LeasesIPv6() []Lease {
	t, err := b.leaseList()
	if err != nil {
		return nil
	}
	return t.ipv6
}

// leaseList reads the file that has the leases.
func (b *Bundle) leaseList() (*leaseList, error) {
	t, err := b.leasesFile()
	if errors.Is(err, fs.ErrNotExist) {
		f := b.nodesFile()
		return f.leases, f.err
	}
	return t, err
}

// ErrIPv6Only says that all leases are of IPv6 alone.
var ErrIPv6Only = errors.New("all leases are of IPv6 alone")

// ErrNoLease says that a file has no lease in it.
var ErrNoLease = errors.New("no lease in it")

func (b *Bundle) leasesFile() (*leaseList, error) {
	t := &leaseList{file: LeasesFile}
	err := b.decode(LeasesFile, func(d *decoder) error {
		return d.array(func() error {
			var l Lease
			if err := d.value(&l); err != nil {
				return err
			}
			var err error
			switch {
			case l.Node == "":
				err = fmt.Errorf("the lease of %.40s names no node: none was collected that has its public IP %.40s", l.PodCIDR, l.PublicIP)
			case l.Source != FromEtcd && l.Source != FromAnnotation:
				err = fmt.Errorf("lease of %q: source %q: want %q or %q", l.Node, l.Source, FromEtcd, FromAnnotation)
			}
			t.add(l, d.at, err)
			return nil
		})
	})
	t.settle()
	return t, err
}

// checkNamed returns an error unless l is of a node and a backend.
func checkNamed(l Lease) error {
	if err := CheckNodeName(l.Node); err != nil {
		return err
	}
	if l.BackendType == "" {
		return fmt.Errorf("lease of %s: backend type \"\": want a name such as \"vxlan\"", l.Node)
	}
	return nil
}

// checkLease returns an error that names the node unless l can be relied on, and brings its VtepMAC into lower case.
func checkLease(l *Lease) error {
	if err := checkNamed(*l); err != nil {
		return err
	}
	fail := func(field, value, want string) error {
		return fmt.Errorf("lease of %s: %s %q: want %s", l.Node, field, value, want)
	}
	if cidr, err := netip.ParsePrefix(l.PodCIDR); err != nil || !cidr.Addr().Is4() || cidr != cidr.Masked() {
		return fail("pod CIDR", l.PodCIDR, "an IPv4 network with its length")
	}
	if _, ok := ParseIPv4(l.PublicIP); !ok {
		return fail("public IP", l.PublicIP, "an IPv4 address")
	}
	if l.BackendType == "vxlan" {
		mac, err := ParseMAC(l.VtepMAC)
		if err != nil || mac == 0 {
			return fail("VTEP MAC", l.VtepMAC, "an Ethernet address")
		}
		l.VtepMAC = mac.String()
		if l.VNI < 0 || l.VNI > maxVNI {
			return fmt.Errorf("lease of %s: VNI %d: want 1 to %d, or none", l.Node, l.VNI, maxVNI)
		}
	}
	return nil
}

// checkIPv6 returns an error that names the node unless what l says of IPv6 can be relied on, and brings it into the form in which
// `ip` writes addresses.
func checkIPv6(l *Lease) error {
	v := &l.IPv6
	if *v == (LeaseIPv6{}) || l.BackendType != "vxlan" {
		*v = LeaseIPv6{}
		return nil
	}
	fail := func(field, value, want string) error {
		return fmt.Errorf("lease of %s, IPv6: %s %.60q: want %s", l.Node, field, value, want)
	}
	cidr, err := netip.ParsePrefix(v.PodCIDR)
	if err != nil || !cidr.Addr().Is6() || cidr != cidr.Masked() {
		return fail("pod CIDR", v.PodCIDR, "an IPv6 network with its length")
	}
	public, err := netip.ParseAddr(v.PublicIP)
	if err != nil || !public.Is6() || public.Zone() != "" {
		return fail("public IP", v.PublicIP, "an IPv6 address")
	}
	mac, err := ParseMAC(v.VtepMAC)
	if err != nil || mac == 0 {
		return fail("VTEP MAC", v.VtepMAC, "an Ethernet address")
	}
	if v.VNI < 0 || v.VNI > maxVNI {
		return fmt.Errorf("lease of %s, IPv6: VNI %d: want 1 to %d, or none", l.Node, v.VNI, maxVNI)
	}
	*v = LeaseIPv6{PodCIDR: cidr.String(), PublicIP: public.String(), VNI: v.VNI, VtepMAC: mac.String()}
	return nil
}
