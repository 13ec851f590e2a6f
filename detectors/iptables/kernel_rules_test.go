package iptables

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
)

// The addresses of pods here and elsewhere; those of 10.244.4.0/24 are routed out by eth0, the others by flannel.1.
var (
	podAddrs  = []string{"10.244.1.2", "10.244.1.3", "10.244.1.130"}
	peerAddrs = []string{"10.244.2.2", "10.244.2.200", "10.244.3.2", "10.244.4.9"}
)

// ruleMaker writes random rule sets for one world.
type ruleMaker struct {
	*rand.Rand
	// mayBeVague allows what is unknown by design, and vague says that such was written.
	mayBeVague, vague bool
	// chains get rules; of the other base chains, only the policy is written.
	chains []hooked
	// fill is how many percent of them get rules, relative to what is usual for their table.
	fill int
	// srcs, dsts and devs are what -s, -d and -i ask for.
	srcs, dsts, devs []string
	// native says that there are tables of nft's own, too.
	native bool
}

// What rules for packets between pods ask for.
var (
	podNets  = []string{"10.244.1.0/24", "10.244.1.128/25", "10.244.1.2", "10.244.1.3/32", "10.244.0.0/16", "192.168.0.0/16", "10.244.1.2/31"}
	peerNets = []string{"10.244.2.0/24", "10.244.3.0/24", "10.244.4.0/24", "10.244.2.2", "10.244.2.128/25", "10.244.0.0/16", "10.244.2.0/23", "10.96.0.0/12"}
	inDevs   = []string{"cni0", "cni+", "docker0", "+", "flannel.1"}
)

func (g *ruleMaker) oneOf(all ...string) string { return all[g.IntN(len(all))] }

// chance is true n times in a hundred.
func (g *ruleMaker) chance(n int) bool { return g.IntN(100) < n }

func (g *ruleMaker) not(n int) string {
	if g.chance(n) {
		return "! "
	}
	return ""
}

// hooked is a base chain with the user chains that only it leads to.
type hooked struct {
	table, base string
	// actions writes a target.
	actions func(g *ruleMaker, proto string) string
}

var forwardChains = []hooked{
	{"raw", "PREROUTING", (*ruleMaker).rawTarget},
	{"mangle", "PREROUTING", (*ruleMaker).mangleTarget},
	{"mangle", "FORWARD", (*ruleMaker).mangleTarget},
	{"mangle", "POSTROUTING", (*ruleMaker).mangleTarget},
	{"nat", "PREROUTING", (*ruleMaker).dnatTarget},
	{"nat", "POSTROUTING", (*ruleMaker).snatTarget},
	{"filter", "FORWARD", (*ruleMaker).filterTarget},
	{"security", "FORWARD", (*ruleMaker).securityTarget},
}

