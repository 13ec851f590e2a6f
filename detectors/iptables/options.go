package iptables

import (
	"strings"
)

// readOptions reads what a rule asks of packets, up to its target.
func (p *parser) readOptions(r *Rule) {
	not, module := false, ""
	for {
		start := p.pos
		word, ok := p.next()
		if !ok {
			return
		}
		understood := true
		switch word {
		case "!":
			not = true
			continue
		case "-m":
			module, _ = p.next()
			understood = knownModule(module)
			switch module {
			case "addrtype":
				r.matches = append(r.matches, match{kind: matchAddrType, addr: &addrType{}})
			case "rpfilter":
				r.matches = append(r.matches, match{kind: matchRPFilter})
			}
		case "-j", "-g":
			p.readTarget(r, word == "-g")
			return
		default:
			if module == "" {
				understood = p.readBasic(r, word, not)
			} else {
				understood = p.readMatch(r, module, word, not)
			}
		}
		if !understood {
			r.addUnclear(p.text[start:p.pos], not)
		}
		not = false
	}
}

// addUnclear notes words of the rule that are not understood.
func (r *Rule) addUnclear(words string, not bool) {
	words = strings.TrimSpace(words)
	if not {
		words = "! " + words
	}
	if r.unclear != "" {
		words = r.unclear + " " + words
	}
	r.unclear = words
}

// readBasic reads a condition of iptables itself. iptables-save prints these before all extensions, so that a word that
// looks like one after them is something else.
func (p *parser) readBasic(r *Rule, option string, not bool) bool {
	switch option {
	case "-s":
		return p.readAddr(&r.src, not)
	case "-d":
		return p.readAddr(&r.dst, not)
	case "-i":
		return p.readInterface(&r.in, not)
	case "-o":
		return p.readInterface(&r.out, not)
	case "-p":
		word, _ := p.next()
		number, ok := parseProto(word)
		r.proto = protoMatch{used: ok, not: not, number: number}
		return ok
	}
	return false
}

func (p *parser) readAddr(m *addrMatch, not bool) (ok bool) {
	word, _ := p.next()
	m.span, ok = parseNetwork(word)
	m.used, m.not = ok, not
	return ok
}

func (p *parser) readInterface(m *ifMatch, not bool) bool {
	word, ok := p.next()
	name, prefix := strings.CutSuffix(word, "+")
	*m = ifMatch{used: ok, not: not, name: name, prefix: prefix}
	return ok
}

// knownModule reports whether readMatch knows options of a match extension. Without options, an extension of ports asks for
// nothing that -p does not ask for.
func knownModule(name string) bool {
	switch name {
	case "comment", "tcp", "udp", "sctp", "dccp", "multiport", "mark", "connmark", "conntrack", "state", "addrtype", "set", "rpfilter", "iprange":
		return true
	}
	return false
}

// readMatch reads an option of a match extension. It returns false, having read nothing but the option or a part of its
// values, if it does not understand it; the values that are left are then not understood as options, either.
func (p *parser) readMatch(r *Rule, module, option string, not bool) bool {
	switch module + " " + option {
	case "comment --comment":
		_, ok := p.next()
		return ok
	case "tcp --sport", "udp --sport", "sctp --sport", "dccp --sport":
		return p.readPort(r, module, matchSport, not)
	case "tcp --dport", "udp --dport", "sctp --dport", "dccp --dport":
		return p.readPort(r, module, matchDport, not)
	case "multiport --sports":
		return p.readPorts(r, matchSport, not)
	case "multiport --dports":
		return p.readPorts(r, matchDport, not)
	case "multiport --ports":
		return p.readPorts(r, matchEitherPort, not)
	case "tcp --tcp-flags":
		return p.readFlags(r, not)
	case "mark --mark":
		return p.readMark(r, matchMark, not)
	case "connmark --mark":
		return p.readMark(r, matchConnmark, not)
	case "conntrack --ctstate", "state --state":
		return p.readStates(r, not)
	case "addrtype --src-type", "addrtype --dst-type", "addrtype --limit-iface-in", "addrtype --limit-iface-out":
		return p.readAddrType(r, option, not)
	case "set --match-set":
		return p.readSet(r, not)
	case "iprange --src-range":
		return p.readAddrRange(r, matchSrcRange, not)
	case "iprange --dst-range":
		return p.readAddrRange(r, matchDstRange, not)
	case "rpfilter --invert":
		r.matches[len(r.matches)-1].not = true
		return true
	case "rpfilter --loose", "rpfilter --validmark", "rpfilter --accept-local":
		return true
	}
	return false
}

