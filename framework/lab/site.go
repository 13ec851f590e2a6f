package lab

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Site is what the nodes of an embedded lab are called, where they live, and which parts they play. What is empty is the lab's
// own choice.
type Site struct {
	// Nodes are their names, in the order of their addresses. flannel's store and the cluster's DNS are on the first.
	Nodes []string `json:"nodes,omitempty"`
	// Parts are the same names in the order of Lab.Nodes, by which scenarios give nodes their parts; the order of Nodes if empty.
	Parts []string `json:"parts,omitempty"`
	// Underlay is a /24, PodNetwork and ServiceNetwork are a /16 each.
	Underlay       netip.Prefix `json:"underlay,omitzero"`
	PodNetwork     netip.Prefix `json:"podNetwork,omitzero"`
	ServiceNetwork netip.Prefix `json:"serviceNetwork,omitzero"`
}

// nodeName is what fits into the name of an interface, IFNAMSIZ in linux/if.h, and into the names of pods and Services.
var nodeName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,13}[a-z0-9])?$`)

// taken are names, and beginnings of names, of other machines of a lab.
var taken = regexp.MustCompile(`^(host|switch|(pod|client|coredns)-.*)$`)

// Check returns an error unless a lab can be made like that.
func (s Site) Check() error {
	seen := map[string]bool{}
	for _, name := range s.Nodes {
		switch {
		case !nodeName.MatchString(name):
			return fmt.Errorf("%q cannot be a node's name: want up to 15 lower-case letters, digits and '-', a letter first", name)
		case taken.MatchString(name):
			return fmt.Errorf("%q cannot be a node's name: other machines of a lab are called so", name)
		case seen[name]:
			return fmt.Errorf("two nodes cannot have one name, %s", name)
		}
		seen[name] = true
	}
	if len(s.Parts) > 0 && !slices.Equal(slices.Sorted(slices.Values(s.Parts)), slices.Sorted(slices.Values(s.Nodes))) {
		return fmt.Errorf("the parts are for %s, and the nodes are %s", strings.Join(s.Parts, ", "), strings.Join(s.Nodes, ", "))
	}
	return s.checkNetworks()
}

func (s Site) checkNetworks() error {
	networks := []struct {
		of   string
		is   netip.Prefix
		bits int
	}{{"the underlay", s.Underlay, 24}, {"the pods", s.PodNetwork, 16}, {"the Services", s.ServiceNetwork, 16}}
	for i, n := range networks {
		switch {
		case !n.is.IsValid():
			continue
		case !n.is.Addr().Is4() || n.is.Bits() != n.bits || n.is != n.is.Masked():
			return fmt.Errorf("%s cannot be the network of %s: want an IPv4 network with /%d", n.is, n.of, n.bits)
		}
		for _, other := range networks[:i] {
			if other.is.IsValid() && other.is.Overlaps(n.is) {
				return fmt.Errorf("the networks of %s (%s) and of %s (%s) overlap", other.of, other.is, n.of, n.is)
			}
		}
	}
	return nil
}