var baseChains = map[string][]string{
	"raw": {"PREROUTING", "OUTPUT"}, "mangle": {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"},
	"nat":    {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"},
	"filter": {"INPUT", "FORWARD", "OUTPUT"}, "security": {"INPUT", "FORWARD", "OUTPUT"},
}

// ruleSet returns the input of iptables-restore, with all tables, so that it replaces everything before it.
func (g *ruleMaker) ruleSet(empty bool) string {
	var out strings.Builder
	for _, table := range []string{"raw", "mangle", "nat", "filter", "security"} {
		fmt.Fprintf(&out, "*%s\n", table)
		var rules strings.Builder
		for _, base := range baseChains[table] {
			i := slices.IndexFunc(g.chains, func(h hooked) bool { return h.table == table && h.base == base })
			if i < 0 {
				fmt.Fprintf(&out, ":%s ACCEPT [0:0]\n", base)
				continue
			}
			h := g.chains[i]
			policy := "ACCEPT"
			used := !empty && g.chance(map[string]int{"nat": 90, "mangle": 45, "filter": 60, "raw": 30, "security": 40}[table]*g.fill/100)
			if used && table != "nat" && g.chance(4) {
				policy = "DROP"
			}
			fmt.Fprintf(&out, ":%s %s [0:0]\n", h.base, policy)
			if !used {
				continue
			}
			users := g.IntN(4)
			for i := range users {
				fmt.Fprintf(&out, ":%s - [0:0]\n", userChain(h, i))
			}
			for i := -1; i < users; i++ {
				for range 1 + g.IntN(4) {
					g.rule(&rules, h, i, users)
				}
			}
		}
		out.WriteString(rules.String())
		out.WriteString("COMMIT\n")
	}
	return out.String()
}

func userChain(h hooked, i int) string { return fmt.Sprintf("%s-%s-%d", h.table, h.base, i) }

// rule writes a rule of user chain i of h, or of its base chain for -1. It leads to later chains only.
func (g *ruleMaker) rule(out *strings.Builder, h hooked, i, users int) {
	chain := h.base
	if i >= 0 {
		chain = userChain(h, i)
	}
	fmt.Fprintf(out, "-A %s", chain)
	proto := g.conditions(out, h, i >= 0)
	if i+1 < users && g.chance(45) {
		fmt.Fprintf(out, " %s %s\n", g.oneOf("-j", "-j", "-g"), userChain(h, i+1+g.IntN(users-i-1)))
		return
	}
	if g.chance(5) {
		out.WriteString("\n") // no target at all
		return
	}
	fmt.Fprintf(out, " -j %s\n", h.actions(g, proto))
}

// conditions writes what a rule asks for, and returns its protocol if it is for one.
func (g *ruleMaker) conditions(out *strings.Builder, h hooked, user bool) (proto string) {
	add := func(format string, args ...any) { fmt.Fprintf(out, " "+format, args...) }
	if g.chance(25) {
		add("%s-s %s", g.not(25), g.oneOf(g.srcs...))
	}
	if g.chance(35) {
		add("%s-d %s", g.not(25), g.oneOf(g.dsts...))
	}
	// Where a packet has no interface to go out by, or none by which it came, base chains cannot ask for it.
	pre, post := h.base == "PREROUTING" || h.base == "INPUT", h.base == "POSTROUTING" || h.base == "OUTPUT"
	if g.chance(15) && (!post || user && h.base == "POSTROUTING") {
		name := g.oneOf(g.devs...)
		not := g.not(30)
		if name == "+" {
			not = "" // `! -i +` matches nothing, but iptables-legacy-save prints it as if it were not there
		}
		add("%s-i %s", not, name)
	}
	if g.chance(25) && (!pre || user) {
		add("%s-o %s", g.not(40), g.oneOf("flannel.1", "flannel+", "eth0", "eth+", "docker0", "cni0"))
	}
	if g.chance(40) {
		proto = g.oneOf("tcp", "tcp", "udp", "udp", "icmp")
		if not := g.not(15); not != "" {
			add("! -p %s", proto)
			proto = ""
		} else {
			add("-p %s", proto)
		}
	}
	if proto == "tcp" || proto == "udp" {
		g.ports(add, proto)
	}
	if g.chance(20) {
		add("-m mark %s--mark %s", g.not(30), g.mark())
	}
	if g.chance(8) {
		add("-m connmark %s--mark %s", g.not(30), g.mark())
	}
	if g.chance(12) {
		states := g.oneOf("NEW", "ESTABLISHED,RELATED", "INVALID", "UNTRACKED", "NEW,UNTRACKED", "INVALID,NEW", "DNAT", "SNAT", "SNAT,DNAT", "ESTABLISHED,DNAT")
		if strings.Contains(states, "NAT") || g.chance(70) {
			add("-m conntrack %s--ctstate %s", g.not(30), states)
		} else {
			add("-m state %s--state %s", g.not(30), states)
		}
	}
	if g.chance(10) {
		g.addrType(add, pre, post, user)
	}
	if g.chance(8) {
		add(`-m comment --comment "%s"`, g.oneOf("plain", "two words", `a \"quoted\" word`, `-j MASQUERADE`, `back\\slash`))
	}
	if g.mayBeVague && g.chance(4) {
		g.vague = true
		add("%s", g.oneOf("-m statistic --mode random --probability 0.5", "-m limit --limit 5/min", "-m length --length 0:30", "-m ttl --ttl-lt 64",
			"-m helper --helper ftp", "-m conntrack --ctdir ORIGINAL"))
	}
	return proto
}

func (g *ruleMaker) mark() string {
	return g.oneOf("0x0", "0x1", "0x2", "0x0/0x1", "0x1/0x1", "0x2/0x2", "0x1/0x3", "0x4000/0x4000", "0x4001")
}

func (g *ruleMaker) ports(add func(string, ...any), proto string) {
	ports := func() string {
		return g.oneOf("53", "80", "443", "80:443", "1000:1999", ":79", "8000:", "30000:40000", "443:8080", "2000:65535")
	}
	if g.chance(30) {
		not := g.not(25)
		add("-m %s %s--dport %s", proto, not, ports())
		if g.chance(20) {
			if not == "" { // both are not judged (match.neither)
				not = g.not(25)
			} else {
				not = ""
			}
			add("%s--sport %s", not, ports())
		}
	} else if g.chance(15) {
		add("-m %s %s--sport %s", proto, g.not(25), ports())
	}
	if proto == "tcp" && g.chance(15) {
		add("-m tcp %s%s", g.not(30), g.oneOf("--syn", "--tcp-flags SYN,ACK SYN,ACK", "--tcp-flags ALL SYN", "--tcp-flags RST RST", "--tcp-flags SYN,RST NONE"))
	}
	if g.chance(10) {
		add("-m iprange %s--src-range %s", g.not(25), g.oneOf("10.244.1.2-10.244.1.3", "10.244.1.3-10.244.1.200", "10.0.0.1-10.0.0.1"))
	}
	if g.chance(10) {
		add("-m iprange %s--dst-range %s", g.not(25), g.oneOf("10.244.2.2-10.244.2.199", "10.244.2.3-10.244.4.9"))
	}
	if g.chance(25) {
		add("-m multiport %s%s %s", g.not(25), g.oneOf("--sports", "--dports", "--ports"), g.oneOf("53,80", "80:443,8080", "1000:2000", "443,1000:1999", "53"))
	}
}

func (g *ruleMaker) addrType(add func(string, ...any), pre, post, user bool) {
	types := func() string {
		return g.oneOf("LOCAL", "UNICAST", "BROADCAST", "UNICAST,LOCAL", "MULTICAST", "LOCAL,BROADCAST")
	}
	text := "-m addrtype"
	if g.chance(40) {
		text += " " + g.not(30) + "--src-type " + types()
	}
	if text == "-m addrtype" || g.chance(50) {
		text += " " + g.not(30) + "--dst-type " + types()
	}
	if !user && !post && g.chance(20) {
		text += " --limit-iface-in"
	} else if !user && !pre && g.chance(20) {
		text += " --limit-iface-out"
	}
	add("%s", text)
}

func (g *ruleMaker) setMark() string {
	return "MARK " + g.oneOf("--set-xmark", "--set-mark", "--set-mark") + " " + g.oneOf("0x1", "0x1/0x1", "0x2/0x3", "0x4000/0x4000", "0x3/0x1", "0x0/0x1", "0x4001")
}

func (g *ruleMaker) anyMark() string {
	switch g.IntN(4) {
	case 0:
		return g.setMark()
	case 1:
		return "MARK " + g.oneOf("--or-mark", "--and-mark", "--xor-mark") + " " + g.oneOf("0x1", "0x2", "0x4000", "0x3")
	case 2:
		return "CONNMARK " + g.oneOf("--set-mark 0x1", "--set-xmark 0x2/0x3", "--set-mark 0x4000/0x4000", "--or-mark 0x1", "--xor-mark 0x3", "--and-mark 0x2")
	}
	return "CONNMARK " + g.oneOf("--save-mark", "--restore-mark", "--save-mark --mask 0x3", "--restore-mark --mask 0x1",
		"--save-mark --nfmask 0x3 --ctmask 0xff", "--restore-mark --nfmask 0xff --ctmask 0x1")
}

func (g *ruleMaker) rawTarget(string) string {
	return g.oneOf("ACCEPT", "RETURN", "NOTRACK", "CT --notrack", g.setMark(), g.setMark(), g.oneOf("DROP", "ACCEPT", "ACCEPT"))
}

func (g *ruleMaker) mangleTarget(string) string {
	if g.chance(70) {
		return g.anyMark()
	}
	return g.oneOf("ACCEPT", "RETURN", "RETURN", "RETURN", "TOS --set-tos 0x10/0xff", g.oneOf("DROP", "ACCEPT"))
}

func (g *ruleMaker) filterTarget(proto string) string {
	if proto == "tcp" && g.chance(10) {
		return "REJECT --reject-with tcp-reset"
	}
	return g.oneOf("ACCEPT", "ACCEPT", "RETURN", g.oneOf("DROP", "REJECT", "ACCEPT"), g.setMark(), g.setMark(), "LOG --log-prefix \"a b \"")
}

func (g *ruleMaker) securityTarget(string) string {
	return g.oneOf("ACCEPT", "RETURN", g.oneOf("DROP", "ACCEPT"), g.setMark(), g.setMark())
}

func (g *ruleMaker) dnatTarget(proto string) string {
	if g.chance(55) {
		return g.oneOf("ACCEPT", "RETURN", g.anyMark(), g.anyMark())
	}
	to := g.oneOf("10.244.2.2", "10.244.3.2", "10.244.4.9", "10.244.2.77", "10.99.0.1", "10.244.1.1")
	switch {
	case g.chance(10):
		return "REDIRECT"
	case g.chance(8):
		return "DNAT --to-destination 10.99.0.1-10.99.0.3"
	case g.mayBeVague && g.chance(5):
		g.vague = true
		return "DNAT --to-destination 10.244.2.7-10.244.2.9"
	case proto == "tcp" || proto == "udp":
		if g.chance(40) {
			to += ":" + g.oneOf("80", "8080", "53")
		}
	}
	return "DNAT --to-destination " + to + g.oneOf("", "", " --random", " --persistent")
}

func (g *ruleMaker) snatTarget(proto string) string {
	ported := proto == "tcp" || proto == "udp"
	switch n := g.IntN(100); {
	case n < 35:
		if ported && g.chance(20) {
			return "MASQUERADE --to-ports 1024-60000" + g.oneOf("", " --random")
		}
		return "MASQUERADE" + g.oneOf("", "", " --random", " --random-fully")
	case n < 60:
		to := g.oneOf("1.2.3.4", "10.244.1.2", "10.244.1.3", "1.2.3.4-1.2.3.6", "10.244.1.2-10.244.1.3")
		options := ""
		if ported && g.chance(25) {
			to += ":20000-60000"
		}
		if g.chance(20) {
			options = g.oneOf(" --random", " --persistent", " --random-fully")
		}
		if strings.Contains(to, "10.244.1.2-") {
			if !g.mayBeVague {
				return "SNAT --to-source 1.2.3.4"
			}
			g.vague = true
		}
		return "SNAT --to-source " + to + options
	case n < 65:
		return "NETMAP --to " + g.oneOf("1.2.3.0/24", "10.244.1.0/24", "10.244.1.2/31")
	case n < 75:
		return g.anyMark()
	}
	return g.oneOf("ACCEPT", "RETURN")
}

// packets returns packets whose source ports differ, so that no two can get into each other's way when rewritten.
func (g *ruleMaker) packets(n int) []Packet {
	var out []Packet
	for i := range n {
		p := Packet{
			Src: netip.MustParseAddr(g.oneOf(podAddrs...)), Dst: netip.MustParseAddr(g.oneOf(peerAddrs...)),
			Proto: []uint8{protoTCP, protoTCP, protoUDP, protoUDP, 1}[g.IntN(5)],
		}
		if p.Proto != 1 {
			p.Sport = []uint16{1000, 2000, 30000, 53000}[g.IntN(4)] + uint16(i)
			p.Dport = []uint16{53, 80, 443, 1500, 8080}[g.IntN(5)]
		}
		out = append(out, p)
	}
	return out
}
