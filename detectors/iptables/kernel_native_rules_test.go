package iptables

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// nativeHook is a hook with the base chains that rule sets may have there.
type nativeHook struct {
	name string
	// kinds are types of chains with their priorities: those of iptables' tables, so that they have the same, and others.
	kinds []string
}

var nativeHooks = []nativeHook{
	{"prerouting", []string{"filter priority -310", "filter priority -300", "filter priority -150", "filter priority -110", "nat priority -100", "nat priority -100", "nat priority -90", "nat priority -190", "filter priority -100", "filter priority 0"}},
	{"input", []string{"filter priority -150", "filter priority 0", "filter priority 10", "nat priority 100", "nat priority 90", "filter priority 70", "filter priority 110"}},
	{"forward", []string{"filter priority -150", "filter priority 0", "filter priority 0", "filter priority 10", "filter priority 100"}},
	{"output", []string{"filter priority -310", "route priority -150", "nat priority -100", "nat priority -110", "filter priority 0", "filter priority 100"}},
	{"postrouting", []string{"filter priority -150", "nat priority 100", "nat priority 100", "nat priority 95", "nat priority 110", "filter priority 0", "filter priority 100", "filter priority 300"}},
}

// nativeTables are the tables of nft's own that rule sets may have.
var nativeTables = []string{"ip alpha", "inet beta"}

// nftTables returns the input of nft that replaces the tables of nft's own.
func (g *ruleMaker) nftTables() string {
	var out strings.Builder
	for _, table := range nativeTables {
		fmt.Fprintf(&out, "add table %s\ndelete table %s\ntable %s {\n", table, table, table)
		g.sets(&out)
		used := g.chance(75)
		var rules strings.Builder
		for _, h := range nativeHooks {
			if !slices.ContainsFunc(g.chains, func(c hooked) bool { return strings.EqualFold(c.base, h.name) }) {
				continue
			}
			for i := range g.IntN(3) {
				kind := g.oneOf(h.kinds...)
				base := fmt.Sprintf("%s%d", h.name, i)
				policy := ""
				if !strings.HasPrefix(kind, "nat") && g.chance(4) && g.fill < 100 {
					policy = " policy drop;"
				}
				users := 0
				if used {
					users = g.IntN(3)
				}
				fmt.Fprintf(&out, "\tchain %s { type %s; %s}\n", base, strings.Replace(kind, " priority", " hook "+h.name+" priority", 1), policy)
				for u := range users {
					fmt.Fprintf(&out, "\tchain %s-%d { }\n", base, u)
				}
				if !used {
					continue
				}
				for u := -1; u < users; u++ {
					chain := base
					if u >= 0 {
						chain = fmt.Sprintf("%s-%d", base, u)
					}
					for range 1 + g.IntN(4) {
						fmt.Fprintf(&rules, "add rule %s %s %s\n", table, chain, g.nftRule(h.name, kind, base, u, users))
					}
				}
			}
		}
		out.WriteString("}\n" + rules.String())
	}
	return out.String()
}

// sets writes the sets and maps of a table.
func (g *ruleMaker) sets(out *strings.Builder) {
	some := func(all ...string) string {
		g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return strings.Join(all[:1+g.IntN(len(all))], ", ")
	}
	fmt.Fprintf(out, "\tset addrs { type ipv4_addr; elements = { %s } }\n", some("10.244.1.2", "10.244.1.3", "10.244.2.2", "10.244.3.2", "192.168.7.1"))
	fmt.Fprintf(out, "\tset nets { type ipv4_addr; flags interval; elements = { %s } }\n", some("10.244.2.0/24", "10.244.1.128/25", "10.244.1.2-10.244.1.7", "10.244.4.9"))
	fmt.Fprintf(out, "\tset peers { type ipv4_addr . inet_proto . inet_service; flags interval; elements = { %s } }\n",
		some("10.244.2.0/24 . tcp . 80-443", "10.244.3.2 . udp . 53", "10.244.4.0/24 . tcp . 1500", "10.244.1.1 . udp . 443-2000"))
	fmt.Fprintf(out, "\tset ports { type inet_service; flags interval; elements = { %s } }\n", some("53", "80-90", "443", "1000-2000", "8080-65535"))
	out.WriteString("\tset empty { type ipv4_addr; }\n")
	fmt.Fprintf(out, "\tset devs { type ifname; elements = { %s } }\n", some(`"cni0"`, `"eth0"`, `"flannel.1"`, `"lo"`))
	fmt.Fprintf(out, "\tmap svc { type ipv4_addr . inet_proto . inet_service : verdict; elements = { %s } }\n",
		some("10.244.2.2 . tcp . 80 : accept", "10.244.3.2 . udp . 53 : drop", "10.244.2.200 . tcp . 443 : return", "10.244.4.9 . udp . 8080 : continue", "10.244.1.1 . tcp . 80 : drop"))
	fmt.Fprintf(out, "\tmap bydev { type ifname : verdict; elements = { %s } }\n", some(`"cni0" : return`, `"flannel.1" : accept`, `"eth0" : continue`))
	fmt.Fprintf(out, "\tmap where { type inet_service : ipv4_addr; elements = { %s } }\n", some("80 : 10.244.2.77", "53 : 10.244.3.2", "443 : 10.99.0.1"))
	fmt.Fprintf(out, "\tmap who { type ipv4_addr : ipv4_addr; flags interval; elements = { %s } }\n", some("10.244.1.2 : 1.2.3.4", "10.244.1.128/25 : 1.2.3.5", "10.244.1.3 : 10.244.1.3"))
}

