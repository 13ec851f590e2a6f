package kstate

import "strings"

// Things names what is there, each by what it is and not by how it is set, so that what is gone can be told from what has changed: a
// neighbour with another link address is the same thing. A forwarding row of a VXLAN is known by where it leads, since its own link
// address is the peer's, which changes with the peer. Settings of the kernel are no things: they are always there.
func (s State) Things() []string {
	var all []string
	for _, l := range s.Links {
		all = append(all, KindLink+" "+l.Name)
	}
	for _, t := range tables {
		for _, r := range *t.rows(&s) {
			object := r.Object
			if _, dev, ok := strings.Cut(object, " dev "); ok && t.kind == KindFDB && strings.Contains(r.Text, "dst ") {
				object = "dev " + dev + " " + r.Text
			}
			all = append(all, t.kind+" "+object)
		}
	}
	for _, t := range s.IPTables {
		for _, line := range ruleLines(t.Text) {
			// A chain that iptables has by itself has a policy in place of "-".
			if strings.HasPrefix(line, "-A ") || strings.HasPrefix(line, ":") && strings.Contains(line, " - ") {
				all = append(all, KindIPTables+" "+t.Program+" "+t.Name+" "+line)
			}
		}
	}
	return all
}
