package evidence

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Subnet is what flanneld writes down for the CNI plugin (WriteSubnetFile in flannel's pkg/subnet/subnet.go).
type Subnet struct {
	// Network is that of all pods, such as 10.244.0.0/16.
	Network netip.Prefix
	// Subnet is the node's, with the address that its bridge gets, such as 10.244.1.1/24.
	Subnet netip.Prefix
	// MTU is what pods may send, in bytes.
	MTU int
	// IPMasq says that flanneld masquerades itself, so that the plugin must not.
	IPMasq bool
}

// Subnet returns what a node's SubnetFile says of IPv4.
func (b *Bundle) Subnet(node string) (Subnet, error) {
	values := map[string]string{}
	err := b.lines(node, SubnetFile, func(line string, _ Pos) error {
		key, value, ok := strings.Cut(line, "=")
		if !ok || !strings.HasPrefix(key, "FLANNEL_") {
			return fmt.Errorf(`want "FLANNEL_…=…", found %.20q`, line)
		}
		if _, twice := values[key]; twice {
			return fmt.Errorf("%.40s stands here for the second time", key)
		}
		values[key] = value
		return nil
	})
	if err != nil {
		return Subnet{}, err
	}
	s, err := newSubnet(values)
	return s, fileError(NodeFile(node, SubnetFile), err)
}

func newSubnet(values map[string]string) (s Subnet, err error) {
	fail := func(key, want string) (Subnet, error) {
		value, ok := values[key]
		if !ok {
			return Subnet{}, errors.New("no " + key)
		}
		return Subnet{}, fmt.Errorf("%s is %.40q: want %s", key, value, want)
	}
	if s.Network, err = netip.ParsePrefix(values["FLANNEL_NETWORK"]); err != nil || !s.Network.Addr().Is4() {
		return fail("FLANNEL_NETWORK", "an IPv4 network such as 10.244.0.0/16")
	}
	if s.Subnet, err = netip.ParsePrefix(values["FLANNEL_SUBNET"]); err != nil || !s.Subnet.Addr().Is4() {
		return fail("FLANNEL_SUBNET", "an address and its length such as 10.244.1.1/24")
	}
	if s.MTU, err = strconv.Atoi(values["FLANNEL_MTU"]); err != nil || s.MTU < 1 {
		return fail("FLANNEL_MTU", "a number of bytes")
	}
	if s.IPMasq, err = strconv.ParseBool(values["FLANNEL_IPMASQ"]); err != nil {
		return fail("FLANNEL_IPMASQ", "true or false")
	}
	return s, nil
}