// nftRule writes a rule of a base chain, or of its user chain i. It leads to later chains only.
func (g *ruleMaker) nftRule(hook, kind, base string, i, users int) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	proto := ""
	for range g.IntN(4) {
		proto = g.nftCondition(add, hook, proto)
	}
	if g.chance(10) {
		add("%s", g.oneOf("counter", `log prefix "seen"`, "meta nftrace set 0", "ip dscp set 3"))
	}
	if g.chance(20) {
		add("%s", g.nftMark())
		if g.chance(40) {
			proto = g.nftCondition(add, hook, proto) // which the new mark may decide
		}
	}
	later := func() string { return fmt.Sprintf("%s-%d", base, i+1+g.IntN(users-i-1)) }
	switch {
	case i+1 < users && g.chance(45):
		add("%s %s", g.oneOf("jump", "jump", "goto"), later())
	case i+1 < users && g.chance(25):
		add(`%s`, fmt.Sprintf(g.oneOf("meta l4proto vmap { tcp : jump %s, udp : %s }", "ip daddr vmap { 10.244.2.0/24 : goto %s, 10.244.3.2 : %s }",
			"meta mark vmap { 0x0 : jump %s, 0x1 : %s }"), later(), g.oneOf("accept", "drop", "return", "continue", "goto "+later())))
	default:
		if action := g.nftAction(hook, kind, proto); action != "" || len(parts) == 0 {
			add("%s", cmp.Or(action, "counter"))
		}
	}
	text := strings.Join(parts, " ")
	if negatedPort("sport").MatchString(text) && negatedPort("dport").MatchString(text) {
		if !g.mayBeVague {
			return "counter"
		}
		g.vague = true // mergedPorts
	}
	if afterVMap.MatchString(text) {
		if !g.mayBeVague {
			return "counter"
		}
		g.vague = true // movedProtocol
	}
	return text
}

// afterVMap finds a field of a protocol behind a map of verdicts: nft may print one of `th` so, too, if the protocol was named before.
var afterVMap = regexp.MustCompile(`vmap .*\b(tcp|udp|icmp|th) `)

// negatedPort finds a condition that a packet does not have one port.
func negatedPort(which string) *regexp.Regexp { return regexp.MustCompile(which + ` != \d+( |$)`) }

