package iptables

// mergedPorts is the doubt about two ports of which a packet must have neither. Before 1.8.11, iptables-nft asks the kernel for both in
// one comparison, which holds unless the packet has both (add_nft_tcpudp in iptables/nft.c), and so does nft of that time; the rule is
// printed the same. Legacy's rules are compared port by port.
const mergedPorts = "not known: whether `not this source port, not that destination port` is one comparison, as older iptables-nft and nft have it"

// orMerged adds to the packets that match a port's negation those of the others that match if it is merged with one of other ports: all
// but those that have all other ports, too.
func orMerged(r *Rule, yes, no []flow, hasOther ...func(*flow) (yes, no []flow)) (matched, rest []flow) {
	matched = yes
	for _, has := range hasOther {
		var all []flow
		for i := range no {
			both, one := has(&no[i])
			all = append(all, both...)
			merged, apart := bothWays(one, Doubt{r, mergedPorts})
			matched, rest = append(matched, merged...), append(rest, apart...)
		}
		no = all
	}
	return matched, append(rest, no...)
}

// mayMerge reports whether iptables-nft may merge a port's negation with that of another.
func mayMerge(world World, module string, ports set, not bool) bool {
	port, one := ports.single()
	return world != Legacy && (module == "tcp" || module == "udp") && not && one && port != 0
}

// mergePorts tells conditions of a rule of nft's own for the one port which of the other port they may be merged with. nft moves two
// together; which, where there are more, is not to be seen.
func mergePorts(steps []step) {
	negations := map[fieldKind][]*condition{}
	for i := range steps {
		c := steps[i].cond
		if steps[i].kind != stepMatch || !c.not || len(c.fields) != 1 || len(c.any) != 1 {
			continue
		}
		if _, one := c.any[0][0].nums.single(); one {
			negations[c.fields[0].kind] = append(negations[c.fields[0].kind], c)
		}
	}
	for _, source := range negations[fieldSport] {
		source.merged = negations[fieldDport]
	}
	for _, destination := range negations[fieldDport] {
		destination.merged = negations[fieldSport]
	}
}
