package twrecycle

import "net/netip"

// owner is the node whose kernel answers for a listener. If it is not known, node is that of the capture.
type owner struct {
	node  string
	known bool
}

// owners returns for each sign the node whose kernel answers for the listener: that of the pod network that the address is
// in, or that which has the address itself. The latter may pass connections on, as a NodePort, so where the setting is in
// force on one node only, it is that; and so it is for an address of no known node. Failing all, it is the node of the
// capture.
func (j *judge) owners(signs []sign) []owner {
	if len(signs) == 0 {
		return nil
	}
	var inForce []string
	for node, s := range j.settings {
		if s.inForce() {
			inForce = append(inForce, node)
		}
	}
	h := j.homes()
	owners := make([]owner, len(signs))
	for i, s := range signs {
		node, pod := h.of(s.addr.Addr())
		if !pod && len(inForce) == 1 {
			node = inForce[0]
		}
		owners[i] = owner{node, node != ""}
		if node == "" {
			owners[i].node = s.node
		}
	}
	return owners
}

// homes knows which addresses and networks belong to which node; "" is several nodes.
type homes struct {
	addrs map[netip.Addr]string
	nets  map[netip.Prefix]string
}

// homes reads the leases and the addresses of the nodes. What cannot be read is left out: it only helps to say where the
// remedy is.
func (j *judge) homes() homes {
	h := homes{addrs: map[netip.Addr]string{}, nets: map[netip.Prefix]string{}}
	for _, l := range j.leases {
		if net, err := netip.ParsePrefix(l.PodCIDR); err == nil {
			claim(h.nets, net, l.Node)
		}
		if addr, err := netip.ParseAddr(l.PublicIP); err == nil {
			claim(h.addrs, addr, l.Node)
		}
	}
	for node := range j.settings {
		for link, err := range j.b.Addrs(node) {
			if err != nil {
				break
			}
			for _, a := range link.Addrs {
				addr, err := netip.ParseAddr(a.Local)
				if err != nil || !addr.IsGlobalUnicast() {
					continue
				}
				claim(h.addrs, addr, node)
				if net, err := addr.Prefix(a.PrefixLen); err == nil && !net.IsSingleIP() {
					claim(h.nets, net, node)
				}
			}
		}
	}
	return h
}

// claim gives what to node, unless another node has it, too.
func claim[K comparable](to map[K]string, what K, node string) {
	if owner, ok := to[what]; ok && owner != node {
		node = ""
	}
	to[what] = node
}

// of returns the node that addr belongs to, "" if none or several, and whether it is in a network of that node without being
// the node's own, as a pod's is.
func (h homes) of(addr netip.Addr) (node string, pod bool) {
	if node, ok := h.addrs[addr]; ok {
		return node, false
	}
	longest := -1
	for net, owner := range h.nets {
		if net.Contains(addr) && net.Bits() > longest {
			longest, node = net.Bits(), owner
		}
	}
	return node, node != ""
}