// nftCondition writes one condition, in a rule that is for a protocol already if proto is not "", and returns the protocol that the
// rule is for then.
func (g *ruleMaker) nftCondition(add func(string, ...any), hook, proto string) string {
	not := func() string {
		if g.chance(25) {
			return "!= "
		}
		return ""
	}
	in := hook != "output"
	out := hook != "prerouting" && hook != "input"
	switch g.IntN(24) {
	case 0, 1:
		add("ip saddr %s%s", not(), g.oneOf(g.srcs...))
	case 2, 3:
		add("ip daddr %s%s", not(), g.oneOf(g.dsts...))
	case 4:
		add("ip %s %s%s", g.oneOf("saddr", "daddr"), not(), g.oneOf("@addrs", "@nets", "@empty", "{ 10.244.1.2, 10.244.2.0/24, 10.244.3.1-10.244.3.9 }"))
	case 5:
		add("ip daddr . meta l4proto . th dport %s%s", not(), g.oneOf("@peers", "{ 10.244.2.2 . tcp . 80, 10.244.3.2 . udp . 53 }"))
	case 6:
		if in {
			add("iifname %s%s", not(), g.oneOf(`"cni0"`, `"cni*"`, `{ "cni0", "eth0" }`, `"flannel.1"`, "@devs"))
		}
	case 7:
		if out {
			add("oifname %s%s", not(), g.oneOf(`"eth0"`, `"flannel*"`, `{ "flannel.1", "eth*" }`, `"docker0"`, "@devs"))
		} else if in {
			add("iif %s%s", not(), g.oneOf(`"cni0"`, `"eth0"`))
		}
	case 8, 9, 10:
		proto = cmp.Or(proto, g.oneOf("tcp", "udp", "tcp"))
		if proto == "some" {
			return proto
		}
		if g.chance(5) {
			add("%s sport != %s %s dport != %s", proto, g.oneOf("53", "30000", "30007"), proto, g.oneOf("53", "80"))
			return proto
		}
		add("%s %s %s%s", proto, g.oneOf("dport", "dport", "sport"), not(), g.oneOf("80", "53", "1000-1999", "{ 53, 80, 443 }", "{ 80-443, 8080 }", "@ports"))
		return proto
	case 11:
		if proto != "" {
			return proto
		}
		proto = g.oneOf("tcp", "udp")
		add("meta l4proto %s th dport %s%s", proto, not(), g.oneOf("80", "{ 53, 443 }", "@ports"))
		return proto
	case 12:
		if proto == "" {
			add("%s %s%s", g.oneOf("ip protocol", "meta l4proto"), not(), g.oneOf("icmp", "udp", "{ tcp, udp }"))
			return "some"
		}
	case 13, 14:
		add("%s", g.oneOf("meta mark 0x1", "meta mark != 0x0", "meta mark and 0x3 == 0x1", "meta mark & 0x4000 != 0x4000", "meta mark { 0x0, 0x2 }", "meta mark 0x1-0x3", "meta mark < 0x2", "meta mark 0x4000-0x4fff", "meta mark >= 0x4000"))
	case 15:
		add("%s", g.oneOf("ct mark 0x1", "ct mark != 0x1", "ct mark and 0x3 == 0x2", "ct mark & 0x1 != 0x0"))
	case 16, 17:
		add("%s", g.oneOf("ct state new", "ct state established,related", "ct state != new", "ct state { new, untracked }", "ct state invalid", "ct state untracked", "ct state vmap { invalid : drop, new : continue, established : continue }", "ct state new,untracked"))
	case 18:
		add("%s", g.oneOf("ct status dnat", "ct status & dnat == dnat", "ct status & snat == 0", "ct direction original", "ct direction reply"))
	case 19:
		add("fib %s type %s%s", g.oneOf("saddr", "daddr"), not(), g.oneOf("local", "unicast", "{ local, broadcast }"))
	case 20:
		switch hook {
		case "prerouting", "input":
			add("fib %s . iif type %s", g.oneOf("saddr", "daddr"), g.oneOf("local", "unicast"))
		case "postrouting":
			add("fib %s . oif type %s", g.oneOf("saddr", "daddr"), g.oneOf("local", "unicast"))
		}
	case 21:
		if proto != "" && proto != "tcp" {
			return proto
		}
		add("tcp flags %s", g.oneOf("syn", "& (syn|ack) == syn", "& (fin|syn|rst|ack) == ack", "syn,ack"))
		return "tcp"
	case 22:
		add("ct original ip %s %s", g.oneOf("saddr", "daddr"), g.oneOf("10.244.1.2", "10.244.2.0/24", "10.244.3.2"))
	case 23:
		if g.mayBeVague {
			g.vague = true
			add("%s", g.oneOf("limit rate 5/second", "meta length 30-40", "ip ttl 64", "meta pkttype host", "ip saddr & 0.0.0.1 == 0.0.0.1"))
		}
	}
	return proto
}

func (g *ruleMaker) nftMark() string {
	return g.oneOf("meta mark set 0x1", "meta mark set mark or 0x4000", "meta mark set mark and 0xfffffffe", "meta mark set mark xor 0x3", "meta mark set mark & 0xffffbfff ^ 0x1",
		"ct mark set mark", "ct mark set mark and 0x3", "meta mark set ct mark", "meta mark set ct mark and 0x1", "ct mark set ct mark & 0xfffffffc ^ 0x2", "ct mark set 0x1")
}