// portsOf reports whether a rule is for one protocol that has ports: the kernel has no rule with ports otherwise.
func (r *Rule) portsOf() bool { return r.proto.used && !r.proto.not && hasPorts(r.proto.number) }

func (p *parser) readPort(r *Rule, module string, kind matchKind, not bool) bool {
	word, _ := p.next()
	span, ok := parseRange(word, ":")
	if !ok || !r.portsOf() {
		return false
	}
	m := match{kind: kind, not: not, ports: set{span}}
	m.mergeable = mayMerge(r.World(), module, m.ports, not)
	if i := len(r.matches) - 1; m.mergeable && i >= 0 && r.matches[i].mergeable {
		m.merged, r.matches[i].merged = r.matches[i].ports, m.ports
	}
	r.matches = append(r.matches, m)
	return true
}

func (p *parser) readAddrRange(r *Rule, kind matchKind, not bool) bool {
	word, _ := p.next()
	addrs, ok := parseAddrs(word)
	r.matches = append(r.matches, match{kind: kind, not: not, addrs: addrs})
	return ok
}

func (p *parser) readPorts(r *Rule, kind matchKind, not bool) bool {
	word, _ := p.next()
	ports, ok := parsePortList(word)
	if !ok || !r.portsOf() {
		return false
	}
	r.matches = append(r.matches, match{kind: kind, not: not, ports: ports})
	return true
}

// tcpFlags are the bits of byte 13 of the TCP header (RFC 9293, 3.1).
var tcpFlags = map[string]uint32{
	"FIN": 0x01, "SYN": 0x02, "RST": 0x04, "PSH": 0x08, "ACK": 0x10, "URG": 0x20, "ALL": 0x3f, "NONE": 0,
}

const flagSYN, flagACK = 0x02, 0x10

// flags are those of a TCP segment: the first has SYN and no other, the answer to it ACK, too (RFC 9293, 3.5).
func (s State) flags() uint32 {
	if s == Stray {
		return flagSYN | flagACK
	}
	return flagSYN
}

func (p *parser) readFlags(r *Rule, not bool) bool {
	looked, _ := p.next()
	wanted, _ := p.next()
	mask, ok1 := parseFlags(looked)
	value, ok2 := parseFlags(wanted)
	if !ok1 || !ok2 || !r.portsOf() || r.proto.number != protoTCP {
		return false
	}
	r.matches = append(r.matches, match{kind: matchFlags, not: not, value: value, mask: mask})
	return true
}

func parseFlags(list string) (bits uint32, ok bool) {
	for name := range strings.SplitSeq(list, ",") {
		bit, ok := tcpFlags[name]
		if !ok {
			return 0, false
		}
		bits |= bit
	}
	return bits, true
}

func (p *parser) readMark(r *Rule, kind matchKind, not bool) bool {
	word, _ := p.next()
	value, mask, ok := parseMasked(word)
	if ok {
		r.matches = append(r.matches, match{kind: kind, not: not, value: value, mask: mask})
	}
	return ok
}

// ctState is a set of states of a connection, as the conntrack match sees it.
type ctState uint8

const (
	ctInvalid ctState = 1 << iota
	ctNew
	ctEstablished
	ctRelated
	ctUntracked
	ctSNAT
	ctDNAT
)

var ctStates = map[string]ctState{
	"INVALID": ctInvalid, "NEW": ctNew, "ESTABLISHED": ctEstablished, "RELATED": ctRelated, "UNTRACKED": ctUntracked,
	"SNAT": ctSNAT, "DNAT": ctDNAT,
}

func (p *parser) readStates(r *Rule, not bool) bool {
	word, _ := p.next()
	m := match{kind: matchState, not: not}
	for name := range strings.SplitSeq(word, ",") {
		state, ok := ctStates[name]
		if !ok {
			return false
		}
		m.states |= state
	}
	r.matches = append(r.matches, m)
	return true
}

// readAddrType adds an option to the addrtype condition that -m has begun.
func (p *parser) readAddrType(r *Rule, option string, not bool) bool {
	a := r.matches[len(r.matches)-1].addr
	switch option {
	case "--limit-iface-in":
		a.limitIn = true
		return !not
	case "--limit-iface-out":
		a.limitOut = true
		return !not
	}
	word, _ := p.next()
	types, ok := parseTypes(word)
	if option == "--src-type" {
		a.src, a.srcNot = types, not
	} else {
		a.dst, a.dstNot = types, not
	}
	return ok
}
