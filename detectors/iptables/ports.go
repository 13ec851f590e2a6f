package iptables

// mergedPorts is the doubt about two ports of which a packet must have neither. Before 1.8.11, iptables-nft asks the kernel for both in
// one comparison, which holds unless the packet has both (add_nft_tcpudp in iptables/nft.c), and so does nft of that time; the rule is
// printed the same. Legacy's rules are compared port by port.
const mergedPorts = "not known: whether `not this source port, not that destination port` is one comparison, as older iptables-nft and nft have it"

// orMerged adds to the packets that match a port's negation those of the others that match if it is merged with that of another port:
// all but those that have the other port, too.
func orMerged(r *Rule, yes, no []flow, hasOther func(*flow) (yes, no []flow)) (matched, rest []flow) {
	matched = yes
	for i := range no {
		both, one := hasOther(&no[i])
		rest = append(rest, both...)
		for j := range one {
			merged, apart := one[j].both(Doubt{r, mergedPorts})
			matched, rest = append(matched, merged...), append(rest, apart...)
		}
	}
	return matched, rest
}

// mayMerge reports whether iptables-nft may merge a port's negation with that of another.
func mayMerge(world World, module string, ports set, not bool) bool {
	port, one := ports.single()
	return world != Legacy && (module == "tcp" || module == "udp") && not && one && port != 0
}

// mergePorts tells conditions of a rule of nft's own for the one port which other port they may be merged with. nft moves them together.
func mergePorts(steps []step) {
	negations := map[fieldKind]*condition{}
	for i := range steps {
		c := steps[i].cond
		if steps[i].kind != stepMatch || !c.not || len(c.fields) != 1 || len(c.any) != 1 {
			continue
		}
		if _, one := c.any[0][0].nums.single(); one {
			negations[c.fields[0].kind] = c
		}
	}
	source, destination := negations[fieldSport], negations[fieldDport]
	if source != nil && destination != nil {
		source.merged, destination.merged = destination, source
	}
}