// nftAction writes what a rule does.
func (g *ruleMaker) nftAction(hook, kind, proto string) string {
	stop := g.fill < 100
	switch {
	case g.chance(8):
		if proto == "" || proto == "tcp" {
			return g.oneOf("ip daddr . meta l4proto . th dport vmap @svc", "tcp dport vmap { 80 : accept, 90-1500 : return, 53 : continue }")
		}
		return "meta mark vmap { 0x0 : continue, 0x1 : accept, 0x2-0x5 : return }"
	case g.chance(5) && hook != "output":
		if hook == "postrouting" {
			return "oifname vmap @bydev"
		}
		return "iifname vmap @bydev"
	case g.chance(4) && g.mayBeVague:
		g.vague = true
		return g.oneOf("numgen random mod 2 vmap { 0 : accept, 1 : return }", "numgen random mod 3 vmap { 0 : drop, 1 : accept }")
	case g.chance(4):
		return "numgen random mod 1 vmap { 0 : " + g.oneOf("accept", "return") + " }"
	case strings.HasPrefix(kind, "nat") && (hook == "prerouting" || hook == "output"):
		return g.nftDNAT(proto)
	case strings.HasPrefix(kind, "nat") && hook == "postrouting":
		return g.nftSNAT(proto)
	case strings.HasPrefix(kind, "nat"):
		return g.oneOf("accept", "return", g.nftMark(), g.nftMark(), "snat ip to 1.2.3.4")
	case hook == "prerouting" && strings.Contains(kind, "-3"):
		return g.oneOf("notrack", "accept", "return", g.nftMark())
	}
	if (proto == "tcp" || proto == "") && g.chance(5) && hook != "postrouting" {
		return "reject with tcp reset"
	}
	if g.chance(4) && (hook == "forward" || hook == "input" || hook == "output") {
		return g.oneOf("reject", "reject with icmp type admin-prohibited")
	}
	if stop && g.chance(25) {
		return "drop"
	}
	return g.oneOf("accept", "accept", "return", g.nftMark(), g.nftMark(), g.oneOf("drop", "accept", "continue"))
}

func (g *ruleMaker) nftDNAT(proto string) string {
	if g.chance(50) {
		return g.oneOf("accept", "return", g.nftMark(), g.nftMark())
	}
	to := g.oneOf("10.244.2.2", "10.244.3.2", "10.244.4.9", "10.244.2.77", "10.99.0.1", "10.244.1.1")
	ported := proto == "tcp" || proto == "udp"
	switch {
	case g.chance(10):
		return "redirect"
	case g.chance(10):
		return "dnat ip to 10.99.0.1-10.99.0.3"
	case g.chance(15) && (proto == "" || proto == "tcp"):
		return "dnat ip to tcp dport map @where"
	case g.chance(10):
		return "dnat ip to ip daddr map { 10.244.2.2 : 10.244.3.2, 10.244.4.9 : 10.99.0.1 }"
	case g.mayBeVague && g.chance(5):
		g.vague = true
		return "dnat ip to 10.244.2.7-10.244.2.9"
	case ported && g.chance(40):
		to += ":" + g.oneOf("80", "8080", "53")
	}
	return "dnat ip to " + to + g.oneOf("", "", " random", " persistent")
}

func (g *ruleMaker) nftSNAT(proto string) string {
	switch n := g.IntN(100); {
	case n < 35:
		if (proto == "tcp" || proto == "udp") && g.chance(20) {
			return "masquerade to :1024-60000" + g.oneOf("", " random")
		}
		return "masquerade" + g.oneOf("", "", " random", " fully-random", " persistent")
	case n < 50:
		to := g.oneOf("1.2.3.4", "10.244.1.2", "10.244.1.3", "1.2.3.4-1.2.3.6")
		if (proto == "tcp" || proto == "udp") && g.chance(25) {
			if g.chance(70) || to != "10.244.1.2" && to != "10.244.1.3" {
				to += ":20000-60000"
			}
		}
		return "snat ip to " + to + g.oneOf("", "", " persistent")
	case n < 58:
		return "snat ip to ip saddr map @who"
	case n < 75:
		return g.nftMark()
	}
	return g.oneOf("accept", "return", "return")
}
